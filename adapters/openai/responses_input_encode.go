package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

// instructions writes the system prompts that lead the conversation, which are one text here, and gives the
// messages that follow. Requests of this dialect keep their developer messages where they stood.
func (e *requestEncoder) instructions() []canonical.Message {
	list := e.req.Messages
	var texts []canonical.Token
	n := 0
	for ; n < len(list); n++ {
		m := &list[n]
		system := m.Role == canonical.RoleSystem || m.Role == canonical.RoleDeveloper
		if !m.Top && (e.own || !system || !isInstruction(m)) {
			break
		}
		texts = append(texts, e.systemTexts(m)...)
	}
	if len(texts) > 0 {
		e.w.member("instructions", joinTexts(texts))
	}
	return list[n:]
}

// isInstruction tells messages that can be told as text.
func isInstruction(m *canonical.Message) bool {
	for i := range m.Parts {
		if m.Parts[i].Kind != canonical.PartText {
			return false
		}
	}
	return true
}

// joinTexts makes paragraphs of texts; one text stays as it is.
func joinTexts(texts []canonical.Token) canonical.Token {
	if len(texts) == 1 {
		return texts[0]
	}
	return canonical.Join("\n\n", texts...)
}

// systemTexts gives the texts of a system prompt, without what Anthropic's clients put in for Anthropic
// alone.
func (e *requestEncoder) systemTexts(m *canonical.Message) []canonical.Token {
	e.messageLosses(m)
	var texts []canonical.Token
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != canonical.PartText {
			e.lost.Add(p.Path, "instructions are text")
			continue
		}
		e.partLosses(p)
		text := p.Text
		if !e.own {
			if text = canonical.WithoutBilling(text); len(text) != len(p.Text) {
				e.lost.Add(p.Path, "billing header left out")
			}
		}
		if !text.Empty() || e.own {
			texts = append(texts, text)
		}
	}
	return texts
}

// messageLosses reports what a message of another dialect has besides its parts.
func (e *requestEncoder) messageLosses(m *canonical.Message) {
	if e.own {
		return
	}
	if m.Name != nil {
		e.lost.Add(join(m.Path, "name"), "no such member in this dialect")
	}
	loseFields(e.lost, m.Path, m.Extra)
}

// partLosses reports what a part of another dialect has besides its content.
func (e *requestEncoder) partLosses(p *canonical.Part) {
	if p.CacheControl != nil {
		e.lost.Add(join(p.Path, "cache_control"), "prompts are cached without being told")
	}
	if e.own {
		return
	}
	if p.Citations != nil {
		sources := inSource(e.req.Source, "citations", "annotations", "annotations")
		e.lost.Add(join(p.Path, sources), "no such member in this dialect")
	}
	loseFields(e.lost, p.Path, p.Extra)
	if p.Media != nil {
		loseFields(e.lost, mediaPath(e.req.Source, p), p.Media.Extra)
	}
}

// input writes the conversation as items.
func (e *requestEncoder) input(list []canonical.Message) {
	e.w.key("input")
	e.w.open('[')
	for i := range list {
		e.message(&list[i])
	}
	e.w.close(']')
}

// message writes the items of a message in their order: what stands between two calls or results is a
// message item.
func (e *requestEncoder) message(m *canonical.Message) {
	e.messageLosses(m)
	if m.Top {
		for _, text := range e.systemTexts(m) {
			e.open(m)
			e.contentPart(m, &canonical.Part{Kind: canonical.PartText, Text: text})
			e.shut()
		}
		return
	}
	if len(m.Parts) == 0 && e.own {
		e.open(m)
		e.shut()
		return
	}
	for i := 0; i < len(m.Parts); {
		if !isContent(&m.Parts[i]) {
			e.item(&m.Parts[i])
			i++
			continue
		}
		n := i
		for n < len(m.Parts) && isContent(&m.Parts[n]) {
			n++
		}
		e.content(m, m.Parts[i:n])
		i = n
	}
}

// content writes a message item of neighbouring parts, if there is anything in it.
func (e *requestEncoder) content(m *canonical.Message, parts []canonical.Part) {
	if e.own && m.Plain && len(parts) == 1 {
		e.begin(m)
		e.w.member("content", orEmpty(parts[0].Text))
		e.w.close('}')
		return
	}
	start := len(e.w.buf)
	e.open(m)
	empty := len(e.w.buf)
	for i := range parts {
		e.contentPart(m, &parts[i])
	}
	if len(e.w.buf) == empty && !e.own {
		e.w.buf = e.w.buf[:start]
		return
	}
	e.shut()
}

