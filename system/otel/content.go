package otel

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
)

// message and part are what the conventions have of a conversation.
type message struct {
	Role   string `json:"role"`
	Parts  []part `json:"parts"`
	Finish string `json:"finish_reason,omitempty"`
}

type part struct {
	Type      string `json:"type"`
	Content   string `json:"content,omitempty"`
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments,omitempty"`
	Result    string `json:"result,omitempty"`
}

// codecFor returns the codec of a dialect, nil for one that is not known.
func codecFor(format string) adapters.Codec {
	switch adapters.Format(format) {
	case adapters.AnthropicMessages:
		return anthropic.Codec()
	case adapters.OpenAIChatCompletions:
		return openai.Chat()
	case adapters.OpenAIResponses:
		return openai.Responses()
	}
	return nil
}

// inputMessages are the messages of a request, "" if they cannot be read or are too long.
func inputMessages(format string, body []byte, limit int) string {
	codec := codecFor(format)
	if codec == nil {
		return ""
	}
	req, err := codec.Requests().DecodeRequest(body)
	if err != nil {
		return ""
	}
	list := make([]message, 0, len(req.Messages))
	for _, m := range req.Messages {
		list = append(list, message{Role: roleOf(m.Role), Parts: partsOf(m.Parts)})
	}
	return marshal(list, limit)
}

func roleOf(r canonical.Role) string {
	switch r {
	case canonical.RoleAssistant:
		return "assistant"
	case canonical.RoleSystem, canonical.RoleDeveloper:
		return "system"
	case canonical.RoleTool:
		return "tool"
	default:
		return "user"
	}
}

func marshal(list []message, limit int) string {
	text, err := json.Marshal(list)
	if err != nil || len(text) > limit || len(list) == 0 {
		return ""
	}
	return string(text)
}

// partsOf leaves out what is no text: pictures and sounds are long.
func partsOf(parts []canonical.Part) []part {
	out := make([]part, 0, len(parts))
	for i := range parts {
		p := &parts[i]
		switch {
		case p.Kind == canonical.PartText || p.Kind == canonical.PartRefusal:
			out = append(out, part{Type: "text", Content: p.Text.String()})
		case p.Kind == canonical.PartThinking:
			out = append(out, part{Type: "reasoning", Content: p.Text.String()})
		case p.Kind == canonical.PartToolCall && p.Call != nil:
			args := p.Call.Args.String.String()
			if len(p.Call.Args.Object) > 0 {
				args = string(p.Call.Args.Object)
			}
			out = append(out, part{
				Type: "tool_call", ID: p.Call.ID.String(), Name: p.Call.Name.String(), Arguments: args,
			})
		case p.Kind == canonical.PartToolResult && p.Result != nil:
			var text strings.Builder
			for _, r := range p.Result.Parts {
				text.WriteString(r.Text.String())
			}
			out = append(out, part{Type: "tool_call_response", ID: p.Result.CallID.String(), Result: text.String()})
		default:
			out = append(out, part{Type: "blob"})
		}
	}
	return out
}

// content keeps the beginning of an answer. The nil content has none.
type content struct {
	max int

	mu   sync.Mutex
	kept []byte
	cut  bool
}

// envelope is how much longer an answer may be than the content in it: streams repeat much.
const envelope = 8

func (c *content) add(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut = c.cut || len(c.kept)+len(b) > envelope*c.max; c.cut {
		c.kept = nil
		return
	}
	c.kept = append(c.kept, b...)
}

// messages are those of an answer in a dialect, "" if it is none, is not whole or too long.
func (c *content) messages(format string) string {
	if c == nil {
		return ""
	}
	codec := codecFor(format)
	c.mu.Lock()
	defer c.mu.Unlock()
	if codec == nil || c.cut || len(c.kept) == 0 {
		return ""
	}
	resp, err := decode(codec, c.kept)
	if err != nil {
		return ""
	}
	list := make([]message, 0, len(resp.Choices))
	for _, choice := range resp.Choices {
		list = append(list, message{
			Role: "assistant", Parts: partsOf(choice.Parts), Finish: finishOf(choice.Stop.Reason),
		})
	}
	return marshal(list, c.max)
}

// decode reads an answer, whole or streamed.
func decode(codec adapters.Codec, body []byte) (*canonical.Response, error) {
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '{' {
		return codec.Responses().DecodeResponse(trimmed)
	}
	return adapters.Collect(codec.DecodeStream(), events(body))
}

// events are those of a stream that the proxy itself has written: an event line and a data line each.
func events(stream []byte) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		for block := range bytes.SplitSeq(stream, []byte("\n\n")) {
			var ev adapters.Event
			for line := range bytes.SplitSeq(block, []byte("\n")) {
				name, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\r")), []byte(":"))
				value = bytes.TrimPrefix(value, []byte(" "))
				switch string(name) {
				case "event":
					ev.Type = string(value)
				case "data":
					ev.Data = append(ev.Data, value...)
				}
			}
			if ev.Data != nil && !yield(ev, nil) {
				return
			}
		}
	}
}

// finishOf is the convention's word for why a model stopped.
func finishOf(r canonical.StopReason) string {
	switch r {
	case canonical.StopMaxTokens, canonical.StopContext:
		return "length"
	case canonical.StopToolUse:
		return "tool_call"
	case canonical.StopRefusal:
		return "content_filter"
	case canonical.StopFailed:
		return "error"
	default:
		return "stop"
	}
}

// writer keeps what is written. All else the inner writer does when asked through an http.ResponseController.
type writer struct {
	http.ResponseWriter

	into *content
}

// Unwrap lets http.ResponseController reach the inner writer.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.into.add(b[:max(n, 0)])
	return n, err
}
