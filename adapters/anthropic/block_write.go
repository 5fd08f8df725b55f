package anthropic

import "github.com/ccproxy-go/ccproxy/adapters/canonical"

// writeStart writes content_block_start. What a block is made of comes in fragments afterwards.
func (e *streamEncoder) writeStart(b *outBlock, yield eventFunc) error {
	b.written = true
	p := b.part
	e.begin("content_block_start")
	e.w.integer("index", int64(e.next))
	e.next++
	e.w.key("content_block")
	switch p.Kind {
	case canonical.PartRefusal:
		e.refused = true
		e.emptyText("text", "text", p.Extra)
	case canonical.PartText:
		e.emptyText("text", "text", p.Extra)
	case canonical.PartThinking:
		e.emptyText("thinking", "thinking", p.Extra)
	case canonical.PartToolCall:
		e.called = true
		call := *p.Call
		call.Args = canonical.Args{Object: canonical.Raw("{}")}
		p.Call = &call
		e.call(&p)
	default:
		e.part(&p)
	}
	return e.emit("content_block_start", yield)
}

// emptyText writes a block without its text.
func (e *streamEncoder) emptyText(typ, name string, more []canonical.Field) {
	e.w.open('{')
	e.w.word("type", typ)
	e.w.word(name, "")
	if typ == "thinking" {
		e.w.word("signature", "")
	}
	e.extras(more, "content")
	e.w.shut('}')
}

// beginDelta starts a content_block_delta of the block that is being written.
func (e *streamEncoder) beginDelta() {
	e.begin("content_block_delta")
	e.w.integer("index", int64(e.next-1))
	e.w.key("delta")
}

// writeText writes a fragment of text or arguments.
func (e *streamEncoder) writeText(
	b *outBlock, text canonical.Token, more []canonical.Field, yield eventFunc,
) error {
	e.beginDelta()
	e.w.open('{')
	switch b.part.Kind {
	case canonical.PartThinking:
		e.w.word("type", "thinking_delta")
		e.w.token("thinking", text)
	case canonical.PartToolCall:
		e.w.word("type", "input_json_delta")
		e.w.token("partial_json", text)
	default:
		e.w.word("type", "text_delta")
		e.w.token("text", text)
	}
	e.extras(more, "content")
	e.w.shut('}')
	return e.emit("content_block_delta", yield)
}

func (e *streamEncoder) writeSignature(signature canonical.Token, yield eventFunc) error {
	e.beginDelta()
	e.w.open('{')
	e.w.word("type", "signature_delta")
	e.w.token("signature", signature)
	e.w.shut('}')
	return e.emit("content_block_delta", yield)
}

// writeOther writes a delta as it was.
func (e *streamEncoder) writeOther(delta []byte, yield eventFunc) error {
	e.beginDelta()
	e.w.value(delta)
	return e.emit("content_block_delta", yield)
}
