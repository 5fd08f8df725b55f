package matrix

import "maps"

// features are all that a conversation can have in one of the dialects.
func features() []string {
	return []string{
		"text", "system prompts", "image data", "image address", "document",
		"thinking", "redacted thinking", "reasoning summary", "encrypted reasoning",
		"tool calls", "empty arguments", "parallel calls", "custom tools", "server tools",
		"tool results", "result images", "is_error",
		"refusal", "citations", "response format",
		"choice auto", "choice required", "choice named", "choice none", "parallel off",
		"sampling", "stop sequences", "user", "metadata", "service tier", "cache_control",
		"effort", "budget", "adaptive", "several answers", "logprobs",
		"usage", "stop end", "stop limit", "stop sequence", "stop tools", "stop filter", "stop pause",
		"stop context", "stop failed", "stop unknown",
		"previous_response_id", "unknown members", "errors", "pings",
	}
}

// notIn says which features a dialect, or all of them ("*"), does not have in conversations of a kind, and why.
func notIn() map[string]map[string]map[string]string {
	const (
		asked    = "a request's"
		answered = "an answer's"
		openAI   = "OpenAI's alone"
		claude   = "Anthropic's alone"
	)
	answer := map[string]string{
		"system prompts": asked, "image data": asked, "image address": asked, "document": asked,
		"tool results": asked, "result images": asked, "is_error": asked, "response format": asked,
		"choice auto": asked, "choice required": asked, "choice named": asked, "choice none": asked,
		"parallel off": asked, "sampling": asked, "stop sequences": asked, "user": asked, "metadata": asked,
		"cache_control": asked, "effort": asked, "budget": asked, "adaptive": asked, "previous_response_id": asked,
	}
	return map[string]map[string]map[string]string{
		request: {
			"*": {
				"usage": answered, "stop end": answered, "stop limit": answered, "stop sequence": answered,
				"stop tools": answered, "stop filter": answered, "stop pause": answered, "stop context": answered,
				"stop failed": answered, "stop unknown": answered, "errors": answered, "pings": "a stream's",
			},
			"A": {
				"reasoning summary": openAI, "encrypted reasoning": openAI, "custom tools": openAI,
				"refusal": "told as text", "metadata": "none but the user's id", "several answers": openAI,
				"logprobs": openAI, "previous_response_id": openAI,
			},
			"C": {
				"result images": "results are text", "is_error": claude, "citations": "messages sent back have none",
				"budget": claude, "adaptive": claude, "previous_response_id": "of Responses alone",
			},
			"R": {
				"is_error": claude, "stop sequences": "it has none", "cache_control": claude, "budget": claude,
				"adaptive": claude, "several answers": "of Chat alone",
			},
		},
		response: {
			"*": with(answer, map[string]string{"pings": "a stream's"}),
			"A": {
				"reasoning summary": openAI, "encrypted reasoning": openAI, "refusal": "told as a reason to stop",
				"several answers": openAI, "logprobs": openAI, "stop failed": "an error is no answer",
			},
			"C": {
				"server tools": "what they found shows as annotations", "stop sequence": "told as stop",
				"stop pause": claude, "stop context": claude,
			},
			"R": {
				"thinking": claude, "redacted thinking": claude,
				"several answers": "of Chat alone", "stop sequence": "it has none", "stop pause": claude,
				"stop context": claude,
			},
		},
		stream: {
			"*": answer,
			"A": {
				"reasoning summary": openAI, "encrypted reasoning": openAI, "refusal": "told as a reason to stop",
				"several answers": openAI, "logprobs": openAI, "stop failed": "told as an error",
			},
			"C": {
				"server tools": "what they found shows as annotations", "stop sequence": "told as stop",
				"stop pause": claude, "stop context": claude, "pings": "comments, which are no events",
			},
			"R": {
				"thinking": claude, "redacted thinking": claude,
				"several answers": "of Chat alone", "stop sequence": "it has none", "stop pause": claude,
				"stop context": claude, "pings": "comments, which are no events",
			},
		},
	}
}

func with(lists ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, list := range lists {
		maps.Copy(all, list)
	}
	return all
}

// has tells whether a dialect has a feature in conversations of a kind.
func has(dialect, kind, feature string) bool {
	table := notIn()[kind]
	_, none := table["*"][feature]
	_, not := table[dialect][feature]
	return !none && !not
}
