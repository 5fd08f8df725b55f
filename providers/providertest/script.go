package providertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// Formats returns the three formats in which the package can answer.
func Formats() []adapters.Format {
	return []adapters.Format{
		adapters.AnthropicMessages, adapters.OpenAIChatCompletions, adapters.OpenAIResponses,
	}
}

// TextStream is a whole stream in format f that says text, one part per event and one delta per word. For Anthropic
// Messages it is [TextEvents]. Another format has no parts.
func TextStream(f adapters.Format, model, text string) []Part {
	var parts []Part
	for _, ev := range script(f, model, text) {
		parts = append(parts, Bytes(ev))
	}
	return parts
}

// Text answers in format f with text, whole or as a stream as the request asks.
func Text(f adapters.Format, text string) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		req := decodeRequest(r)
		switch {
		case f == adapters.AnthropicMessages:
			Message(text)(w, r)
		case req.Stream:
			Stream(TextStream(f, req.Model, text)...)(w, r)
		default:
			body := wholeText(f, req.Model, text)
			Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, body)(w, r)
		}
	}
}

// wholeText is the answer of an OpenAI format that is not streamed.
func wholeText(f adapters.Format, model, text string) string {
	if f == adapters.OpenAIResponses {
		return responseObject(model, "completed", responseItem("completed", text))
	}
	return fmt.Sprintf(`{"id":"chatcmpl-fake","object":"chat.completion","created":1767225600,"model":%s,`+
		`"choices":[{"index":0,"message":{"role":"assistant","content":%s,"refusal":null},"logprobs":null,`+
		`"finish_reason":"stop"}],"usage":%s}`, quoted(model), quoted(text), chatUsage(text))
}

// script is a sound stream, event by event: the last one is the terminal event.
func script(f adapters.Format, model, text string) []string {
	switch f {
	case adapters.AnthropicMessages:
		return messagesScript(model, text)
	case adapters.OpenAIChatCompletions:
		return chatScript(model, text)
	case adapters.OpenAIResponses:
		return responsesScript(model, text)
	default:
		return nil
	}
}

func messagesScript(model, text string) []string {
	var events []string
	for _, part := range TextEvents(model, text) {
		var event strings.Builder
		_ = part(context.Background(), &event) // writes to memory
		events = append(events, event.String())
	}
	return events
}

func chatScript(model, text string) []string {
	var events []string
	chunk := func(choices, rest string) {
		events = append(events, fmt.Sprintf(`data: {"id":"chatcmpl-fake","object":"chat.completion.chunk",`+
			`"created":1767225600,"model":%s,"choices":[%s]%s}`+"\n\n", quoted(model), choices, rest))
	}
	delta := func(delta, finish string) {
		chunk(`{"index":0,"delta":{`+delta+`},"logprobs":null,"finish_reason":`+finish+`}`, "")
	}
	delta(`"role":"assistant","content":""`, "null")
	for word := range strings.SplitAfterSeq(text, " ") {
		delta(`"content":`+quoted(word), "null")
	}
	delta("", `"stop"`)
	chunk("", `,"usage":`+chatUsage(text))
	return append(events, "data: [DONE]\n\n")
}

func chatUsage(text string) string {
	n := countTokens(text)
	return fmt.Sprintf(`{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}`, n, n+1)
}

func responsesScript(model, text string) []string {
	var events []string
	add := func(name, rest string) {
		events = append(events, fmt.Sprintf("event: %s\ndata: {\"type\":%q,\"sequence_number\":%d,%s}\n\n",
			name, name, len(events), rest))
	}
	const (
		item = `"output_index":0`
		part = `"item_id":"msg_fake",` + item + `,"content_index":0`
	)
	add("response.created", `"response":`+responseObject(model, "in_progress"))
	add("response.in_progress", `"response":`+responseObject(model, "in_progress"))
	add("response.output_item.added", item+`,"item":`+responseItem("in_progress", ""))
	add("response.content_part.added", part+`,"part":`+responsePart(""))
	for word := range strings.SplitAfterSeq(text, " ") {
		add("response.output_text.delta", part+`,"delta":`+quoted(word)+`,"logprobs":[]`)
	}
	add("response.output_text.done", part+`,"text":`+quoted(text)+`,"logprobs":[]`)
	add("response.content_part.done", part+`,"part":`+responsePart(text))
	add("response.output_item.done", item+`,"item":`+responseItem("completed", text))
	add("response.completed", `"response":`+responseObject(model, "completed", responseItem("completed", text)))
	return events
}

func responseObject(model, status string, output ...string) string {
	tokens := "null"
	if status == "completed" {
		tokens = `{"input_tokens":1,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,` +
			`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":4}`
	}
	return fmt.Sprintf(`{"id":"resp_fake","object":"response","created_at":1767225600,"status":%q,"error":null,`+
		`"incomplete_details":null,"model":%s,"output":[%s],"parallel_tool_calls":true,"tool_choice":"auto",`+
		`"tools":[],"usage":%s}`, status, quoted(model), strings.Join(output, ","), tokens)
}

func responseItem(status, text string) string {
	content := ""
	if text != "" {
		content = responsePart(text)
	}
	return fmt.Sprintf(`{"id":"msg_fake","type":"message","status":%q,"role":"assistant","content":[%s]}`,
		status, content)
}

func responsePart(text string) string {
	return `{"type":"output_text","annotations":[],"logprobs":[],"text":` + quoted(text) + `}`
}

// errorObject is an error as format f answers it.
func errorObject(f adapters.Format, typ, message string) string {
	if f == adapters.AnthropicMessages {
		return fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%s}}`, typ, quoted(message))
	}
	return fmt.Sprintf(`{"error":{"message":%s,"type":%q,"param":null,"code":null}}`, quoted(message), typ)
}

// errorEvent is the event by which format f ends a stream that has failed.
func errorEvent(f adapters.Format, typ, message string) string {
	switch f {
	case adapters.OpenAIChatCompletions:
		return "data: " + errorObject(f, typ, message) + "\n\n"
	case adapters.OpenAIResponses:
		failed := strings.Replace(responseObject("m", "failed"), `"error":null`,
			fmt.Sprintf(`"error":{"code":%q,"message":%s}`, typ, quoted(message)), 1)
		return `event: response.failed` + "\n" +
			`data: {"type":"response.failed","sequence_number":99,"response":` + failed + "}\n\n"
	default:
		return "event: error\ndata: " + errorObject(f, typ, message) + "\n\n"
	}
}

// oddEvent is an event with a name and data of the test's own, as format f would send it.
func oddEvent(f adapters.Format, name, data string) string {
	if f == adapters.OpenAIChatCompletions { // whose events have no names
		return "data: " + data + "\n\n"
	}
	return "event: " + name + "\ndata: " + data + "\n\n"
}

// deltaOf is the event with which format f would stream text, which is put in as it stands.
func deltaOf(f adapters.Format, text string) string {
	switch f {
	case adapters.OpenAIChatCompletions:
		return `data: {"id":"chatcmpl-fake","object":"chat.completion.chunk","created":1767225600,"model":"m",` +
			`"choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}` + "\n\n"
	case adapters.OpenAIResponses:
		return "event: response.output_text.delta\n" + `data: {"type":"response.output_text.delta",` +
			`"item_id":"msg_fake","output_index":0,"content_index":0,"delta":"` + text + `"}` + "\n\n"
	default:
		return "event: content_block_delta\n" +
			`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + text + "\"}}\n\n"
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // strings always marshal
	return string(b)
}
