package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// streamBlock is a block that is being told.
type streamBlock struct {
	item    *streamItem
	place   int // of its part in the item: content_index or summary_index
	part    canonical.Part
	text    []byte // what came so far, without quotes
	began   bool   // its part was announced
	custom  bool
	wrapped bool // a free-form text inside JSON, which cannot be told before it is complete
	closed  bool
	skipped bool // nothing of it can be told
	sources itemWriter
	count   int           // of sources
	likely  canonical.Raw // probabilities of the fragment at hand
	chances itemWriter    // of all
}

// block gives the block of an event, or nil.
func (e *responsesStreamEncoder) block(index int) *streamBlock {
	if index < 0 || index >= len(e.blocks) || e.blocks[index] == nil || e.blocks[index].closed {
		return nil
	}
	return e.blocks[index]
}

// maxBlocks bounds how many blocks are remembered, whatever indexes a source counts to.
const maxBlocks = 1 << 16

func (e *responsesStreamEncoder) blockStart(ev *canonical.Event) {
	if ev.Part == nil || ev.Index < 0 || ev.Index >= maxBlocks {
		return
	}
	if old := e.block(ev.Index); old != nil {
		e.close(old, nil)
	}
	for len(e.blocks) <= ev.Index {
		e.blocks = append(e.blocks, nil)
	}
	b := &streamBlock{part: clonePart(ev.Part)}
	e.blocks[ev.Index] = b
	first := b.part.Text
	b.part.Text = nil
	switch b.part.Kind {
	case canonical.PartText, canonical.PartRefusal:
		e.openSaid(b)
	case canonical.PartThinking, canonical.PartRedacted:
		e.openThought(b)
	case canonical.PartToolCall:
		e.openCall(b)
	case canonical.PartOpaque:
		e.openOpaque(b)
	default:
		b.skipped = true
		e.lost.Add(b.part.Path, "no such item in this dialect")
	}
	if b.item != nil {
		b.item.open++
	}
	if !first.Empty() {
		e.tell(b, first)
	}
}

// clonePart copies what is needed of a part after its event.
func clonePart(p *canonical.Part) canonical.Part {
	out := canonical.Part{
		Kind: p.Kind, Verbatim: p.Verbatim, Item: p.Item, Type: p.Type, Path: p.Path,
		Text: cloneToken(p.Text), ID: cloneToken(p.ID), Signature: cloneToken(p.Signature),
		Encrypted: cloneToken(p.Encrypted), Raw: canonical.Raw(cloneToken(canonical.Token(p.Raw))),
		Extra: cloneFields(p.Extra),
	}
	if p.Call != nil {
		c := *p.Call
		c.ID, c.Name, c.Args.String = cloneToken(c.ID), cloneToken(c.Name), cloneToken(c.Args.String)
		c.Args.Object = canonical.Raw(cloneToken(canonical.Token(c.Args.Object)))
		c.Extra = cloneFields(c.Extra)
		out.Call = &c
	}
	return out
}

func cloneToken(t canonical.Token) canonical.Token {
	if t == nil {
		return nil
	}
	return append(make(canonical.Token, 0, len(t)), t...)
}

// openSaid begins a part of a message: of the last one, unless it has another id or something came between.
func (e *responsesStreamEncoder) openSaid(b *streamBlock) {
	var it *streamItem
	if n := len(e.items); n > 0 {
		if last := e.items[n-1]; last.kind == canonical.PartText && last.json == nil &&
			string(last.key) == string(b.part.ID) {
			it = last
		}
	}
	if it == nil {
		it = e.newItem(canonical.PartText)
		it.key = b.part.ID
		it.id = e.answer.itemID(prefixMessage, b.part.ID, it.index)
		e.added(it, func(w *itemWriter) {
			w.open('{')
			w.member("id", it.id)
			w.text("type", "message")
			w.text("status", statusRunning)
			w.text("role", "assistant")
			w.value([]byte(`"content":[]`))
			w.close('}')
		})
	}
	b.item = it
	b.place = len(it.parts)
	it.parts = append(it.parts, canonical.Part{Kind: b.part.Kind})
	empty := `{"type":"output_text","annotations":[],"logprobs":[],"text":""}`
	if b.part.Kind == canonical.PartRefusal {
		empty = `{"type":"refusal","refusal":""}`
	}
	e.partEvent("response.content_part.added", "content_index", b, []byte(empty))
}

// partEvent tells about a part of an item.
func (e *responsesStreamEncoder) partEvent(name, index string, b *streamBlock, part []byte) {
	e.beginIn(name, b.item)
	e.w.number(index, int64(b.place))
	e.w.member("part", part)
	e.end(name)
}

func (e *responsesStreamEncoder) openThought(b *streamBlock) {
	b.item = e.newItem(canonical.PartThinking)
	b.item.id = e.answer.itemID(prefixReasoning, b.part.ID, b.item.index)
	e.added(b.item, func(w *itemWriter) {
		w.open('{')
		w.member("id", b.item.id)
		w.text("type", "reasoning")
		w.value([]byte(`"summary":[]`))
		w.close('}')
	})
}

func (e *responsesStreamEncoder) openCall(b *streamBlock) {
	if b.part.Call == nil {
		b.part.Call = &canonical.ToolCall{}
	}
	c := b.part.Call
	b.custom = e.answer.isCustom(c)
	b.wrapped = b.custom && !c.Custom
	prefix := prefixCall
	if b.custom {
		prefix = prefixCustom
	}
	b.item = e.newItem(canonical.PartToolCall)
	b.item.id = e.answer.callItemID(&b.part, prefix, b.item.index)
	e.added(b.item, func(w *itemWriter) {
		running := canonical.Token(`"` + statusRunning + `"`)
		e.answer.callItem(w, &b.part, b.item.id, canonical.Token(`""`), b.custom, running)
	})
}

