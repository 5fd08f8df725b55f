package anthropic

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// jsonInstruction asks for what other dialects call json_object.
const jsonInstruction = "Answer with a single valid JSON object and nothing else: no other text, no code fence."

// conversation is a request's messages in the shape of the API.
type conversation struct {
	system    []canonical.Part
	hasSystem bool
	plain     bool // the system prompt was a string
	messages  []canonical.Message
}

// conversation arranges the messages. Those of this dialect stay as they are.
func (e *requestEncoder) conversation() conversation {
	if e.own {
		return ownConversation(e.req.Messages)
	}
	c := conversation{messages: make([]canonical.Message, 0, len(e.req.Messages))}
	turns := e.req.Messages
	for len(turns) > 0 {
		m := &turns[0]
		switch {
		case isSystem(m) && (m.Top || len(c.messages) == 0):
			e.lead(&c, m)
			turns = turns[1:]
		case m.Role == canonical.RoleAssistant:
			n := run(turns, func(m *canonical.Message) bool { return m.Role == canonical.RoleAssistant })
			e.assistant(&c, turns[:n])
			turns = turns[n:]
		default:
			n := run(turns, func(m *canonical.Message) bool { return m.Role != canonical.RoleAssistant && !m.Top })
			e.user(&c, turns[:n])
			turns = turns[n:]
		}
	}
	if f := e.req.Format; f != nil && (f.Type == "json_object" || f.Type == "json_schema" && f.Schema == nil) {
		c.hasSystem = true
		c.system = append(c.system, canonical.Part{Text: canonical.NewToken(jsonInstruction)})
		e.lose(e.formatPath(), "asked for in the system prompt, not enforced")
	}
	return c
}

// ownConversation takes the system prompt apart from the messages.
func ownConversation(messages []canonical.Message) conversation {
	c := conversation{messages: messages}
	for len(c.messages) > 0 && c.messages[0].Top {
		m := &c.messages[0]
		c.plain = m.Plain && !c.hasSystem
		c.system, c.hasSystem = append(c.system, m.Parts...), true
		c.messages = c.messages[1:]
	}
	return c
}

func isSystem(m *canonical.Message) bool {
	return m.Role == canonical.RoleSystem || m.Role == canonical.RoleDeveloper
}

// run counts the messages at the start that belong together.
func run(messages []canonical.Message, same func(*canonical.Message) bool) int {
	n := 1
	for n < len(messages) && same(&messages[n]) {
		n++
	}
	return n
}

// lead puts a message's text into the system prompt.
func (e *requestEncoder) lead(c *conversation, m *canonical.Message) {
	e.messageLosses(m)
	for i := range m.Parts {
		p := &m.Parts[i]
		switch {
		case p.Kind != canonical.PartText:
			e.lose(p.Path, "dropped: a system prompt holds text alone")
		case blank(p.Text): // the API refuses it
		default:
			c.system, c.hasSystem = append(c.system, *p), true
		}
	}
}

// assistant makes one message of the model's, since its calls must stand together.
func (e *requestEncoder) assistant(c *conversation, turns []canonical.Message) {
	out := canonical.Message{Role: canonical.RoleAssistant, Path: turns[0].Path}
	out.Plain = len(turns) == 1 && turns[0].Plain
	out.Parts = make([]canonical.Part, 0, countParts(turns))
	var unsigned []*canonical.Part
	for t := range turns {
		e.messageLosses(&turns[t])
		for i := range turns[t].Parts {
			p := &turns[t].Parts[i]
			if p.Kind == canonical.PartThinking && !genuine(p) {
				unsigned = append(unsigned, p)
				continue
			}
			out.Parts = e.appendSent(out.Parts, p)
		}
	}
	for _, p := range unsigned {
		if text := thinkingText(p); len(out.Parts) == 0 && len(unsigned) == 1 && !blank(text) {
			e.lose(p.Path, "thinking without a signature of the vendor: sent as text")
			out.Parts = append(out.Parts, canonical.Part{Text: text, Path: p.Path})
			break
		}
		e.lose(p.Path, "dropped: thinking without a signature of the vendor")
	}
	if len(out.Parts) > 0 {
		c.messages = append(c.messages, out)
	}
}

