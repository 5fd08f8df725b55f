package openai

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// responsesStreamDecoder reads a streamed answer. Servers say everything several times, as fragments, as
// whole parts, as whole items and in the whole answer, and leave out one or the other; each text is told
// once, at the first that has it.
type responsesStreamDecoder struct {
	started, ended bool
	calls          bool // there was a call
	next           int  // index of the next block
	items          []*readItem
	yield          func(canonical.Event) error
	err            error
	ev             canonical.Event
	doc            rawjson.Doc
}

// readItem is an item of the output as far as it was read.
type readItem struct {
	index   int64
	indexed bool
	kind    string // function_call and so on; "" if unknown as yet
	id      string
	parts   []*readPart // of a message, by content index; other items have one
	done    bool
	kept    []canonical.Field // of a message, as its first part has them
}

// readPart is a block that is being read.
type readPart struct {
	part    canonical.Part // its kind, and what is known of it at the start
	block   int
	begun   bool
	closed  bool
	told    bool // some of its text
	summary int64
	sources int
}

// streamEvent has the members of an event that are of use.
type streamEvent struct {
	name, itemID                           canonical.Token
	output, content, summary               int64
	hasOutput                              bool
	delta, text, arguments, input, refusal canonical.Token
	logprobs                               canonical.Raw
	item, part, response, annotation, err  []byte
}

// Decode takes one event.
func (d *responsesStreamDecoder) Decode(ev adapters.Event, yield func(canonical.Event) error) error {
	if d.ended || d.err != nil {
		return d.err
	}
	data := bytes.TrimSpace(ev.Data)
	if len(data) == 0 || data[0] != '{' { // [DONE] of servers that speak Chat, too
		return nil
	}
	if d.err = scan(&d.doc, data); d.err != nil {
		return d.err
	}
	d.yield = yield
	var s streamEvent
	s.read(data)
	name := ev.Type
	if name == "" || name == "message" {
		name = string(inner(s.name))
	}
	d.event(name, &s, data)
	return d.err
}

// End tells whether the answer was complete.
func (d *responsesStreamDecoder) End(func(canonical.Event) error) error {
	if d.err != nil || d.ended {
		return d.err
	}
	return adapters.ErrStreamCut
}

// read takes the members that are of use.
func (s *streamEvent) read(data []byte) {
	for key, value := range rawjson.Members(data) {
		name := nameOf(key)
		if s.place(name, value) {
			continue
		}
		switch string(name) {
		case "item":
			s.item = value
		case "part":
			s.part = value
		case "response":
			s.response = value
		case "annotation":
			s.annotation = value
		case "logprobs":
			s.logprobs = listOf(value)
		case "error":
			s.err = value
		default:
			if to := s.textAt(name); to != nil {
				*to = lenientString(value)
			}
		}
	}
}

// place takes a member that says where in the output the event belongs.
func (s *streamEvent) place(name, value []byte) bool {
	switch string(name) {
	case "output_index":
		s.output, s.hasOutput = rawjson.Int(value)
	case "content_index":
		s.content, _ = rawjson.Int(value)
	case "summary_index":
		s.summary, _ = rawjson.Int(value)
	default:
		return false
	}
	return true
}

// textAt gives the place of a member that is a string.
func (s *streamEvent) textAt(name []byte) *canonical.Token {
	switch string(name) {
	case "type":
		return &s.name
	case "item_id":
		return &s.itemID
	case "delta":
		return &s.delta
	case "text":
		return &s.text
	case "arguments":
		return &s.arguments
	case "input":
		return &s.input
	case "refusal":
		return &s.refusal
	default:
		return nil
	}
}

// event tells events apart. Those that are not known say nothing that the end of their item does not say
// again.
func (d *responsesStreamDecoder) event(name string, s *streamEvent, data []byte) {
	switch name {
	case "response.created", "response.in_progress", "response.queued":
		d.start(s.response)
	case "response.output_item.added":
		d.added(s)
	case "response.output_item.done":
		d.itemDone(d.find(s, lenientString(find(s.item, "id"))), s.item)
	case "response.content_part.added":
		d.partAdded(s)
	case "response.content_part.done":
		d.partDone(s)
	case "response.completed", "response.incomplete", "response.done":
		d.complete(s.response)
	case "response.failed":
		d.failed(s.response)
	case "error", "response.error":
		d.fail(streamError(s, data))
	case "":
		if isObject(s.err) || isString(s.err) {
			d.fail(streamError(s, data))
		}
	default:
		d.fragment(name, s)
	}
}