// openOpaque tells an item that is kept as it is. Its beginning is all of it.
func (e *responsesStreamEncoder) openOpaque(b *streamBlock) {
	if !b.part.Item || b.part.Raw == nil {
		b.skipped = true
		e.lost.Add(b.part.Path, "no such item in this dialect")
		return
	}
	b.item = e.newItem(canonical.PartOpaque)
	b.item.id = canonical.Token(find(b.part.Raw, "id"))
	e.added(b.item, func(w *itemWriter) { w.value(b.part.Raw) })
}

func (e *responsesStreamEncoder) delta(ev *canonical.Event) {
	b := e.block(ev.Index)
	if b == nil || b.skipped {
		return
	}
	if unknownPiece(ev) {
		e.lost.Add(at("content", ev.Index), "a piece of an unknown kind: "+ev.Part.Type)
		return
	}
	losePiece(&e.lost, ev)
	if !ev.Signature.Empty() {
		b.part.Signature = quote(inner(b.part.Signature), inner(ev.Signature))
	}
	if ev.Citation != nil {
		e.source(b, ev.Citation)
	}
	if ev.Break && b.part.Kind == canonical.PartThinking {
		e.closeThought(b)
		b.place++
		return
	}
	if !ev.Delta.Empty() {
		b.weigh(ev.Part)
		e.tell(b, ev.Delta)
		b.likely = nil
	}
}

// weigh takes the probabilities of a fragment, which Chat has in an object of their own.
func (b *streamBlock) weigh(p *canonical.Part) {
	if p == nil || b.part.Kind != canonical.PartText {
		return
	}
	b.likely = p.Logprobs
	if isObject(b.likely) {
		b.likely = find(b.likely, "content")
	}
	for raw := range rawjson.Elements(b.likely) {
		if len(b.chances.buf) == 0 {
			b.chances.open('[')
		}
		b.chances.value(raw)
	}
}

// source tells one source of a text.
func (e *responsesStreamEncoder) source(b *streamBlock, citation canonical.Raw) {
	if b.part.Kind != canonical.PartText {
		return
	}
	b.part.Text = quote(b.text)
	if len(b.sources.buf) == 0 {
		b.sources.open('[')
	}
	before := len(b.sources.buf)
	e.answer.annotation(&b.sources, citation, &b.part)
	if len(b.sources.buf) == before {
		return
	}
	written := b.sources.buf[before:]
	if written[0] == ',' {
		written = written[1:]
	}
	const name = "response.output_text.annotation.added"
	e.beginIn(name, b.item)
	e.w.number("content_index", int64(b.place))
	e.w.number("annotation_index", int64(b.count))
	e.w.member("annotation", written)
	e.end(name)
	b.count++
}

// tell tells a fragment of a block.
func (e *responsesStreamEncoder) tell(b *streamBlock, delta canonical.Token) {
	b.text = append(b.text, inner(delta)...)
	switch b.part.Kind {
	case canonical.PartText:
		e.fragment("response.output_text.delta", "content_index", b, delta)
	case canonical.PartRefusal:
		e.fragment("response.refusal.delta", "content_index", b, delta)
	case canonical.PartThinking:
		e.beginThought(b)
		if b.part.Verbatim {
			e.fragment("response.reasoning_text.delta", "content_index", b, delta)
		} else {
			e.fragment("response.reasoning_summary_text.delta", "summary_index", b, delta)
		}
	case canonical.PartToolCall:
		if !b.wrapped {
			e.argument(b, delta)
		}
	default:
	}
}

func (e *responsesStreamEncoder) argument(b *streamBlock, delta canonical.Token) {
	name := "response.function_call_arguments.delta"
	if b.custom {
		name = "response.custom_tool_call_input.delta"
	}
	e.fragment(name, "", b, delta)
}

func (e *responsesStreamEncoder) fragment(name, index string, b *streamBlock, delta canonical.Token) {
	e.beginIn(name, b.item)
	if index != "" {
		e.w.number(index, int64(b.place))
	}
	e.w.member("delta", delta)
	if b.part.Kind == canonical.PartText {
		e.w.memberOr("logprobs", b.likely, "[]")
	}
	e.end(name)
}

// beginThought announces a part of a summary, or the reasoning itself.
func (e *responsesStreamEncoder) beginThought(b *streamBlock) {
	if b.began {
		return
	}
	b.began = true
	if b.part.Verbatim {
		e.partEvent("response.content_part.added", "content_index", b, []byte(`{"type":"reasoning_text","text":""}`))
		return
	}
	e.partEvent("response.reasoning_summary_part.added", "summary_index", b,
		[]byte(`{"type":"summary_text","text":""}`))
}

func (e *responsesStreamEncoder) blockStop(ev *canonical.Event) {
	if b := e.block(ev.Index); b != nil {
		e.close(b, ev.Part)
	}
}

// hasArguments tells whether a call came with arguments at once.
func hasArguments(c *canonical.ToolCall) bool {
	return c != nil && (!c.Args.String.Empty() || len(c.Args.Object) > 0 && !isNull(c.Args.Object))
}

// missingSources tells the sources that only the end of a block has told.
func (e *responsesStreamEncoder) missingSources(b *streamBlock, all canonical.Raw) {
	i := 0
	for c := range rawjson.Elements(all) {
		if i >= b.count {
			e.source(b, c)
		}
		i++
	}
}
