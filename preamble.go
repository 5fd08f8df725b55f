package ccproxy

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/errorcode"
)

// isPreamble tells of an event of a stream that says no more than that an answer is going to come.
func isPreamble(f adapters.Format, typ string, data []byte) bool {
	switch f {
	case adapters.AnthropicMessages:
		return typ == "message_start" || typ == "ping"
	case adapters.OpenAIResponses:
		return typ == "response.created" || typ == "response.in_progress" || typ == "response.queued"
	case adapters.OpenAIChatCompletions:
		return isEmptyChunk(data)
	}
	return false
}

// isEmptyChunk tells of a chunk that names nothing but the role of who is going to speak.
func isEmptyChunk(data []byte) bool {
	var chunk struct {
		Choices []struct {
			Delta        map[string]any `json:"delta"`
			FinishReason any            `json:"finish_reason"`
		} `json:"choices"`
	}
	if json.Unmarshal(data, &chunk) != nil || len(chunk.Choices) == 0 {
		return false
	}
	for _, choice := range chunk.Choices {
		if choice.FinishReason != nil {
			return false
		}
		for name, value := range choice.Delta {
			if name != "role" && value != nil && value != "" {
				return false
			}
		}
	}
	return true
}

// movable tells whether somebody else may have to be asked. Then more is held back of the beginning of an answer.
func (t *relay) movable() bool { return t.cancel != nil }

// hold holds back what announces an answer, until some of the answer has come. It tells whether it has.
func (t *relay) hold(typ string, data, raw []byte) bool {
	if !t.movable() || !isPreamble(t.client, typ, data) || !t.holds(raw) {
		return false
	}
	raw = t.note(typ, data, raw, true)
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	t.out.held, t.out.fresh = append(t.out.held, raw...), true
	return true
}

// holds tells whether there is room to hold an event back.
func (t *relay) holds(raw []byte) bool {
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	return !t.committed && len(t.out.held)+len(raw) <= maxHeld
}

// firstResponsesError is [firstError] for streams of the Responses API. Their errors have no status of their own, so it
// is for where somebody else may be asked.
func firstResponsesError(f adapters.Format, data []byte) *Error {
	if f != adapters.OpenAIResponses {
		return nil
	}
	member := func(name string) string {
		s, _ := jsonString(data, "response", "error", name)
		if s == "" {
			s, _ = jsonString(data, "error", name)
		}
		if s == "" {
			s, _ = jsonString(data, name)
		}
		return s
	}
	code := member("code")
	e := &Error{
		Status: cmp.Or(errorcode.Named(code), http.StatusInternalServerError), Code: code,
		Message: cmp.Or(member("message"), "the provider answered with an error"),
	}
	return e
}
