package echo

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// request is what echo reads of a request in the messages format.
type request struct {
	Model     string          `json:"model"`
	MaxTokens *int            `json:"max_tokens"`
	System    json.RawMessage `json:"system"`
	Messages  []struct {
		Role    string  `json:"role"`
		Content content `json:"content"`
	} `json:"messages"`
	Tools []struct {
		Name string `json:"name"`
	} `json:"tools"`
}

// content is a string or a list of blocks, of which echo reads the text.
type content struct {
	text   string
	result bool // it has a tool result
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *content) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &c.text)
	}
	var blocks []struct {
		Type    string  `json:"type"`
		Text    string  `json:"text"`
		Content content `json:"content"`
	}
	if err := json.Unmarshal(b, &blocks); err != nil {
		return err
	}
	var parts []string
	for _, block := range blocks {
		if block.Type == "tool_result" {
			c.result = true
			block.Text = block.Content.text
		}
		if block.Text != "" {
			parts = append(parts, block.Text)
		}
	}
	c.text = strings.Join(parts, "\n")
	return nil
}

// check refuses what the real API refuses of the fields that echo reads.
func (r *request) check(op ccproxy.Operation) error {
	bad := func(param, msg string) error {
		return &ccproxy.Error{Status: http.StatusBadRequest, Param: param, Message: param + ": " + msg}
	}
	switch {
	case r.Model == "":
		return bad("model", "Field required")
	case len(r.Messages) == 0:
		return bad("messages", "at least one message is required")
	case op == ccproxy.OpGenerate && r.MaxTokens == nil:
		return bad("max_tokens", "Field required")
	case op == ccproxy.OpGenerate && *r.MaxTokens < 1:
		return bad("max_tokens", "must be at least 1")
	}
	return nil
}

// tokens estimates the input at four bytes a token.
func (r *request) tokens() int {
	n := len(r.System)
	for _, m := range r.Messages {
		n += len(m.Content.text)
	}
	return estimate(n)
}

func estimate(bytes int) int { return (bytes + 3) / 4 }

// message is an answer in the messages format.
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

type block struct {
	Type  string          `json:"type"`
	Text  *string         `json:"text,omitempty"`
	ID    string          `json:"id,omitempty"`
	Name  string          `json:"name,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
}

type usage struct {
	InputTokens              int `json:"input_tokens"`
	CacheCreationInputTokens int `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int `json:"cache_read_input_tokens"`
	OutputTokens             int `json:"output_tokens"`
}

// reply makes the answer: the last user text, or a call of the tool that it names.
func (p *provider) reply(call *ccproxy.Call, r *request) *message {
	said := ""
	for _, m := range r.Messages {
		if m.Role == "user" {
			said = m.Content.text
		}
	}
	text := p.cfg.Prefix + said
	stop := "end_turn"
	b := block{Type: "text", Text: &text}
	if name, input, ok := r.toolCall(said); ok {
		stop = "tool_use"
		b = block{Type: "tool_use", ID: "toolu_" + call.ID, Name: name, Input: input}
	} else if *r.MaxTokens < estimate(len(text)) {
		stop = "max_tokens"
		cut := *r.MaxTokens * 4
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	out := len(text)
	if b.Text == nil {
		out = len(b.Input)
	}
	return &message{
		ID: "msg_" + call.ID, Type: "message", Role: "assistant", Model: call.Model, Content: []block{b},
		StopReason: &stop, Usage: usage{InputTokens: r.tokens(), OutputTokens: estimate(out)},
	}
}

// toolCall finds "use tool NAME" or "use tool NAME with {…}" for a tool of the request.
func (r *request) toolCall(said string) (name string, input json.RawMessage, ok bool) {
	_, rest, found := strings.Cut(said, "use tool ")
	if !found {
		return "", nil, false
	}
	name, args, _ := strings.Cut(rest, " ")
	for _, t := range r.Tools {
		if t.Name != name {
			continue
		}
		input = json.RawMessage("{}")
		_, given, ok := strings.Cut(args, "with ")
		if ok && strings.HasPrefix(given, "{") && json.Valid([]byte(given)) {
			input = json.RawMessage(given)
		}
		return name, input, true
	}
	return "", nil, false
}

// stream returns the events of the message as the real API sends them, a few words at a time.
func (m *message) stream(ctx context.Context, delay time.Duration) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		for _, ev := range m.events() {
			if err := pause(ctx, delay); err != nil {
				yield(adapters.Event{}, err)
				return
			}
			data, err := json.Marshal(ev.body)
			if !yield(adapters.Event{Type: ev.name, Data: data}, err) || err != nil {
				return
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type event struct {
	name string
	body map[string]any
}

func (m *message) events() []event {
	var out []event
	add := func(name string, body map[string]any) {
		body["type"] = name
		out = append(out, event{name, body})
	}
	start := *m
	start.Content, start.StopReason, start.Usage.OutputTokens = []block{}, nil, 1
	add("message_start", map[string]any{"message": start})
	empty := map[string]any{"type": "text", "text": ""}
	b := m.Content[0]
	if b.Type == "tool_use" {
		empty = map[string]any{"type": b.Type, "id": b.ID, "name": b.Name, "input": map[string]any{}}
	}
	add("content_block_start", map[string]any{"index": 0, "content_block": empty})
	add("ping", map[string]any{})
	for _, d := range b.deltas() {
		add("content_block_delta", map[string]any{"index": 0, "delta": d})
	}
	add("content_block_stop", map[string]any{"index": 0})
	add("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": m.StopReason, "stop_sequence": nil},
		"usage": m.Usage,
	})
	add("message_stop", map[string]any{})
	return out
}

// deltas cuts a block into pieces after each space.
func (b block) deltas() []map[string]any {
	kind, key, whole := "input_json_delta", "partial_json", string(b.Input)
	if b.Text != nil {
		kind, key, whole = "text_delta", "text", *b.Text
	}
	var out []map[string]any
	for part := range strings.SplitAfterSeq(whole, " ") {
		out = append(out, map[string]any{"type": kind, key: part})
	}
	return out
}
