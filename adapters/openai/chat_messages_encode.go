package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

// movedImage is an image of a tool's result. The dialect's results are text alone.
type movedImage struct {
	call canonical.Token
	part *canonical.Part
}

func (e *chatRequestEncoder) messages() {
	e.key("messages")
	e.open('[')
	list := e.req.Messages
	for i := 0; i < len(list); {
		m := &list[i]
		switch m.Role {
		case canonical.RoleSystem, canonical.RoleDeveloper:
			e.flushMoved()
			e.system(m)
		case canonical.RoleAssistant:
			e.flushMoved()
			n := e.run(list[i:])
			e.assistant(list[i : i+n])
			i += n
			continue
		default:
			e.turn(m)
		}
		i++
	}
	e.flushMoved()
	e.close(']')
}

// run counts the messages that are one turn of the assistant. Responses has an item for each call and thought.
func (e *chatRequestEncoder) run(list []canonical.Message) int {
	if e.own {
		return 1
	}
	n := 1
	for n < len(list) && list[n].Role == canonical.RoleAssistant {
		n++
	}
	return n
}

// system writes a prompt. Compatible servers know "system" alone, and OpenAI takes it for every model.
func (e *chatRequestEncoder) system(m *canonical.Message) {
	if e.own {
		role := "system"
		if m.Role == canonical.RoleDeveloper {
			role = "developer"
		}
		e.openMessage(role)
		e.ownContent(m, m.Parts)
		e.closeMessage(m)
		return
	}
	texts := make([]canonical.Token, 0, len(m.Parts))
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != canonical.PartText {
			e.lost.Add(p.Path, "a prompt is text alone")
			continue
		}
		e.losePart(p)
		t := canonical.WithoutBilling(p.Text)
		if len(t) != len(p.Text) {
			e.lost.Add(p.Path, "billing header left out")
		}
		if !t.Empty() {
			texts = append(texts, t)
		}
	}
	if len(texts) == 0 {
		e.closedMessage(m)
		return
	}
	e.openMessage("system")
	e.member("content", joined("\n\n", texts))
	e.closeMessage(m)
}

// joined is one text as it is, and several with what stands between them.
func joined(sep string, texts []canonical.Token) canonical.Token {
	if len(texts) == 1 {
		return texts[0]
	}
	return canonical.Join(sep, texts...)
}

func (e *chatRequestEncoder) openMessage(role string) {
	e.open('{')
	e.text("role", role)
}

// closeMessage writes what is left of a message.
func (e *chatRequestEncoder) closeMessage(m *canonical.Message) {
	e.member("name", m.Name)
	if e.own {
		e.fields(m.Extra)
	} else {
		e.closedMessage(m)
	}
	e.close('}')
}

// closedMessage reports what a foreign message has beyond this dialect.
func (e *chatRequestEncoder) closedMessage(m *canonical.Message) {
	e.lose(m.ID, join(m.Path, "id"), "messages have no ids in this dialect")
	e.loseFields(m.Path, m.Extra)
}

// losePart reports what a foreign part has beyond its content.
func (e *chatRequestEncoder) losePart(p *canonical.Part) {
	if e.own {
		return
	}
	e.lose(p.CacheControl, join(p.Path, "cache_control"), "not in this dialect")
	sources := inSource(e.req.Source, "citations", "annotations", "annotations")
	e.lose(p.Citations, join(p.Path, sources), "not in the messages of this dialect")
	e.lose(p.Logprobs, join(p.Path, "logprobs"), "not in the messages of this dialect")
	e.loseFields(p.Path, p.Extra)
	if p.Media != nil {
		e.loseFields(mediaPath(e.req.Source, p), p.Media.Extra)
	}
}

// turn writes what a user, or tools, said. The results stand first: they must follow the calls.
func (e *chatRequestEncoder) turn(m *canonical.Message) {
	rest := 0
	for i := range m.Parts {
		if m.Parts[i].Kind == canonical.PartToolResult {
			e.result(m, &m.Parts[i])
		} else {
			rest++
		}
	}
	if e.own && m.Role == canonical.RoleUser && rest == len(m.Parts) {
		e.openMessage("user")
		e.ownContent(m, m.Parts)
		e.closeMessage(m)
		return
	}
	if rest > 0 {
		e.said(m)
		return
	}
	if !e.own {
		e.closedMessage(m)
	}
	if m.Role == canonical.RoleUser && len(m.Parts) == 0 {
		e.lost.Add(m.Path, "an empty message")
	}
}

