package openai

import (
	"slices"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// maxParts bounds how many parts of an item are told apart, whatever index a server counts to.
const maxParts = 1 << 12

// find gives the item that an event is about, and makes it if it is new. Its place counts; servers without
// one name the item's id, and those with neither mean the item that came last.
func (d *responsesStreamDecoder) find(s *streamEvent, id canonical.Token) *readItem {
	if id == nil {
		id = s.itemID
	}
	name := inner(id)
	for _, it := range slices.Backward(d.items) {
		switch {
		case s.hasOutput && it.indexed:
			if it.index == s.output {
				return it
			}
		case len(name) > 0 && it.id != "":
			if it.id == string(name) {
				return it
			}
		case !it.done:
			return it
		}
	}
	it := &readItem{index: s.output, indexed: s.hasOutput, id: string(name)}
	d.items = append(d.items, it)
	return it
}

// added begins an item. Calls are told at once; messages and thoughts when there is something in them.
func (d *responsesStreamDecoder) added(s *streamEvent) {
	d.start(nil)
	it := d.find(s, lenientString(find(s.item, "id")))
	if it.kind != "" || it.done {
		return
	}
	it.kind = string(inner(lenientString(find(s.item, "type"))))
	switch it.kind {
	case "function_call", "custom_tool_call":
		if !lenientString(find(s.item, "name")).Empty() { // else the end of the item may tell it
			d.beginCall(it, s.item)
		}
	case "message":
		it.keep(s.item)
	}
}

// keep takes the members of a message item that have no place of their own.
func (it *readItem) keep(item []byte) {
	it.kept = it.kept[:0]
	for key, value := range rawjson.Members(item) {
		switch name := nameOf(key); string(name) {
		case "type", "role", "content", "id", "status":
		default:
			keep(&it.kept, append([]byte(insideMessage), name...), append([]byte(nil), value...))
		}
	}
}

// beginCall begins the block of a call.
func (d *responsesStreamDecoder) beginCall(it *readItem, item []byte) *readPart {
	p := it.only()
	if p.begun {
		return p
	}
	c := canonical.ToolCall{
		ID: lenientString(find(item, "call_id")), Name: lenientString(find(item, "name")),
		Custom: it.kind == "custom_tool_call",
	}
	if c.ID == nil {
		c.ID = lenientString(find(item, "id"))
	}
	if c.Name.Empty() && d.err == nil {
		d.err = invalid("item.name", "is missing")
		return p
	}
	p.part = canonical.Part{Kind: canonical.PartToolCall, ID: lenientString(find(item, "id")), Call: &c}
	d.calls = true
	d.begin(it, p)
	return p
}

// begin tells that a block starts. What is remembered of it does not refer to the event.
func (d *responsesStreamDecoder) begin(it *readItem, p *readPart) {
	p.begun = true
	p.block = d.next
	d.next++
	first := p.part
	if first.Path == "" {
		first.Path = at("output", int(it.index))
	}
	d.ev = canonical.Event{Kind: canonical.EventBlockStart, Index: p.block, Part: &first}
	d.emit()
	p.part = canonical.Part{Kind: first.Kind, Verbatim: first.Verbatim, Path: first.Path}
}

// only gives the one part of an item that is no message.
func (it *readItem) only() *readPart { return it.at(0) }

// begun tells whether something of the item was told.
func (it *readItem) begun() bool {
	return slices.ContainsFunc(it.parts, func(p *readPart) bool { return p.begun })
}

func (it *readItem) at(i int64) *readPart {
	if i < 0 || i >= maxParts {
		i = 0
	}
	for int64(len(it.parts)) <= i {
		it.parts = append(it.parts, &readPart{})
	}
	return it.parts[i]
}

// said gives the part of a message that an event is about, and begins it if it is new.
func (d *responsesStreamDecoder) said(s *streamEvent, kind canonical.PartKind) *readPart {
	it := d.find(s, nil)
	if it.kind == "" {
		it.kind = "message"
	}
	if it.done || it.kind != "message" {
		return nil
	}
	return d.saidAt(it, s.content, kind)
}

func (d *responsesStreamDecoder) saidAt(it *readItem, i int64, kind canonical.PartKind) *readPart {
	d.start(nil)
	p := it.at(i)
	if !p.begun {
		p.part = canonical.Part{Kind: kind, ID: idToken(it.id), Extra: it.keptAt(i)}
		p.part.Path = at(at("output", int(it.index))+".content", int(i))
		d.begin(it, p)
	}
	return p
}

// keptAt gives what the message of a part has besides, if the part is the first.
func (it *readItem) keptAt(i int64) []canonical.Field {
	if i != 0 {
		return nil
	}
	return slices.Clone(it.kept)
}

// idToken gives the token of an id that was kept without its quotes.
func idToken(id string) canonical.Token {
	if id == "" {
		return nil
	}
	return quote([]byte(id))
}

// called gives the call that an event is about. Its name must have been told.
func (d *responsesStreamDecoder) called(s *streamEvent) *readPart {
	it := d.find(s, nil)
	if it.done || len(it.parts) == 0 {
		return nil
	}
	return it.parts[0]
}

// thought gives the thought that an event is about. One whose summary is told does not tell the reasoning as
// well, and the other way round. A further part of a summary begins with a break.
func (d *responsesStreamDecoder) thought(s *streamEvent, verbatim bool) *readPart {
	d.start(nil)
	it := d.find(s, nil)
	if it.kind == "" {
		it.kind = "reasoning"
	}
	if it.done || it.kind != "reasoning" {
		return nil
	}
	p := it.only()
	if !p.begun {
		d.beginThought(it, canonical.PartThinking, verbatim)
	}
	if p.part.Verbatim != verbatim {
		return nil
	}
	place := s.summary
	if verbatim {
		place = s.content
	}
	d.breakAt(p, place)
	return p
}

func (d *responsesStreamDecoder) beginThought(it *readItem, kind canonical.PartKind, verbatim bool) {
	p := it.only()
	p.part = canonical.Part{Kind: kind, ID: idToken(it.id), Verbatim: verbatim}
	d.begin(it, p)
}

// breakAt parts two parts of a summary.
func (d *responsesStreamDecoder) breakAt(p *readPart, place int64) {
	if place <= p.summary {
		return
	}
	broken := p.told
	p.summary, p.told = place, false
	if !broken {
		return
	}
	d.ev = canonical.Event{
		Kind: canonical.EventDelta, Index: p.block, Part: &p.part, Delta: canonical.Token(`"\n\n"`), Break: true,
	}
	d.emit()
}

func (d *responsesStreamDecoder) summaryPart(s *streamEvent) {
	d.tell(d.thought(s, false), lenientString(find(s.part, "text")))
}

// tell gives a fragment of a block on.
func (d *responsesStreamDecoder) tell(p *readPart, delta canonical.Token) {
	if p == nil || p.closed || delta.Empty() {
		return
	}
	p.told = true
	d.ev = canonical.Event{Kind: canonical.EventDelta, Index: p.block, Part: &p.part, Delta: delta}
	d.emit()
}

// tellProbable gives a fragment of text on, with its probabilities.
func (d *responsesStreamDecoder) tellProbable(p *readPart, s *streamEvent) {
	if p == nil {
		return
	}
	p.part.Logprobs = s.logprobs
	d.tell(p, s.delta)
	p.part.Logprobs = nil
}

// tellWhole gives a whole text on, unless fragments of it were.
func (d *responsesStreamDecoder) tellWhole(p *readPart, text canonical.Token) {
	if p != nil && !p.told {
		d.tell(p, text)
	}
}

func (d *responsesStreamDecoder) source(p *readPart, annotation []byte) {
	if p == nil || p.closed || !isObject(annotation) {
		return
	}
	p.sources++
	d.ev = canonical.Event{Kind: canonical.EventDelta, Index: p.block, Part: &p.part, Citation: annotation}
	d.emit()
}

// partAdded begins a part of a message.
func (d *responsesStreamDecoder) partAdded(s *streamEvent) {
	switch typ := lenientString(find(s.part, "type")); {
	case is(typ, "output_text"):
		d.said(s, canonical.PartText)
	case is(typ, "refusal"):
		d.said(s, canonical.PartRefusal)
	}
}

// partDone ends a part of a message.
func (d *responsesStreamDecoder) partDone(s *streamEvent) {
	it := d.find(s, nil)
	if it.done || it.kind != "message" && it.kind != "" {
		return
	}
	it.kind = "message"
	d.wholePart(it, s.content, s.part)
}

// wholePart tells what is new in a part of a message, and closes it.
func (d *responsesStreamDecoder) wholePart(it *readItem, i int64, part []byte) {
	p := it.at(i)
	if p.closed {
		return
	}
	kind, text := canonical.PartText, lenientString(find(part, "text"))
	switch typ := lenientString(find(part, "type")); {
	case is(typ, "refusal"):
		kind, text = canonical.PartRefusal, lenientString(find(part, "refusal"))
	case !is(typ, "output_text") && !is(typ, "text"):
		return
	}
	d.saidAt(it, i, kind)
	d.tellWhole(p, text)
	n := 0
	for source := range rawjson.Elements(find(part, "annotations")) {
		if n >= p.sources {
			d.source(p, source)
		}
		n++
	}
	last := canonical.Part{Kind: kind, Logprobs: listOf(find(part, "logprobs"))}
	if whole, err := parsePart(part, ""); err == nil && len(whole.Extra) > 0 {
		last.Extra = append(it.keptAt(i), whole.Extra...)
	}
	d.close(p, &last)
}

// close ends a block.
func (d *responsesStreamDecoder) close(p *readPart, last *canonical.Part) {
	if !p.begun || p.closed {
		return
	}
	p.closed = true
	d.ev = canonical.Event{Kind: canonical.EventBlockStop, Index: p.block, Part: last}
	d.emit()
}

// itemDone tells what is new in a whole item, and closes it.
func (d *responsesStreamDecoder) itemDone(it *readItem, item []byte) {
	if it.done || !isObject(item) {
		return
	}
	d.start(nil)
	status := lenientString(find(item, "status"))
	kind := string(inner(lenientString(find(item, "type"))))
	if it.begun() && it.kind != kind { // what was told stands
		d.closeItem(it, status)
		return
	}
	it.kind = kind
	switch it.kind {
	case "":
	case "message":
		if !it.begun() {
			it.keep(item)
		}
		i := int64(0)
		for part := range rawjson.Elements(find(item, "content")) {
			d.wholePart(it, i, part)
			i++
		}
	case "reasoning":
		d.wholeThought(it, item)
	case "function_call", "custom_tool_call":
		d.wholeCall(it, item)
	default:
		d.opaqueItem(it, item)
	}
	d.closeItem(it, status)
}

// closeItem ends the blocks of an item that are open still.
func (d *responsesStreamDecoder) closeItem(it *readItem, status canonical.Token) {
	if it.done {
		return
	}
	it.done = true
	for _, p := range it.parts {
		d.close(p, &canonical.Part{Kind: p.part.Kind, Status: status})
	}
}

// wholeThought tells what is new in a reasoning item.
func (d *responsesStreamDecoder) wholeThought(it *readItem, item []byte) {
	whole, err := parseThought(item, "")
	if err != nil {
		whole = canonical.Part{Kind: canonical.PartThinking}
	}
	p := it.only()
	if !p.begun {
		if it.id == "" {
			it.id = string(inner(whole.ID))
		}
		d.beginThought(it, whole.Kind, whole.Verbatim)
	}
	if p.part.Verbatim == whole.Verbatim {
		d.wholeSummary(p, &whole)
	}
	whole.Kind = p.part.Kind
	d.close(p, &whole)
}

// wholeSummary tells the parts of a summary of which nothing was told.
func (d *responsesStreamDecoder) wholeSummary(p *readPart, whole *canonical.Part) {
	texts := whole.Summary
	if texts == nil {
		texts = []canonical.Token{whole.Text}
	}
	for i, text := range texts {
		if int64(i) < p.summary {
			continue
		}
		d.breakAt(p, int64(i))
		d.tellWhole(p, text)
	}
}

// wholeCall tells what is new in a call.
func (d *responsesStreamDecoder) wholeCall(it *readItem, item []byte) {
	p := d.beginCall(it, item)
	args := lenientString(find(item, "arguments"))
	if it.kind == "custom_tool_call" {
		args = lenientString(find(item, "input"))
	}
	d.tellWhole(p, args)
	whole, err := parseCall(item, "", it.kind == "custom_tool_call")
	if err != nil {
		whole = canonical.Part{Kind: canonical.PartToolCall}
	}
	d.close(p, &whole)
}

// opaqueItem tells an item that is kept as it is.
func (d *responsesStreamDecoder) opaqueItem(it *readItem, item []byte) {
	p := it.only()
	if p.begun {
		return
	}
	p.part = canonical.Part{Kind: canonical.PartOpaque, Item: true, Type: it.kind, Raw: item}
	d.begin(it, p)
	d.close(p, nil)
}
