package openai

import (
	"strconv"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// yieldChunk takes an event of the dialect.
type yieldChunk = func(adapters.Event) error

// chatStreamEncoder writes the chunks of one stream. Each has the id, model and time of the first.
type chatStreamEncoder struct {
	writer

	req       *canonical.Request
	wantUsage bool // the client asked for the chunk with the usage
	old       bool // the client knows calls only as they were before tools
	own       bool // the stream comes from the same dialect
	source    string
	head      []byte
	started   bool
	ended     bool
	usage     canonical.Usage
	hasUsage  bool
	choices   []toldChoice
	lost      canonical.Losses
}

func newChatStreamEncoder(req *canonical.Request) *chatStreamEncoder {
	return &chatStreamEncoder{req: req, wantUsage: req != nil && req.IncludeUsage, old: wantsFunctionCalls(req)}
}

// Losses are what the dialect could not express so far.
func (e *chatStreamEncoder) Losses() []canonical.Loss { return e.lost.List }

// Encode writes what an event means.
func (e *chatStreamEncoder) Encode(ev *canonical.Event, yield func(adapters.Event) error) error {
	if e.ended {
		return nil
	}
	if ev.Usage != nil {
		e.addUsage(ev.Usage)
	}
	switch ev.Kind {
	case canonical.EventError:
		return e.error(ev.Error, yield)
	case canonical.EventPing:
		return e.ping(ev)
	case canonical.EventUsage:
		return nil
	default:
	}
	if err := e.start(ev, yield); err != nil {
		return err
	}
	switch ev.Kind {
	case canonical.EventBlockStart:
		return e.blockStart(ev, yield)
	case canonical.EventDelta:
		return e.delta(ev, yield)
	case canonical.EventBlockStop:
		return e.blockStop(ev, yield)
	case canonical.EventStop:
		return e.stop(ev, yield)
	default:
		return nil
	}
}

// Fail ends the stream with an error. Nothing else follows: the last word would make it look complete.
func (e *chatStreamEncoder) Fail(info adapters.ErrorInfo, yield func(adapters.Event) error) error {
	if e.ended {
		return nil
	}
	e.ended = true
	return yield(adapters.EncodeStreamError(adapters.OpenAIChatCompletions, info))
}

func (e *chatStreamEncoder) error(err *canonical.Error, yield yieldChunk) error {
	e.ended = true
	if err == nil {
		err = &canonical.Error{}
	}
	return yield(adapters.Event{Data: encodeError(err)})
}

// ping reports an event that only its own dialect knows.
func (e *chatStreamEncoder) ping(ev *canonical.Event) error {
	loseEvent(&e.lost, ev)
	return nil
}

// loseEvent reports an event that only its own dialect knows.
func loseEvent(lost *canonical.Losses, ev *canonical.Event) {
	if ev.Part == nil {
		return
	}
	path := ev.Part.Path
	if path == "" {
		path = ev.Part.Type
	}
	lost.Add(path, "not in the streams of this dialect")
}

// addUsage takes counts; later ones may leave out what was said before.
func (e *chatStreamEncoder) addUsage(u *canonical.Usage) {
	before := e.usage
	e.usage, e.hasUsage = *u, true
	if !u.HasInput && before.HasInput {
		e.usage.Input, e.usage.HasInput = before.Input, true
		e.usage.CacheRead, e.usage.CacheWrite = before.CacheRead, before.CacheWrite
	}
	if !u.HasOutput && before.HasOutput {
		e.usage.Output, e.usage.HasOutput = before.Output, true
	}
}

// start makes what all chunks begin with, and tells the role.
func (e *chatStreamEncoder) start(ev *canonical.Event, yield yieldChunk) error {
	if e.started {
		return nil
	}
	e.started = true
	e.own, e.source = ev.Source == chatSource, ev.Source
	id, created := chatAnswerID(ev.ID, e.own), ev.Created
	if created == 0 {
		created = time.Now().Unix()
	}
	model := ev.Model
	if model == nil && e.req != nil {
		model = canonical.NewToken(e.req.Model)
	}
	var w writer
	w.open('{')
	w.member("id", id)
	w.text("object", "chat.completion.chunk")
	w.number("created", created)
	w.token("model", orEmptyText(model))
	if e.own {
		w.fields(ev.Extra)
	} else {
		for _, f := range ev.Extra {
			e.lost.Add(f.Name, "not in this dialect")
		}
	}
	w.key("choices")
	w.open('[')
	e.head = w.buf
	_, err := e.choice(0, yield)
	return err
}

// choice finds where an answer stands. A new one begins with its role.
func (e *chatStreamEncoder) choice(i int, yield yieldChunk) (*toldChoice, error) {
	for len(e.choices) <= i {
		e.choices = append(e.choices, toldChoice{})
	}
	c := &e.choices[i]
	if c.begun {
		return c, nil
	}
	c.begun = true
	e.openChunk(i)
	e.text("role", "assistant")
	e.text("content", "")
	return c, e.closeChunk(nil, yield)
}

// openChunk begins a chunk; what follows are the members of its delta.
func (e *chatStreamEncoder) openChunk(choice int) {
	e.buf = append(e.buf[:0], e.head...)
	e.buf = append(e.buf, `{"index":`...)
	e.buf = strconv.AppendInt(e.buf, int64(choice), 10)
	e.buf = append(e.buf, `,"delta":{`...)
}

// closeChunk ends a chunk that says no reason to stop, and sends it.
func (e *chatStreamEncoder) closeChunk(logprobs canonical.Raw, yield yieldChunk) error {
	e.buf = append(e.buf, '}')
	if isArray(logprobs) { // as Responses has them
		logprobs = chatLogprobs(logprobs)
	}
	if isObject(logprobs) {
		e.member("logprobs", logprobs)
	}
	e.buf = append(e.buf, `,"finish_reason":null}]`...)
	return e.send(yield)
}

// send ends the chunk. A client that waits for the usage is told in each chunk that it is yet to come.
func (e *chatStreamEncoder) send(yield yieldChunk) error {
	if e.wantUsage {
		e.buf = append(e.buf, `,"usage":null`...)
	}
	e.buf = append(e.buf, '}')
	return yield(adapters.Event{Data: e.buf})
}

// stop tells why the answers ended, what they cost if the client asked, and that the stream is over.
func (e *chatStreamEncoder) stop(ev *canonical.Event, yield yieldChunk) error {
	if ev.Stop.Reason == canonical.StopFailed {
		return e.error(ev.Stop.Error, yield)
	}
	if ev.Stop.Sequence != nil {
		e.lost.Add("stop_sequence", "not in this dialect")
	}
	if path := stopLoss(&ev.Stop, e.source); path != "" {
		e.lost.Add(path, "told as another")
	}
	if !e.own {
		loseFields(&e.lost, "", ev.Extra)
	}
	if err := e.finish(0, &ev.Stop, yield); err != nil {
		return err
	}
	for i := range ev.More {
		if err := e.finish(i+1, &ev.More[i], yield); err != nil {
			return err
		}
	}
	if err := e.usageChunk(yield); err != nil {
		return err
	}
	e.ended = true
	return yield(adapters.Event{Data: []byte("[DONE]")})
}

func (e *chatStreamEncoder) finish(i int, s *canonical.Stop, yield yieldChunk) error {
	c, err := e.choice(i, yield)
	if err != nil {
		return err
	}
	e.openChunk(i)
	e.buf = append(e.buf, '}')
	e.text("finish_reason", encodeFinish(s, c.tools > 0, e.old))
	e.buf = append(e.buf, "}]"...)
	return e.send(yield)
}

func (e *chatStreamEncoder) usageChunk(yield yieldChunk) error {
	if !e.wantUsage || !e.hasUsage {
		return nil
	}
	e.buf = append(e.buf[:0], e.head...)
	e.close(']')
	e.key("usage")
	writeChatUsage(&e.writer, &e.usage, e.own)
	e.close('}')
	if !e.own {
		for _, f := range e.usage.Extra {
			e.lost.Add("usage."+f.Name, "not in this dialect")
		}
	}
	return yield(adapters.Event{Data: e.buf})
}