// fragment reads the events that bring text.
func (d *responsesStreamDecoder) fragment(name string, s *streamEvent) {
	switch name {
	case "response.output_text.delta":
		d.tellProbable(d.said(s, canonical.PartText), s)
	case "response.output_text.done":
		d.tellWhole(d.said(s, canonical.PartText), s.text)
	case "response.output_text.annotation.added":
		d.source(d.said(s, canonical.PartText), s.annotation)
	case "response.refusal.delta":
		d.tell(d.said(s, canonical.PartRefusal), s.delta)
	case "response.refusal.done":
		d.tellWhole(d.said(s, canonical.PartRefusal), s.refusal)
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		d.tell(d.called(s), s.delta)
	case "response.function_call_arguments.done":
		d.tellWhole(d.called(s), s.arguments)
	case "response.custom_tool_call_input.done":
		d.tellWhole(d.called(s), s.input)
	case "response.reasoning_summary_part.added":
		d.summaryPart(s)
	case "response.reasoning_summary_text.delta", "response.reasoning_summary.delta":
		d.tell(d.thought(s, false), s.delta)
	case "response.reasoning_summary_text.done", "response.reasoning_summary.done":
		d.tellWhole(d.thought(s, false), s.text)
	case "response.reasoning_text.delta":
		d.tell(d.thought(s, true), s.delta)
	case "response.reasoning_text.done":
		d.tellWhole(d.thought(s, true), s.text)
	}
}

// emit gives an event on. After an error nothing is given any more.
func (d *responsesStreamDecoder) emit() {
	if d.err == nil {
		d.err = d.yield(d.ev)
	}
}

// start begins the answer, once, with what the event knows of it.
func (d *responsesStreamDecoder) start(response []byte) {
	if d.started {
		return
	}
	d.started = true
	d.ev = canonical.Event{
		Kind: canonical.EventStart, Source: ownDialect,
		ID: lenientString(find(response, "id")), Model: lenientString(find(response, "model")),
		Created: seconds(find(response, "created_at")), Usage: parseUsage(find(response, "usage")),
	}
	d.emit()
}

// complete ends the answer. What its items never told is told now.
func (d *responsesStreamDecoder) complete(response []byte) {
	if is(find(response, "status"), statusFailed) {
		d.failed(response)
		return
	}
	d.start(response)
	d.rest(find(response, "output"))
	for _, it := range d.items {
		d.closeItem(it, nil)
	}
	if d.err != nil {
		return
	}
	d.ended = true
	usage := parseUsage(find(response, "usage"))
	d.ev = canonical.Event{
		Kind: canonical.EventStop, Stop: parseStop(response, d.calls), Usage: usage, Extra: keptMembers(response),
	}
	d.emit()
}

// keptMembers are the members of an answer that have no place in the events.
func keptMembers(response []byte) []canonical.Field {
	var kept []canonical.Field
	for key, value := range rawjson.Members(response) {
		name := nameOf(key)
		switch string(name) {
		case "object", "status", "error", "incomplete_details", "id", "model", "created_at", "usage", "output":
		default:
			if !repeatsRequest(name) && string(value) != "null" {
				keep(&kept, name, value)
			}
		}
	}
	return kept
}

// rest reads the output of a whole answer for items that came by no event of their own. An item is known by
// its place, and by its id where servers leave other items out.
func (d *responsesStreamDecoder) rest(output []byte) {
	i := int64(0)
	for item := range rawjson.Elements(output) {
		id := string(inner(lenientString(find(item, "id"))))
		kind := string(inner(lenientString(find(item, "type"))))
		it := d.known(i, id, kind)
		if it == nil {
			it = &readItem{index: i, indexed: true, id: id, kind: kind}
			d.items = append(d.items, it)
		}
		d.itemDone(it, item)
		i++
	}
}

func (d *responsesStreamDecoder) known(index int64, id, kind string) *readItem {
	if id != "" {
		for _, it := range d.items {
			if it.id == id {
				return it
			}
		}
	}
	for n, it := range d.items {
		at := int64(n)
		if it.indexed {
			at = it.index
		}
		if at == index && (it.kind == kind || it.kind == "") {
			return it
		}
	}
	return nil
}

func (d *responsesStreamDecoder) failed(response []byte) {
	e := failureOf(response)
	if d.started { // else nothing has begun that would have to be ended
		d.failUsage(parseUsage(find(response, "usage")))
	}
	d.fail(e)
}

func (d *responsesStreamDecoder) failUsage(u *canonical.Usage) {
	if u == nil {
		return
	}
	d.ev = canonical.Event{Kind: canonical.EventUsage, Usage: u}
	d.emit()
}

func (d *responsesStreamDecoder) fail(e *canonical.Error) {
	if d.err != nil {
		return
	}
	d.ended = true
	d.ev = canonical.Event{Kind: canonical.EventError, Error: e}
	d.emit()
}

// streamError reads an error event: the error is the event itself, or inside it.
func streamError(s *streamEvent, data []byte) *canonical.Error {
	e := decodeError(data)
	if !isObject(s.err) && !isString(s.err) {
		word := e.Code.String()
		e.Type = errorKind("", word, e.Status) // the event's type is no error's
	}
	if e.Type == "" {
		e.Type = "api_error"
	}
	if e.Message == nil {
		e.Message = canonical.NewToken("the response failed")
	}
	return e
}
