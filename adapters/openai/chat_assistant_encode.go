package openai

import "github.com/ccproxy-go/ccproxy/adapters/canonical"

// turnParts sorts what an assistant said in one turn.
type turnParts struct {
	thinking, words, calls []*canonical.Part
	refusals               []*canonical.Part
	texts                  []canonical.Token // of words, with what parts them
}

// assistant writes the messages of one turn as one.
func (e *chatRequestEncoder) assistant(turn []canonical.Message) {
	if len(turn) == 1 && e.own {
		e.ownAssistant(&turn[0])
		return
	}
	var t turnParts
	for i := range turn {
		for k := range turn[i].Parts {
			e.sort(&t, &turn[i].Parts[k], k == 0 && i > 0)
		}
		e.closedMessage(&turn[i])
	}
	if !e.own {
		t.thinking = e.foreignReasoning(t.thinking)
	}
	if len(t.words)+len(t.calls)+len(t.refusals)+len(t.thinking) == 0 {
		return // what there was is reported as lost
	}
	e.openMessage("assistant")
	writeReasoning(&e.writer, t.thinking)
	e.foreignContent(&t)
	e.toolCalls(t.calls)
	e.close('}')
}

// sort puts a part where it belongs; the dialect has an order of its own. apart tells the first part of a message.
func (e *chatRequestEncoder) sort(t *turnParts, p *canonical.Part, apart bool) {
	switch p.Kind {
	case canonical.PartThinking:
		if len(t.words)+len(t.calls) > 0 {
			e.lost.Add(p.Path, "thinking moved before what was said")
		}
		t.thinking = append(t.thinking, p)
	case canonical.PartRedacted:
		t.thinking = append(t.thinking, p)
	case canonical.PartText:
		if len(t.calls)+len(t.refusals) > 0 {
			e.lost.Add(p.Path, "text moved before the calls and refusals")
		}
		if len(t.texts) > 0 && (apart || p.Citations == nil) {
			t.texts = append(t.texts, canonical.Token(`"\n\n"`))
		}
		t.words = append(t.words, p)
		t.texts = append(t.texts, orEmptyText(p.Text))
		e.losePart(p)
	case canonical.PartToolCall:
		t.calls = append(t.calls, p)
	case canonical.PartRefusal:
		t.refusals = append(t.refusals, p)
		e.losePart(p)
	default:
		e.lost.Add(p.Path, "not in the assistant's messages of this dialect: "+kindName(p))
	}
}

// kindName says what a part is that cannot be written.
func kindName(p *canonical.Part) string {
	switch p.Kind {
	case canonical.PartImage:
		return "image"
	case canonical.PartDocument:
		return "document"
	case canonical.PartAudio:
		return "audio"
	default:
		return p.Type
	}
}

func (e *chatRequestEncoder) foreignContent(t *turnParts) {
	if len(t.texts) > 0 {
		e.member("content", joined("", t.texts))
	} else {
		e.key("content")
		e.buf = append(e.buf, "null"...)
	}
	if len(t.refusals) > 0 {
		texts := make([]canonical.Token, len(t.refusals))
		for i, p := range t.refusals {
			texts[i] = p.Text
		}
		e.member("refusal", joined("\n", texts))
	}
}

// foreignReasoning is the thinking of a turn as an upstream of this dialect may see it: words, and what it has made
// itself. What another vendor has signed or encrypted is neither of use to it nor its business.
func (e *chatRequestEncoder) foreignReasoning(parts []*canonical.Part) []*canonical.Part {
	kept := make([]*canonical.Part, 0, len(parts))
	for _, p := range parts {
		e.losePart(p)
		if sealedDetail(p) != nil {
			kept = append(kept, p)
			continue
		}
		if !p.Signature.Empty() || p.Encrypted != nil {
			e.lost.Add(p.Path, "signed or encrypted by another vendor, whose words alone are told")
		}
		if words := thoughts(p); p.Kind == canonical.PartThinking && words != nil {
			kept = append(kept, &canonical.Part{Kind: p.Kind, Text: words, Path: p.Path})
		}
	}
	return kept
}