// begin writes a message item up to its content.
func (e *requestEncoder) begin(m *canonical.Message) {
	e.w.open('{')
	e.w.text("type", "message")
	if e.own || startsWith(m.ID, prefixMessage) {
		e.w.member("id", m.ID)
	}
	e.w.text("role", e.role(m.Role))
	if !e.own {
		return
	}
	e.w.member("status", m.Status)
	e.w.member("name", m.Name)
	e.w.fields(m.Extra)
}

func (e *requestEncoder) open(m *canonical.Message) {
	e.begin(m)
	e.w.key("content")
	e.w.open('[')
}

func (e *requestEncoder) shut() {
	e.w.close(']')
	e.w.close('}')
}

// role names a role. System prompts of other dialects are the developer's, which is what current models know.
func (e *requestEncoder) role(r canonical.Role) string {
	switch r {
	case canonical.RoleAssistant:
		return "assistant"
	case canonical.RoleSystem:
		if e.own {
			return "system"
		}
		return "developer"
	case canonical.RoleDeveloper:
		return "developer"
	default:
		return "user"
	}
}

// item writes a part that is an item of its own.
func (e *requestEncoder) item(p *canonical.Part) {
	switch p.Kind {
	case canonical.PartToolCall:
		e.call(p)
	case canonical.PartToolResult:
		e.result(p)
	case canonical.PartThinking:
		e.thought(p)
	case canonical.PartRedacted:
		e.lost.Add(p.Path, "thinking of another vendor")
	default:
		e.w.value(p.Raw)
	}
}

// callID fits an id to the API's limit; the call and its result get the same.
func (e *requestEncoder) callID(id canonical.Token, path string) canonical.Token {
	if len(id) <= maxCallID+len(`""`) {
		return orEmpty(id)
	}
	fit := envelope.ClampID(id, maxCallID, func(byte) bool { return true })
	if string(fit) != string(id) {
		e.lost.Add(path, "the id of the call is shortened")
	}
	return fit
}

func (e *requestEncoder) call(p *canonical.Part) {
	e.partLosses(p)
	c := p.Call
	custom := c.Custom || isCustomTool(e.req, c.Name)
	prefix := prefixCall
	e.w.open('{')
	if custom {
		e.w.text("type", "custom_tool_call")
		prefix = prefixCustom
	} else {
		e.w.text("type", "function_call")
	}
	if e.own || startsWith(p.ID, prefix) {
		e.w.member("id", p.ID)
	}
	if e.own {
		e.w.member("call_id", c.ID)
	} else {
		e.w.member("call_id", e.callID(c.ID, p.Path))
	}
	e.w.member("name", orEmpty(c.Name))
	if custom {
		e.w.member("input", customInput(c))
	} else {
		e.w.member("arguments", argumentsToken(c))
	}
	if e.own {
		e.w.member("status", p.Status)
		e.w.fields(c.Extra)
	} else {
		loseFields(e.lost, p.Path, c.Extra)
	}
	e.w.close('}')
}

// thought writes a reasoning item. Thinking that another vendor has signed is of no use here, and neither is
// thinking without anything to prove it, which the API refuses.
func (e *requestEncoder) thought(p *canonical.Part) {
	genuine := p.Encrypted != nil && !envelope.Sealed(p.Encrypted)
	if !genuine && (!e.own || p.Signature != nil) {
		e.lost.Add(p.Path, "thinking of another vendor")
		return
	}
	e.partLosses(p)
	writeThought(&e.w, p, p.ID, p.Encrypted, e.own)
}

// writeThought writes a reasoning item, with the members that were kept of one of this dialect.
func writeThought(w *itemWriter, p *canonical.Part, id, encrypted canonical.Token, own bool) {
	w.open('{')
	w.text("type", "reasoning")
	w.member("id", id)
	w.key("summary")
	w.open('[')
	if !p.Verbatim {
		writeTexts(w, p, "summary_text")
	}
	w.close(']')
	if p.Verbatim {
		w.key("content")
		w.open('[')
		writeTexts(w, p, "reasoning_text")
		w.close(']')
	}
	w.member("encrypted_content", encrypted)
	w.member("status", p.Status)
	if own {
		w.fields(p.Extra)
	}
	w.close('}')
}

func writeTexts(w *itemWriter, p *canonical.Part, typ string) {
	texts := p.Summary
	if texts == nil && p.Text != nil {
		texts = []canonical.Token{p.Text}
	}
	for _, text := range texts {
		w.open('{')
		w.text("type", typ)
		w.member("text", text)
		w.close('}')
	}
}
