package openai

import (
	"slices"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// responsesStreamEncoder tells an answer as the API streams it. Items are announced when their first block
// starts and are done when the next one does, since only then it is known whether the answer was cut off in
// them.
type responsesStreamEncoder struct {
	req  *canonical.Request
	lost canonical.Losses

	answer  answerEncoder
	started bool
	ended   bool
	seq     int64
	items   []*streamItem
	blocks  []*streamBlock // by their index in the source
	w       itemWriter
	yield   func(adapters.Event) error
	err     error
}

// streamItem is one item of the output.
type streamItem struct {
	index int // of the output
	kind  canonical.PartKind
	id    canonical.Token
	key   canonical.Token // the source's id of a message, by which later parts are told to belong to it
	open  int             // blocks that are not complete
	parts []canonical.Part
	json  []byte // the whole item, when it is done
}

// Losses are what could not be told.
func (e *responsesStreamEncoder) Losses() []canonical.Loss { return e.lost.List }

// Encode tells one step of the answer.
func (e *responsesStreamEncoder) Encode(ev *canonical.Event, yield func(adapters.Event) error) error {
	if e.ended || e.err != nil {
		return e.err
	}
	e.yield = yield
	if ev.Kind == canonical.EventPing {
		loseEvent(&e.lost, ev)
		return nil
	}
	if ev.Choice > 0 {
		if ev.Kind == canonical.EventBlockStart {
			e.lost.Add(at("choices", ev.Choice), "one answer only")
		}
		return nil
	}
	e.start(ev)
	if ev.Usage != nil {
		usage := *ev.Usage
		usage.Extra = cloneFields(usage.Extra)
		e.answer.usage = &usage
	}
	switch ev.Kind {
	case canonical.EventBlockStart:
		e.blockStart(ev)
	case canonical.EventDelta:
		e.delta(ev)
	case canonical.EventBlockStop:
		e.blockStop(ev)
	case canonical.EventStop:
		e.keepLast(ev.Extra)
		e.stop(ev.Stop)
	case canonical.EventError:
		e.fail(ev.Error)
	case canonical.EventStart, canonical.EventUsage, canonical.EventPing:
	}
	return e.err
}

// Fail ends the answer with an error that came from outside the stream.
func (e *responsesStreamEncoder) Fail(info adapters.ErrorInfo, yield func(adapters.Event) error) error {
	if e.ended || e.err != nil {
		return e.err
	}
	e.yield = yield
	e.start(&canonical.Event{})
	failure := &canonical.Error{Status: info.Status, Type: info.Type, Message: canonical.NewToken(info.Message)}
	if info.Code != "" {
		failure.Code = canonical.NewToken(info.Code)
	}
	e.fail(failure)
	return e.err
}

// start begins the answer, once.
func (e *responsesStreamEncoder) start(ev *canonical.Event) {
	if e.started {
		return
	}
	e.started = true
	e.answer = answerEncoder{
		itemEncoder: itemEncoder{
			req: e.req, lost: &e.lost, own: ev.Source == ownDialect,
			id: answerID(append(canonical.Token(nil), ev.ID...)),
		},
		model: append(canonical.Token(nil), ev.Model...), created: ev.Created,
	}
	if ev.Kind == canonical.EventStart && e.answer.own {
		e.answer.kept = cloneFields(ev.Extra)
	} else if ev.Kind == canonical.EventStart {
		loseFields(&e.lost, "", ev.Extra)
	}
	e.w.buf = slices.Grow(e.w.buf, e.answer.size())
	for _, name := range []string{"response.created", "response.in_progress"} {
		e.begin(name)
		e.w.key("response")
		e.answer.write(&e.w, ending{status: statusRunning}, []byte("[]"))
		e.end(name)
	}
}

func cloneFields(list []canonical.Field) []canonical.Field {
	out := make([]canonical.Field, len(list))
	for i, f := range list {
		out[i] = canonical.Field{Name: f.Name, Raw: append(canonical.Raw(nil), f.Raw...)}
	}
	return out
}

// begin starts the data of an event.
func (e *responsesStreamEncoder) begin(name string) {
	e.w.buf = e.w.buf[:0]
	e.w.open('{')
	e.w.text("type", name)
	e.w.number("sequence_number", e.seq)
}

// end gives the event to the client. After an error of the client nothing is given any more.
func (e *responsesStreamEncoder) end(name string) {
	e.w.close('}')
	if e.err != nil {
		return
	}
	e.seq++
	e.err = e.yield(adapters.Event{Type: name, Data: e.w.buf})
}

// beginIn starts the data of an event about an item.
func (e *responsesStreamEncoder) beginIn(name string, it *streamItem) {
	e.begin(name)
	e.w.member("item_id", it.id)
	e.w.number("output_index", int64(it.index))
}

// newItem makes room for an item and finishes the ones before it.
func (e *responsesStreamEncoder) newItem(kind canonical.PartKind) *streamItem {
	e.finish(statusCompleted, nil)
	it := &streamItem{index: len(e.items), kind: kind}
	e.items = append(e.items, it)
	return it
}

// added announces an item; write writes it as it is at its beginning.
func (e *responsesStreamEncoder) added(it *streamItem, write func(w *itemWriter)) {
	e.begin("response.output_item.added")
	e.w.number("output_index", int64(it.index))
	e.w.key("item")
	write(&e.w)
	e.end("response.output_item.added")
}

// finish tells that items are done whose blocks are complete. The last one gets the status that the answer
// has.
func (e *responsesStreamEncoder) finish(status string, keep *streamItem) {
	for i, it := range e.items {
		if it.json != nil || it.open > 0 || it == keep {
			continue
		}
		of := statusCompleted
		if i == len(e.items)-1 {
			of = status
		}
		e.done(it, of)
	}
}

func (e *responsesStreamEncoder) done(it *streamItem, status string) {
	var w itemWriter
	p := &it.parts[0]
	switch it.kind {
	case canonical.PartText:
		e.answer.message(&w, it.parts, it.id, status)
	case canonical.PartThinking:
		e.answer.thought(&w, p, it.id)
	case canonical.PartToolCall:
		e.answer.call(&w, p, it.index, status)
	default:
		w.value(p.Raw)
	}
	it.json = w.buf
	it.parts = nil
	e.begin("response.output_item.done")
	e.w.number("output_index", int64(it.index))
	e.w.member("item", it.json)
	e.end("response.output_item.done")
}

// stop ends a complete answer. Blocks that were left open are closed first.
func (e *responsesStreamEncoder) stop(s canonical.Stop) {
	if s.Reason == canonical.StopFailed {
		e.fail(s.Error)
		return
	}
	for _, b := range e.blocks {
		if b != nil && !b.closed {
			e.close(b, nil)
		}
	}
	end := endOf(s, &e.lost)
	loseUsage(&e.lost, e.foreignUsage())
	e.finish(end.status, nil)
	name := "response.completed"
	if end.status == statusIncomplete {
		name = "response.incomplete"
	}
	e.terminal(name, end)
}

// keepLast takes the members that only the end of an answer tells.
func (e *responsesStreamEncoder) keepLast(fields []canonical.Field) {
	if !e.answer.own {
		loseFields(&e.lost, "", fields)
		return
	}
	for _, f := range fields {
		if f.Name == "service_tier" && isString(f.Raw) {
			e.answer.tier = canonical.Token(f.Raw)
		} else if extra(e.answer.kept, f.Name) == nil {
			e.answer.kept = append(e.answer.kept, f)
		}
	}
}

func (e *responsesStreamEncoder) foreignUsage() *canonical.Usage {
	if e.answer.own {
		return nil
	}
	return e.answer.usage
}

// fail ends an answer that failed, with what was done of it.
func (e *responsesStreamEncoder) fail(err *canonical.Error) {
	if err == nil {
		err = &canonical.Error{}
	}
	e.terminal("response.failed", ending{status: statusFailed, err: err})
}

func (e *responsesStreamEncoder) terminal(name string, end ending) {
	e.ended = true
	var out itemWriter
	out.open('[')
	for _, it := range e.items {
		if it.json != nil {
			out.value(it.json)
		}
	}
	out.close(']')
	e.begin(name)
	e.w.key("response")
	e.answer.write(&e.w, end, out.buf)
	e.end(name)
}
