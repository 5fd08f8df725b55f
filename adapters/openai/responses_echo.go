package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// writeEcho writes the members of a response object that repeat the request. Those that the client did not
// send have the API's defaults, but that nothing is stored here.
func (e *answerEncoder) writeEcho(w *itemWriter) {
	if e.req == nil && len(e.echo) > 0 {
		w.fields(e.echo)
		return
	}
	req := e.req
	if req == nil {
		req = &canonical.Request{}
	}
	w.memberOr("background", extra(req.Extra, "background"), "false")
	w.token("instructions", instructionsOf(req))
	w.memberOr("max_output_tokens", req.MaxTokens, "null")
	w.memberOr("max_tool_calls", extra(req.Extra, "max_tool_calls"), "null")
	w.boolean("parallel_tool_calls", req.ParallelTools == nil || *req.ParallelTools)
	w.token("previous_response_id", req.PreviousResponseID)
	w.token("prompt_cache_key", req.PromptCacheKey)
	w.key("reasoning")
	echoReasoning(w, req.Thinking)
	w.memberOr("safety_identifier", extra(req.Extra, "safety_identifier"), "null")
	w.memberOr("store", req.Store, "false")
	w.memberOr("temperature", req.Temperature, "1.0")
	w.key("text")
	echoText(w, req)
	echoChoice(w, req)
	w.key("tools")
	w.open('[')
	for i := range req.Tools {
		if t := &req.Tools[i]; t.Raw != nil {
			w.value(t.Raw)
		} else {
			writeTool(w, t, true)
		}
	}
	w.close(']')
	w.memberOr("top_logprobs", req.TopLogprobs, "0")
	w.memberOr("top_p", req.TopP, "1.0")
	w.memberOr("truncation", req.Truncation, `"disabled"`)
	w.token("user", req.User)
	w.memberOr("metadata", req.Metadata, "{}")
}

// instructionsOf gives the system prompt that stood apart from the conversation.
func instructionsOf(req *canonical.Request) canonical.Token {
	for i := range req.Messages {
		if m := &req.Messages[i]; m.Top && len(m.Parts) == 1 {
			return m.Parts[0].Text
		}
	}
	return nil
}

func echoReasoning(w *itemWriter, t *canonical.Thinking) {
	if t == nil {
		t = &canonical.Thinking{}
	}
	w.open('{')
	w.token("effort", t.Effort)
	w.token("summary", t.Summary)
	w.fields(t.Extra)
	w.close('}')
}

func echoText(w *itemWriter, req *canonical.Request) {
	w.open('{')
	w.key("format")
	if req.Format != nil {
		writeFormat(w, req.Format, true)
	} else {
		writeFormat(w, &canonical.Format{Type: "text"}, true)
	}
	w.member("verbosity", req.Verbosity)
	w.fields(textFields(req.Extra))
	w.close('}')
}

func echoChoice(w *itemWriter, req *canonical.Request) {
	c := req.Choice
	if c == nil {
		c = &canonical.ToolChoice{Mode: "auto"}
	}
	writeChoice(w, c, req, true)
}
