package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// input reads the conversation: one text, or items.
func (d *requestReader) input(raw []byte) error {
	d.hasInput = !isNull(raw)
	if isNull(raw) {
		return nil
	}
	if isString(raw) {
		d.req.Messages = append(d.req.Messages, canonical.Message{
			Plain: true, Path: "input",
			Parts: []canonical.Part{{Kind: canonical.PartText, Text: canonical.Token(raw), Path: "input"}},
		})
		return nil
	}
	if !isArray(raw) {
		return invalid("input", "must be a string or a list")
	}
	i := 0
	for item := range rawjson.Elements(raw) {
		if err := d.item(item, at("input", i)); err != nil {
			return err
		}
		i++
	}
	return nil
}

// item reads one item of the input. One without a type that has a role is a message.
func (d *requestReader) item(raw []byte, path string) error {
	if !isObject(raw) {
		return invalid(path, "must be an object")
	}
	typ, err := memberString(find(raw, "type"), path, "type")
	if err != nil {
		return err
	}
	if is(typ, "message") || typ == nil && find(raw, "role") != nil {
		return d.message(raw, path)
	}
	if is(typ, "function_call_output") || is(typ, "custom_tool_call_output") {
		part, err := parseOutput(raw, path, is(typ, "custom_tool_call_output"))
		if err == nil {
			d.attach(canonical.RoleTool, part)
		}
		return err
	}
	if typ == nil {
		return invalid(join(path, "type"), "is required")
	}
	part, err := parseItem(raw, typ, path)
	if err == nil {
		d.attach(roleOf(typ), part)
	}
	return err
}

// roleOf tells whose an item is that is no message: what a client answers ends with a word for that.
func roleOf(typ canonical.Token) canonical.Role {
	for _, ending := range []string{"_output", "_response"} {
		if text := inner(typ); len(text) > len(ending) && string(text[len(text)-len(ending):]) == ending {
			return canonical.RoleTool
		}
	}
	return canonical.RoleAssistant
}

// attach adds an item to the turn that is under way, or begins one.
func (d *requestReader) attach(role canonical.Role, part canonical.Part) {
	if n := len(d.req.Messages); n > 0 {
		if m := &d.req.Messages[n-1]; m.Role == role && !m.Top {
			m.Parts = append(m.Parts, part)
			return
		}
	}
	d.req.Messages = append(d.req.Messages, canonical.Message{
		Role: role, Parts: []canonical.Part{part}, Path: part.Path,
	})
}

// message reads a message item. The assistant's joins the turn under way unless that has one already, whose
// id and status the turn bears.
func (d *requestReader) message(raw []byte, path string) error {
	m := canonical.Message{Path: path}
	var content []byte
	for key, value := range rawjson.Members(raw) {
		var err error
		switch name := nameOf(key); string(name) {
		case "type":
		case "role":
			m.Role, err = parseRole(value, path)
		case "content":
			content = value
		case "id":
			m.ID, err = memberString(value, path, "id")
		case "status":
			m.Status, err = memberString(value, path, "status")
		case "name":
			m.Name, err = memberString(value, path, "name")
		default:
			keep(&m.Extra, name, value)
		}
		if err != nil {
			return err
		}
	}
	if content == nil || isNull(content) {
		return invalid(join(path, "content"), "is required")
	}
	var err error
	if m.Parts, err = parseContent(content, join(path, "content")); err != nil {
		return err
	}
	m.Plain = isString(content)
	if !d.joins(&m) {
		d.req.Messages = append(d.req.Messages, m)
	}
	return nil
}

// joins adds an assistant's message to the turn under way, if it can be told apart there.
func (d *requestReader) joins(m *canonical.Message) bool {
	n := len(d.req.Messages)
	if n == 0 || m.Role != canonical.RoleAssistant || len(m.Parts) == 0 {
		return false
	}
	turn := &d.req.Messages[n-1]
	if turn.Role != canonical.RoleAssistant {
		return false
	}
	for i := range turn.Parts {
		if isContent(&turn.Parts[i]) {
			return false
		}
	}
	m.Parts = append(turn.Parts, m.Parts...)
	*turn = *m
	return true
}

// isContent tells the parts that stand inside a message item from those that are items of their own.
func isContent(p *canonical.Part) bool {
	switch p.Kind {
	case canonical.PartThinking, canonical.PartRedacted, canonical.PartToolCall, canonical.PartToolResult:
		return false
	case canonical.PartOpaque:
		return !p.Item
	default:
		return true
	}
}

// parseRole reads the role of what stands at path.
func parseRole(raw []byte, path string) (canonical.Role, error) {
	switch {
	case is(raw, "user"):
		return canonical.RoleUser, nil
	case is(raw, "assistant"):
		return canonical.RoleAssistant, nil
	case is(raw, "system"):
		return canonical.RoleSystem, nil
	case is(raw, "developer"):
		return canonical.RoleDeveloper, nil
	default:
		return 0, invalid(join(path, "role"), "must be user, assistant, system or developer")
	}
}

// parseOutput reads what a tool answered.
func parseOutput(raw []byte, path string, custom bool) (canonical.Part, error) {
	r := &canonical.ToolResult{Custom: custom}
	p := canonical.Part{Kind: canonical.PartToolResult, Result: r, Path: path}
	for key, value := range rawjson.Members(raw) {
		var err error
		switch name := nameOf(key); string(name) {
		case "type":
		case "call_id":
			r.CallID, err = memberString(value, path, "call_id")
		case "id":
			p.ID, err = memberString(value, path, "id")
		case "status":
			p.Status, err = memberString(value, path, "status")
		case "output":
			r.Plain = isString(value)
			r.Parts, err = parseContent(value, join(path, "output"))
		default:
			keep(&r.Extra, name, value)
		}
		if err != nil {
			return p, err
		}
	}
	if r.CallID == nil {
		return p, invalid(join(path, "call_id"), "is required")
	}
	if r.Parts == nil && !r.Plain && find(raw, "output") == nil {
		return p, invalid(join(path, "output"), "is required")
	}
	return p, nil
}