// said writes the parts of a foreign message that are no results, after the images that results left behind.
func (e *chatRequestEncoder) said(m *canonical.Message) {
	start := len(e.buf)
	e.openMessage("user")
	e.key("content")
	if t := loneText(m.Parts); t != nil && len(e.moved) == 0 {
		e.losePart(t)
		e.value(orEmptyText(t.Text))
		e.closeMessage(m)
		return
	}
	e.open('[')
	n := e.movedParts()
	for i := range m.Parts {
		if p := &m.Parts[i]; p.Kind != canonical.PartToolResult && e.part(p) {
			n++
		}
	}
	e.close(']')
	e.closeMessage(m)
	if n == 0 {
		e.buf = e.buf[:start] // what it said is reported as lost
	}
}

// loneText gives the one text that a message consists of, results aside.
func loneText(parts []canonical.Part) (text *canonical.Part) {
	for i := range parts {
		p := &parts[i]
		switch {
		case p.Kind == canonical.PartToolResult:
		case p.Kind != canonical.PartText || text != nil:
			return nil
		default:
			text = p
		}
	}
	return text
}

// flushMoved writes the images of results that no user message follows.
func (e *chatRequestEncoder) flushMoved() {
	if len(e.moved) == 0 {
		return
	}
	e.openMessage("user")
	e.key("content")
	e.open('[')
	e.movedParts()
	e.close(']')
	e.close('}')
}

func (e *chatRequestEncoder) movedParts() (n int) {
	for _, moved := range e.moved {
		e.open('{')
		e.text("type", "text")
		e.member("text", quote([]byte(ToolImageMarker), inner(moved.call), []byte("]")))
		e.close('}')
		e.part(moved.part)
		n += 2
	}
	e.moved = e.moved[:0]
	return n
}

// result writes a tool's message.
func (e *chatRequestEncoder) result(m *canonical.Message, p *canonical.Part) {
	r := p.Result
	if e.own {
		e.ownResult(m, p)
		return
	}
	id := e.callID(r.CallID, p.Path)
	texts := make([]canonical.Token, 0, len(r.Parts))
	images := 0
	for i := range r.Parts {
		part := &r.Parts[i]
		switch part.Kind {
		case canonical.PartText, canonical.PartRefusal:
			e.losePart(part)
			texts = append(texts, orEmptyText(part.Text))
		case canonical.PartImage, canonical.PartDocument, canonical.PartAudio:
			images++
			e.moved = append(e.moved, movedImage{call: id, part: part})
			e.lost.Add(part.Path, "moved into a user message after the results")
		default:
			e.lost.Add(part.Path, "not in this dialect: "+part.Type)
		}
	}
	content := canonical.Token(`""`)
	switch {
	case len(texts) > 0:
		content = joined("\n", texts)
	case images > 0:
		content = canonical.Token(`"` + ToolImageNotice + `"`)
	}
	if r.IsError {
		content = quote([]byte(ToolErrorMarker), inner(content))
		e.lost.Add(join(p.Path, "is_error"), "told in the text")
	}
	e.losePart(p)
	e.loseFields(p.Path, r.Extra)
	e.openMessage("tool")
	e.member("tool_call_id", id)
	e.member("content", content)
	e.close('}')
}

// callID makes an id fit; the same id becomes the same in the call and in its result.
func (e *chatRequestEncoder) callID(id canonical.Token, path string) canonical.Token {
	if len(id)-2 <= maxChatID {
		return id
	}
	fit := envelope.ClampID(id, maxChatID, nil)
	if string(fit) != string(id) {
		e.lost.Add(path, "the id of the call is shortened")
	}
	return fit
}

func (e *chatRequestEncoder) ownResult(m *canonical.Message, p *canonical.Part) {
	r := p.Result
	if p.Type == typeFunction {
		e.openMessage("function")
	} else {
		e.openMessage("tool")
		e.member("tool_call_id", r.CallID)
	}
	e.key("content")
	e.contentValue(r.Parts, r.Plain)
	e.closeMessage(m)
}