// countParts is how many parts messages have.
func countParts(turns []canonical.Message) int {
	n := 0
	for i := range turns {
		n += len(turns[i].Parts)
	}
	return n
}

// appendSent appends a part as it can be sent, if it can.
func (e *requestEncoder) appendSent(parts []canonical.Part, p *canonical.Part) []canonical.Part {
	parts = append(parts, *p) // a copy, since sends may change it
	if !e.sends(&parts[len(parts)-1]) {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// user adds what comes between two answers of the model. If there are results of tools in it, it must be one message
// that starts with them.
func (e *requestEncoder) user(c *conversation, turns []canonical.Message) {
	first := len(c.messages)
	var results []canonical.Part
	for t := range turns {
		m := &turns[t]
		e.messageLosses(m)
		out := canonical.Message{Path: m.Path, Plain: m.Plain}
		for i := range m.Parts {
			p := &m.Parts[i]
			switch {
			case p.Kind == canonical.PartToolResult:
				results = append(results, *p)
				e.makeUsable(&results[len(results)-1])
			case isSystem(m) && p.Kind == canonical.PartText && !blank(p.Text):
				out.Parts = append(out.Parts, asReminder(p))
				e.lose(p.Path, "system text inside of the conversation: sent as the user's")
			default:
				out.Parts = e.appendSent(out.Parts, p)
			}
		}
		if len(out.Parts) > 0 {
			c.messages = append(c.messages, out)
		}
	}
	if len(results) == 0 {
		return
	}
	merged := canonical.Message{Path: turns[0].Path, Parts: results}
	for _, m := range c.messages[first:] {
		merged.Parts = append(merged.Parts, m.Parts...)
	}
	c.messages = append(c.messages[:first], merged)
}

// sends tells whether a part can be sent, if need be in another form, into which it is brought. If not, it notes the
// loss, but for empty text, in which nothing is lost.
func (e *requestEncoder) sends(p *canonical.Part) bool {
	switch p.Kind {
	case canonical.PartRefusal:
		e.lose(p.Path, "a refusal, sent as text")
		return !blank(p.Text)
	case canonical.PartText:
		return !blank(p.Text) // the API refuses white space alone
	case canonical.PartImage, canonical.PartDocument:
		out, ok := e.foreignMedia(p)
		if ok {
			*p = out
		}
		return ok
	case canonical.PartOpaque:
		e.lose(p.Path, "dropped: "+p.Type+" has no equivalent")
		return false
	case canonical.PartAudio:
		e.lose(p.Path, "dropped: the vendor hears no sound")
		return false
	default:
		return true
	}
}

// makeUsable takes parts that cannot be sent out of a result, which is copied if there are any.
func (e *requestEncoder) makeUsable(p *canonical.Part) {
	said := func(p canonical.Part) bool { return p.Kind == canonical.PartText && !blank(p.Text) }
	if p.Result == nil || len(p.Result.Parts) == 1 && said(p.Result.Parts[0]) {
		return
	}
	result := *p.Result
	result.Parts = nil
	for i := range p.Result.Parts {
		result.Parts = e.appendSent(result.Parts, &p.Result.Parts[i])
	}
	result.Plain = result.Plain && len(result.Parts) == 1
	p.Result = &result
}

// asReminder marks text as the system's, which has no other place between turns.
func asReminder(p *canonical.Part) canonical.Part {
	out := *p
	out.Text = canonical.Join("\n", canonical.Token(`"<system>"`), p.Text, canonical.Token(`"</system>"`))
	return out
}

// messageLosses notes what other dialects say about a message.
func (e *requestEncoder) messageLosses(m *canonical.Message) {
	if !m.Name.Empty() {
		e.lose(member(m.Path, "name"), "messages have no names")
	}
	e.foreign(m.Extra, m.Path)
}
