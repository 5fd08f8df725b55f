package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

func (d *requestReader) tools(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	if !isArray(raw) {
		return invalid("tools", "must be a list")
	}
	for tool := range rawjson.Elements(raw) {
		t, err := parseTool(tool, at("tools", len(d.req.Tools)))
		if err != nil {
			return err
		}
		d.req.Tools = append(d.req.Tools, t)
	}
	return nil
}

// parseTool reads a function or a free-form tool. Any other tool is the vendor's own and kept as it is.
func parseTool(raw []byte, path string) (canonical.Tool, error) {
	t := canonical.Tool{Path: path}
	typ, err := memberString(find(raw, "type"), path, "type")
	if err != nil {
		return t, err
	}
	if typ == nil {
		return t, invalid(join(path, "type"), "is required")
	}
	t.Custom = is(typ, "custom")
	if !t.Custom && !is(typ, "function") {
		t.Type, t.Raw = typ.String(), raw
		return t, nil
	}
	for key, value := range rawjson.Members(raw) {
		if err := toolMember(&t, nameOf(key), value, path); err != nil {
			return t, err
		}
	}
	if t.Name == nil {
		return t, invalid(join(path, "name"), "is required")
	}
	return t, nil
}

// toolMember takes a member of a function or a free-form tool.
func toolMember(t *canonical.Tool, name, value []byte, path string) (err error) {
	switch {
	case string(name) == "type":
	case string(name) == "name":
		t.Name, err = memberString(value, path, "name")
	case string(name) == "description":
		t.Description, err = memberString(value, path, "description")
	case string(name) == "parameters" && !t.Custom:
		if !isNull(value) {
			t.Schema = value
		}
	case string(name) == "strict" && !t.Custom:
		t.Strict = value // null is not the same as none, which means true
	case string(name) == "format" && t.Custom:
		t.Grammar = value
	default:
		keep(&t.Extra, name, value)
	}
	return err
}

// parseChoice reads which tool is to be called: a word, a function or free-form tool, or something of the
// vendor's.
func parseChoice(raw []byte) (*canonical.ToolChoice, error) {
	c := &canonical.ToolChoice{Path: "tool_choice"}
	switch {
	case isNull(raw):
		return nil, nil //nolint:nilnil // not said
	case isString(raw):
		if c.Mode = modeOf(raw); c.Mode == "" {
			return nil, invalid("tool_choice", "must be auto, none, required or an object")
		}
		return c, nil
	case !isObject(raw):
		return nil, invalid("tool_choice", "must be a string or an object")
	}
	typ := find(raw, "type")
	switch {
	case is(typ, "function"), is(typ, "custom"):
		name, err := stringAt(find(raw, "name"), "tool_choice.name")
		if err != nil {
			return nil, err
		}
		if name == nil {
			return nil, invalid("tool_choice.name", "is required")
		}
		c.Mode, c.Name = "tool", name
	default:
		c.Raw = raw
		c.Mode = modeOf(find(raw, "mode")) // of allowed tools
	}
	return c, nil
}

// modeOf gives the neutral word for a choice.
func modeOf(raw []byte) string {
	switch {
	case is(raw, "auto"):
		return "auto"
	case is(raw, "none"):
		return "none"
	case is(raw, "required"):
		return "any"
	default:
		return ""
	}
}