// writeReasoning writes the words of thinking in one string, and the parts in a list if there is more to them.
func writeReasoning(w *writer, parts []*canonical.Part) {
	var texts []canonical.Token
	detailed := false
	for _, p := range parts {
		if t := thoughts(p); t != nil && p.Kind == canonical.PartThinking {
			texts = append(texts, t)
		}
		detailed = detailed || p.Kind == canonical.PartRedacted || needsDetails(p)
	}
	if len(texts) > 0 {
		w.member("reasoning_content", joined("\n\n", texts))
	}
	if !detailed && len(texts) < 2 {
		return
	}
	w.key("reasoning_details")
	w.open('[')
	for i, p := range parts {
		writeDetails(w, p, i)
	}
	w.close(']')
}

func (e *chatRequestEncoder) toolCalls(calls []*canonical.Part) {
	if len(calls) == 0 {
		return
	}
	e.key("tool_calls")
	e.open('[')
	for _, p := range calls {
		e.toolCall(p)
	}
	e.close(']')
}

func (e *chatRequestEncoder) toolCall(p *canonical.Part) {
	c := p.Call
	e.open('{')
	if e.own {
		e.member("id", c.ID)
		writeCall(&e.writer, c, c.Custom, argumentsToken(c))
		e.nested("", c.Extra)
		e.close('}')
		return
	}
	e.losePart(p)
	e.loseFields(p.Path, c.Extra)
	e.member("id", e.callID(c.ID, p.Path))
	args := argumentsToken(c)
	if c.Custom {
		args = wrappedInput(args)
	}
	writeCall(&e.writer, c, false, args)
	e.close('}')
}

// writeCall writes what is called. Members that were kept from inside of it are put back there.
func writeCall(w *writer, c *canonical.ToolCall, custom bool, args canonical.Token) {
	kind, name := "function", "arguments"
	if custom {
		kind, name = "custom", "input"
	}
	w.text("type", kind)
	w.key(kind)
	w.open('{')
	w.member("name", c.Name)
	w.member(name, args)
	for _, f := range c.Extra {
		if inside, ok := below(kind+".", f.Name); ok {
			w.fields([]canonical.Field{{Name: inside, Raw: f.Raw}})
		}
	}
	w.close('}')
}

// ownAssistant writes a message that was decoded from this dialect.
func (e *chatRequestEncoder) ownAssistant(m *canonical.Message) {
	var thinking, content, calls []*canonical.Part
	var refusal, call, audio *canonical.Part
	for i := range m.Parts {
		p := &m.Parts[i]
		switch {
		case p.Kind == canonical.PartThinking, p.Kind == canonical.PartRedacted, p.Type == "reasoning_details":
			thinking = append(thinking, p)
		case p.Kind == canonical.PartToolCall && p.Type == typeFunctionCall:
			call = p
		case p.Kind == canonical.PartToolCall:
			calls = append(calls, p)
		case p.Kind == canonical.PartRefusal && p.Type == "":
			refusal = p
		case p.Kind == canonical.PartOpaque && p.Type == typeAudio:
			audio = p
		default:
			content = append(content, p)
		}
	}
	e.openMessage("assistant")
	writeReasoning(&e.writer, thinking)
	e.assistantContent(m, content)
	if refusal != nil {
		e.member("refusal", refusal.Text)
	}
	e.toolCalls(calls)
	if call != nil {
		e.key("function_call")
		e.open('{')
		e.member("name", call.Call.Name)
		e.member("arguments", argumentsToken(call.Call))
		e.nested("function_call.", call.Call.Extra)
		e.close('}')
	}
	if audio != nil {
		e.member("audio", audio.Raw)
	}
	e.closeMessage(m)
}

// assistantContent writes null where there was null, and nothing where there was nothing.
func (e *chatRequestEncoder) assistantContent(m *canonical.Message, content []*canonical.Part) {
	if len(content) == 0 {
		if m.Plain {
			e.token("content", nil)
		}
		return
	}
	parts := make([]canonical.Part, len(content))
	for i, p := range content {
		parts[i] = *p
	}
	e.key("content")
	e.contentValue(parts, m.Plain)
}
