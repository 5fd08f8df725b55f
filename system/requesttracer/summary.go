package requesttracer

import (
	"bytes"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// summary is what the events of a stream add up to.
type summary struct {
	Format   adapters.Format `json:"format"`
	ID       string          `json:"id,omitempty"`
	Model    string          `json:"model,omitempty"`
	Text     string          `json:"text,omitempty"`
	Thinking string          `json:"thinking,omitempty"`
	Calls    []*toolCall     `json:"tool_calls,omitempty"`
	Usage    *usage          `json:"usage,omitempty"`
	Complete bool            `json:"complete"` // the terminal event was seen
	Error    string          `json:"error,omitempty"`

	text, thinking texts
	open           map[block]*toolCall
}

// texts are those of the choices of an answer, of which there is one but for Chat Completions.
type texts []*strings.Builder

func (ts *texts) add(choice int, text string) {
	for choice >= len(*ts) && choice < maxChoices {
		*ts = append(*ts, new(strings.Builder))
	}
	if choice >= 0 && choice < len(*ts) {
		(*ts)[choice].WriteString(text)
	}
}

// String has an empty line between choices.
func (ts texts) String() string {
	var all []string
	for _, t := range ts {
		if t.Len() > 0 {
			all = append(all, t.String())
		}
	}
	return strings.Join(all, "\n\n")
}

// maxChoices bounds the choices whose texts are kept: OpenAI allows for 128.
const maxChoices = 128

type toolCall struct {
	ID        string `json:"id,omitempty"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`

	fragments strings.Builder
}

type usage struct {
	Input      int64 `json:"input_tokens"`
	Output     int64 `json:"output_tokens"`
	CacheRead  int64 `json:"cache_read_tokens,omitempty"`
	CacheWrite int64 `json:"cache_write_tokens,omitempty"`
	Reasoning  int64 `json:"reasoning_tokens,omitempty"`
}

// block tells the blocks of a stream apart.
type block struct{ index, choice int }

// maxEvent bounds an event of a stream that is read again.
const maxEvent = 64 << 20

// summarize puts a stream together, nil if it is in no dialect that is known. What was cut off counts as far as it
// goes.
func (p *plugin) summarize(stream []byte, secrets scrub.Secrets) *summary {
	codec := codecOf(stream)
	if codec == nil {
		return nil
	}
	s := &summary{Format: codec.Format(), open: make(map[block]*toolCall)}
	in, dec := sse.NewReader(bytes.NewReader(stream), maxEvent), codec.DecodeStream()
	for !s.Complete && s.Error == "" {
		ev, err := in.Next()
		if err != nil {
			break
		}
		if !ev.HasData {
			continue
		}
		if err := dec.Decode(adapters.Event{Type: string(ev.Type), Data: ev.Data}, s.take); err != nil {
			break // it broke here for whoever read it, too
		}
	}
	if !s.Complete && s.Error == "" {
		_ = dec.End(s.take) // some dialects have no terminal event of their own
	}
	s.finish(func(text string) string { return p.scrubber.Text(text, secrets) })
	return s
}

// codecOf recognizes a dialect by the first of its events that says what it is.
func codecOf(stream []byte) adapters.Codec {
	const look = 16 // events: before the first there may be pings
	in := sse.NewReader(bytes.NewReader(stream), maxEvent)
	for range look {
		ev, err := in.Next()
		if err != nil {
			return nil
		}
		member := func(name string) string {
			raw, _ := rawjson.Find(ev.Data, name)
			text, _ := rawjson.String(raw)
			return text
		}
		switch typ := member("type"); {
		case typ == "message_start":
			return anthropic.Codec()
		case strings.HasPrefix(typ, "response."):
			return openai.Responses()
		case member("object") == "chat.completion.chunk":
			return openai.Chat()
		}
	}
	return nil
}

func (s *summary) take(ev canonical.Event) error {
	at := block{ev.Index, ev.Choice}
	switch ev.Kind {
	case canonical.EventStart:
		s.ID, s.Model = ev.ID.String(), ev.Model.String()
	case canonical.EventBlockStart, canonical.EventBlockStop:
		s.edge(at, ev.Part)
	case canonical.EventDelta:
		s.delta(at, &ev)
	case canonical.EventError:
		s.Error = "error"
		if ev.Error != nil {
			s.Error = ev.Error.Type + ": " + ev.Error.Message.String()
		}
	case canonical.EventStop:
		s.Complete = true
	case canonical.EventUsage, canonical.EventPing:
	}
	s.count(ev.Usage)
	return nil
}

// edge takes what the first and the last event of a block tell.
func (s *summary) edge(at block, part *canonical.Part) {
	if part == nil || part.Kind != canonical.PartToolCall || part.Call == nil {
		return
	}
	call := s.open[at]
	if call == nil {
		call = &toolCall{}
		s.open[at] = call
		s.Calls = append(s.Calls, call)
	}
	if id := part.Call.ID.String(); id != "" {
		call.ID = id
	}
	if name := part.Call.Name.String(); name != "" {
		call.Name = name
	}
	if args := part.Call.Args.String.String(); args != "" {
		call.Arguments = args
	} else if raw := string(part.Call.Args.Object); raw != "" && raw != "{}" {
		call.Arguments = raw
	}
}

func (s *summary) delta(at block, ev *canonical.Event) {
	if ev.Part == nil {
		return
	}
	switch ev.Part.Kind {
	case canonical.PartText, canonical.PartRefusal:
		s.text.add(at.choice, ev.Delta.String())
	case canonical.PartThinking:
		s.thinking.add(at.choice, ev.Delta.String())
	case canonical.PartToolCall:
		if call := s.open[at]; call != nil {
			call.fragments.WriteString(ev.Delta.String())
		}
	default: // no text
	}
}

// count takes the newest figures, as the dialect has them. What they do not tell stays as it was.
func (s *summary) count(u *canonical.Usage) {
	if u == nil {
		return
	}
	if s.Usage == nil {
		s.Usage = &usage{}
	}
	if u.HasInput {
		s.Usage.Input, s.Usage.CacheRead, s.Usage.CacheWrite = u.Input, u.CacheRead, u.CacheWrite
		if s.Format == adapters.AnthropicMessages { // which tells them apart
			s.Usage.Input -= u.CacheRead + u.CacheWrite
		}
	}
	if u.HasOutput {
		s.Usage.Output = u.Output
	}
	if u.HasReasoning {
		s.Usage.Reasoning = u.Reasoning
	}
}

// unfinished tells what an answer lacks whose stream this is, "" if that is nothing.
func (s *summary) unfinished() string {
	switch {
	case s.Error != "":
		return "the stream ended with an error: " + s.Error
	case !s.Complete:
		return "the stream broke off before its end"
	}
	return ""
}

func (s *summary) finish(clean func(string) string) {
	s.Text, s.Thinking, s.Error = clean(s.text.String()), clean(s.thinking.String()), clean(s.Error)
	s.ID, s.Model = clean(s.ID), clean(s.Model)
	for _, call := range s.Calls {
		call.ID, call.Name = clean(call.ID), clean(call.Name)
		if call.Arguments == "" {
			call.Arguments = call.fragments.String()
		}
		call.Arguments = clean(call.Arguments)
	}
}
