package providertest

import (
	"context"
	"encoding/json"
	"io"
	"strings"
)

// message is an answer of the Messages API.
type message struct {
	ID           string  `json:"id"`
	Type         string  `json:"type"`
	Role         string  `json:"role"`
	Model        string  `json:"model"`
	Content      []block `json:"content"`
	StopReason   *string `json:"stop_reason"`
	StopSequence *string `json:"stop_sequence"`
	Usage        usage   `json:"usage"`
}

// block is a text or a tool_use block. Text is a pointer because an empty text is sent, too.
type block struct {
	Type  string          `json:"type"`
	Text  *string         `json:"text,omitempty"`
	ID    string          `json:"id,omitempty"`
	Name  string          `json:"name,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
}

type usage struct {
	Input         int `json:"input_tokens"`
	CacheCreation int `json:"cache_creation_input_tokens"`
	CacheRead     int `json:"cache_read_input_tokens"`
	Output        int `json:"output_tokens"`
}

func (b block) stopReason() *string {
	reason := "end_turn"
	if b.Type == "tool_use" {
		reason = "tool_use"
	}
	return &reason
}

// tokens counts a token per word and at least one, so that tests can tell the number in advance.
func (b block) tokens() int {
	if b.Text != nil {
		return countTokens(*b.Text)
	}
	return countTokens(string(b.Input))
}

func countTokens(text string) int { return max(1, len(strings.Fields(text))) }

// opening is the block as content_block_start shows it: nothing said yet.
func (b block) opening() block {
	if b.Text != nil {
		b.Text = new(string)
		return b
	}
	b.Input = json.RawMessage(`{}`)
	return b
}

// deltas cuts the content into the fragments of a stream: words of a text, pieces of a tool's input
// after an empty one, which is how the service begins.
func (b block) deltas() []any {
	type textDelta struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	type inputDelta struct {
		Type        string `json:"type"`
		PartialJSON string `json:"partial_json"`
	}
	if b.Text != nil {
		var deltas []any
		for word := range strings.SplitAfterSeq(*b.Text, " ") {
			deltas = append(deltas, textDelta{"text_delta", word})
		}
		return deltas
	}
	deltas := []any{inputDelta{"input_json_delta", ""}}
	for piece := range pieces(string(b.Input), 8) {
		deltas = append(deltas, inputDelta{"input_json_delta", piece})
	}
	return deltas
}

// pieces yields s in pieces of about n bytes that cut no character in two.
func pieces(s string, n int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start := 0
		for i := range s {
			if i-start < n {
				continue
			}
			if !yield(s[start:i]) {
				return
			}
			start = i
		}
		if start < len(s) {
			yield(s[start:])
		}
	}
}

// event is the data of a stream's event; which fields are set depends on the type.
type event struct {
	Type    string   `json:"type"`
	Message *message `json:"message,omitempty"`
	Index   *int     `json:"index,omitempty"`
	Block   *block   `json:"content_block,omitempty"`
	Delta   any      `json:"delta,omitempty"`
	Usage   any      `json:"usage,omitempty"`
	Error   any      `json:"error,omitempty"`
}

// part makes the event of ev; its name is its type, as always in this API.
func (ev event) part() Part {
	data, err := json.Marshal(ev)
	if err != nil {
		return func(context.Context, io.Writer) error { return err }
	}
	return Event(ev.Type, string(data))
}

// events is the message as the documented sequence of a stream.
func (m message) events() []Part {
	start := m
	start.Content, start.StopReason, start.Usage.Output = []block{}, nil, 1
	parts := []Part{event{Type: "message_start", Message: &start}.part()}
	for i, b := range m.Content {
		opening := b.opening()
		parts = append(parts, event{Type: "content_block_start", Index: &i, Block: &opening}.part())
		if i == 0 {
			parts = append(parts, event{Type: "ping"}.part())
		}
		for _, delta := range b.deltas() {
			parts = append(parts, event{Type: "content_block_delta", Index: &i, Delta: delta}.part())
		}
		parts = append(parts, event{Type: "content_block_stop", Index: &i}.part())
	}
	return append(parts, m.closing().part(), event{Type: "message_stop"}.part())
}

// closing is the message_delta: why the message ends and what it cost.
func (m message) closing() event {
	type delta struct {
		StopReason   *string `json:"stop_reason"`
		StopSequence *string `json:"stop_sequence"`
	}
	type final struct {
		Output int `json:"output_tokens"`
	}
	return event{
		Type:  "message_delta",
		Delta: delta{m.StopReason, m.StopSequence},
		Usage: final{m.Usage.Output},
	}
}

// errorBody is the error of the API, as a body and as the data of an error event.
type errorBody struct {
	Type  string `json:"type"`
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
	RequestID string `json:"request_id,omitempty"`
}

func newErrorBody(typ, message, requestID string) errorBody {
	body := errorBody{Type: "error", RequestID: requestID}
	body.Error.Type, body.Error.Message = typ, message
	return body
}
