package openai

import "github.com/ccproxy-go/ccproxy/adapters/canonical"

// close tells that a block is complete; last holds what only its end tells and may be nil.
func (e *responsesStreamEncoder) close(b *streamBlock, last *canonical.Part) {
	b.closed = true
	if b.skipped || b.item == nil {
		return
	}
	b.item.open--
	if last != nil {
		e.adopt(b, last)
	}
	switch b.part.Kind {
	case canonical.PartText, canonical.PartRefusal:
		e.closeSaid(b)
	case canonical.PartToolCall:
		e.closeCall(b)
	case canonical.PartThinking, canonical.PartRedacted:
		e.closeThought(b)
		if len(b.part.Summary) == 1 {
			b.part.Text, b.part.Summary = b.part.Summary[0], nil
		}
		b.item.parts = append(b.item.parts, b.part)
	default:
		b.item.parts = append(b.item.parts, b.part)
	}
}

// adopt takes what the end of a block says. A text that did not come in fragments is told whole.
func (e *responsesStreamEncoder) adopt(b *streamBlock, last *canonical.Part) {
	if last.Signature != nil {
		b.part.Signature = cloneToken(last.Signature)
	}
	if last.Encrypted != nil {
		b.part.Encrypted = cloneToken(last.Encrypted)
	}
	if last.Logprobs != nil {
		b.part.Logprobs = canonical.Raw(cloneToken(canonical.Token(last.Logprobs)))
	}
	if last.Status != nil {
		b.part.Status = cloneToken(last.Status)
	}
	if len(last.Extra) > 0 {
		b.part.Extra = cloneFields(last.Extra)
	}
	if last.Raw != nil {
		b.part.Raw = canonical.Raw(cloneToken(canonical.Token(last.Raw)))
	}
	if hasArguments(last.Call) {
		args := clonePart(last).Call.Args
		b.part.Call.Args = args
	}
	if len(b.text) == 0 && !b.began && b.part.Kind != canonical.PartToolCall {
		e.whole(b, last)
	}
	e.missingSources(b, last.Citations)
}

// whole tells a text that came at the end of its block only.
func (e *responsesStreamEncoder) whole(b *streamBlock, last *canonical.Part) {
	for i, text := range last.Summary {
		if i > 0 {
			e.closeThought(b)
			b.place++
		}
		e.tell(b, text)
	}
	if !last.Text.Empty() {
		e.tell(b, last.Text)
	}
}

// closeSaid ends a part of a message.
func (e *responsesStreamEncoder) closeSaid(b *streamBlock) {
	b.part.Text = quote(b.text)
	if len(b.sources.buf) > 0 {
		b.sources.close(']')
		b.part.Citations = canonical.Raw(b.sources.buf)
	}
	if len(b.chances.buf) > 0 && b.part.Logprobs == nil {
		b.chances.close(']')
		b.part.Logprobs = canonical.Raw(b.chances.buf)
	}
	name, member := "response.output_text.done", "text"
	if b.part.Kind == canonical.PartRefusal {
		name, member = "response.refusal.done", "refusal"
	}
	e.beginIn(name, b.item)
	e.w.number("content_index", int64(b.place))
	e.w.member(member, b.part.Text)
	if b.part.Kind == canonical.PartText {
		e.w.memberOr("logprobs", b.part.Logprobs, "[]")
	}
	e.end(name)
	var w itemWriter
	e.answer.said(&w, &b.part)
	e.partEvent("response.content_part.done", "content_index", b, w.buf)
	if !e.answer.own {
		b.part.Extra = nil // reported as lost by now
	}
	b.item.parts[b.place] = b.part
}

// closeThought ends a part of a summary, or the reasoning itself, if it was begun.
func (e *responsesStreamEncoder) closeThought(b *streamBlock) {
	if !b.began {
		return
	}
	b.began = false
	text := quote(b.text)
	b.text = nil
	b.part.Summary = append(b.part.Summary, text)
	if b.part.Verbatim {
		e.thoughtDone("response.reasoning_text.done", "content_index", b, text)
		part := quoteText("reasoning_text", text)
		e.partEvent("response.content_part.done", "content_index", b, part)
		return
	}
	e.thoughtDone("response.reasoning_summary_text.done", "summary_index", b, text)
	e.partEvent("response.reasoning_summary_part.done", "summary_index", b, quoteText("summary_text", text))
}

func (e *responsesStreamEncoder) thoughtDone(name, index string, b *streamBlock, text canonical.Token) {
	e.beginIn(name, b.item)
	e.w.number(index, int64(b.place))
	e.w.member("text", text)
	e.end(name)
}

// quoteText writes a part that has a type and a text.
func quoteText(typ string, text canonical.Token) []byte {
	var w itemWriter
	w.open('{')
	w.text("type", typ)
	w.member("text", text)
	w.close('}')
	return w.buf
}

// closeCall ends a call. Arguments that did not come in fragments, or had to be unwrapped, are told whole.
func (e *responsesStreamEncoder) closeCall(b *streamBlock) {
	c := b.part.Call
	told := len(b.text) > 0
	if told {
		c.Args = canonical.Args{String: quote(b.text)}
	}
	args := argumentsToken(c)
	if b.custom {
		args = customInput(c)
	}
	if (!told || b.wrapped) && !args.Empty() {
		e.argument(b, args)
	}
	name, member := "response.function_call_arguments.done", "arguments"
	if b.custom {
		name, member = "response.custom_tool_call_input.done", "input"
	}
	e.beginIn(name, b.item)
	e.w.member(member, args)
	if !b.custom {
		e.w.member("name", orEmpty(c.Name))
	}
	e.end(name)
	if b.custom {
		c.Custom, c.Args = true, canonical.Args{String: args}
	} else {
		c.Args = canonical.Args{String: args}
	}
	b.item.parts = append(b.item.parts, b.part)
}
