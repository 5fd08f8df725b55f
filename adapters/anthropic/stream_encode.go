package anthropic

import (
	"bytes"
	"slices"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// streamEncoder writes one stream: a message_start, blocks one after the other, a message_delta and a message_stop, or
// an error. Clients count blocks by themselves, so indices have no gaps, and many know one block at a time, so what
// is said of another meanwhile waits until its turn.
type streamEncoder struct {
	encoder
	losses canonical.Losses
	model  canonical.Token // of the request
	blocks []*outBlock     // those that are not over, in the order of starts; the first is being written
	next   int             // index for the block that is written next
	usage  canonical.Usage // so far
	// called and refused tell what was written.
	called, refused bool
	started, done   bool
}

type eventFunc = func(adapters.Event) error

// Losses are what could not be said so far. The same loss in many fragments of a block is told once.
func (e *streamEncoder) Losses() []canonical.Loss { return e.losses.List }

// Encode writes what an event means. Events after the last are passed over.
func (e *streamEncoder) Encode(ev *canonical.Event, yield func(adapters.Event) error) error {
	switch {
	case e.done:
		return nil
	case ev.Kind == canonical.EventPing:
		return e.ping(ev, yield)
	case ev.Kind == canonical.EventError:
		return e.Fail(errorInfo(ev.Error), yield)
	case ev.Kind == canonical.EventStop && ev.Stop.Reason == canonical.StopFailed:
		return e.Fail(errorInfo(ev.Stop.Error), yield)
	case ev.Kind == canonical.EventUsage:
		e.remember(ev.Usage)
		return nil
	}
	if !e.started {
		if err := e.start(ev, yield); err != nil {
			return err
		}
	}
	if ev.Choice > 0 {
		e.lose(element("choices", ev.Choice), "dropped: answers have one choice")
		return nil
	}
	switch ev.Kind {
	case canonical.EventBlockStart:
		return e.blockStart(ev, yield)
	case canonical.EventDelta:
		return e.delta(ev, yield)
	case canonical.EventBlockStop:
		return e.blockStop(ev, yield)
	case canonical.EventStop:
		return e.stopAll(ev, yield)
	default:
		return nil
	}
}

// Fail writes the error event, unless the stream is over.
func (e *streamEncoder) Fail(info adapters.ErrorInfo, yield func(adapters.Event) error) error {
	if e.done {
		return nil
	}
	e.done = true
	return yield(adapters.EncodeStreamError(adapters.AnthropicMessages, info))
}

func (e *streamEncoder) ping(ev *canonical.Event, yield eventFunc) error {
	if p := ev.Part; p != nil && e.own && p.Raw != nil {
		return yield(adapters.Event{Type: p.Type, Data: p.Raw})
	}
	if p := ev.Part; p != nil {
		path := p.Path
		if path == "" {
			path = p.Type
		}
		e.lose(path, "not in the streams of this dialect")
		return nil
	}
	e.begin("ping")
	return e.emit("ping", yield)
}

// begin starts the data of an event, and emit ends it.
func (e *streamEncoder) begin(typ string) {
	e.w.b = e.w.b[:0]
	e.w.open('{')
	e.w.word("type", typ)
}

func (e *streamEncoder) emit(typ string, yield eventFunc) error {
	e.w.shut('}')
	return yield(adapters.Event{Type: typ, Data: e.w.b})
}

// start writes message_start, from the event that has what belongs there or, if it never came, from any.
func (e *streamEncoder) start(ev *canonical.Event, yield eventFunc) error {
	e.started, e.answer, e.once = true, true, true
	e.lost = &e.losses
	e.own, e.responses = ev.Source == dialect, ev.Source == string(adapters.OpenAIResponses)
	if ev.Kind != canonical.EventStart {
		ev = &canonical.Event{}
	}
	e.begin("message_start")
	e.w.key("message")
	e.w.open('{')
	e.w.raw("id", messageID(ev.ID, e.own))
	e.w.word("type", "message")
	e.w.word("role", "assistant")
	model := ev.Model
	if model == nil {
		model = e.model
	}
	e.w.token("model", model)
	e.w.raw("content", []byte("[]"))
	e.w.raw("stop_reason", []byte("null"))
	e.w.raw("stop_sequence", []byte("null"))
	e.remember(ev.Usage)
	e.encoder.usage(&e.usage)
	e.w.shut('}')
	e.extras(ev.Extra, "")
	e.w.shut('}')
	return e.emit("message_start", yield)
}

// remember keeps the newest counts. What a later event does not count stays as it was.
func (e *streamEncoder) remember(u *canonical.Usage) {
	if u == nil {
		return
	}
	old := e.usage
	e.usage = *u
	if !u.HasInput && old.HasInput {
		e.usage.Input, e.usage.CacheRead, e.usage.CacheWrite = old.Input, old.CacheRead, old.CacheWrite
		e.usage.HasInput = true
	}
	if !u.HasOutput && old.HasOutput {
		e.usage.Output, e.usage.Reasoning, e.usage.HasOutput = old.Output, old.Reasoning, true
	}
	e.usage.Extra = nil
	for _, f := range u.Extra {
		e.usage.Extra = append(e.usage.Extra, canonical.Field{Name: f.Name, Raw: bytes.Clone(f.Raw)})
	}
}

// stopAll ends the answer.
func (e *streamEncoder) stopAll(ev *canonical.Event, yield eventFunc) error {
	for len(e.blocks) > 0 {
		e.blocks[0].over = true
		if err := e.advance(yield); err != nil {
			return err
		}
	}
	for i := range ev.More {
		e.lose(element("choices", i+1), "dropped: answers have one choice")
	}
	e.remember(ev.Usage)
	e.begin("message_delta")
	e.w.key("delta")
	e.w.open('{')
	e.stop(&ev.Stop, e.called, e.refused)
	beside := besideDelta()
	top := func(f canonical.Field) bool { return slices.Contains(beside[:], f.Name) }
	inside := func(f canonical.Field) bool { return !top(f) }
	e.extras(slices.DeleteFunc(slices.Clone(ev.Extra), top), "")
	e.w.shut('}')
	e.encoder.usage(&e.usage)
	e.w.shut('}')
	e.extras(slices.DeleteFunc(slices.Clone(ev.Extra), inside), "")
	if err := e.emit("message_delta", yield); err != nil {
		return err
	}
	e.done = true
	e.begin("message_stop")
	return e.emit("message_stop", yield)
}
