package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// parseItem reads an item of a conversation or an answer that is neither a message nor a tool's output.
func parseItem(raw []byte, typ canonical.Token, path string) (canonical.Part, error) {
	switch {
	case is(typ, "function_call"):
		return parseCall(raw, path, false)
	case is(typ, "custom_tool_call"):
		return parseCall(raw, path, true)
	case is(typ, "reasoning"):
		return parseThought(raw, path)
	default:
		return canonical.Part{Kind: canonical.PartOpaque, Item: true, Type: typ.String(), Raw: raw, Path: path}, nil
	}
}

// parseCall reads a call of a function or of a free-form tool.
func parseCall(raw []byte, path string, custom bool) (canonical.Part, error) {
	c := &canonical.ToolCall{Custom: custom}
	p := canonical.Part{Kind: canonical.PartToolCall, Call: c, Path: path}
	args := "arguments"
	if custom {
		args = "input"
	}
	for key, value := range rawjson.Members(raw) {
		var err error
		switch name := nameOf(key); string(name) {
		case "type":
		case "id":
			p.ID, err = memberString(value, path, "id")
		case "status":
			p.Status, err = memberString(value, path, "status")
		case "call_id":
			c.ID, err = memberString(value, path, "call_id")
		case "name":
			c.Name, err = memberString(value, path, "name")
		case args:
			c.Args.String, err = memberString(value, path, args)
		default:
			keep(&c.Extra, name, value)
		}
		if err != nil {
			return p, err
		}
	}
	if c.ID == nil {
		return p, invalid(join(path, "call_id"), "is required")
	}
	if c.Name.Empty() {
		return p, invalid(join(path, "name"), "is required")
	}
	return p, nil
}

// parseThought reads a reasoning item. Its text is the summary, or the reasoning itself where there is no
// summary.
func parseThought(raw []byte, path string) (canonical.Part, error) {
	p := canonical.Part{Kind: canonical.PartThinking, Path: path}
	var summary, content []byte
	for key, value := range rawjson.Members(raw) {
		var err error
		switch name := nameOf(key); string(name) {
		case "type":
		case "id":
			p.ID, err = memberString(value, path, "id")
		case "status":
			p.Status, err = memberString(value, path, "status")
		case "encrypted_content":
			p.Encrypted, err = memberString(value, path, "encrypted_content")
		case "summary":
			summary = value
		case "content":
			content = value
		default:
			keep(&p.Extra, name, value)
		}
		if err != nil {
			return p, err
		}
	}
	texts := textsOf(summary)
	if len(texts) == 0 {
		if texts = textsOf(content); len(texts) > 0 {
			p.Verbatim = true
		}
	} else if hasItems(content) {
		keep(&p.Extra, []byte("content"), content)
	}
	setThought(&p, texts)
	openThought(&p)
	return p, nil
}

// setThought gives a thought its text, or its parts if there are several.
func setThought(p *canonical.Part, texts []canonical.Token) {
	switch len(texts) {
	case 0:
	case 1:
		p.Text = texts[0]
	default:
		p.Summary = texts
	}
}

// textsOf gives the texts in the parts of a summary or of reasoning.
func textsOf(list []byte) []canonical.Token {
	var texts []canonical.Token
	for part := range rawjson.Elements(list) {
		if text := lenientString(find(part, "text")); text != nil {
			texts = append(texts, text)
		}
	}
	return texts
}

// openThought puts back where it belongs what another vendor's thinking was carried in. What looks carried
// but cannot be opened is nobody's.
func openThought(p *canonical.Part) {
	if p.Encrypted == nil || !envelope.Sealed(p.Encrypted) {
		return
	}
	kind, fields, ok := envelope.Open(p.Encrypted)
	p.Encrypted = nil
	switch {
	case ok && kind == canonical.CarriedThinking && len(fields) == 1:
		p.Signature, p.ID, p.Status = fields[0], nil, nil // the item's id was made up with it
	case ok && kind == canonical.CarriedRedacted && len(fields) == 1:
		*p = canonical.Part{Kind: canonical.PartRedacted, Signature: fields[0], Path: p.Path}
	case ok && kind == canonical.CarriedReasoning && len(fields) == 2:
		p.ID, p.Encrypted = fields[0], fields[1]
	}
}
