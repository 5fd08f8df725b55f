package openai

import (
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// pathFunctions begins the path of a function of the time before tools. Its client wants the call in that form, too.
const pathFunctions = "functions["

func decodeChatTools(r *canonical.Request, value []byte) error {
	if isNull(value) {
		return nil
	}
	if !isArray(value) {
		return invalid("tools", "must be an array")
	}
	i := 0
	r.Tools = slices.Grow(r.Tools, expected(value))
	for w := rawjson.WalkArray(value); w.Next(); i++ {
		r.Tools = append(r.Tools, canonical.Tool{Path: at("tools", i)})
		n, err := decodeChatTool(&r.Tools[len(r.Tools)-1], w.Tail())
		if err != nil {
			return err
		}
		w.Skip(n)
		if t := &r.Tools[len(r.Tools)-1]; t.Type != "" {
			t.Raw = w.Value()
		}
	}
	return nil
}

// decodeChatTool takes the tool at the start of raw, and tells how long it is. Of one that is not the client's own it
// takes the type alone, and does not know.
func decodeChatTool(t *canonical.Tool, raw []byte) (n int, err error) {
	if !isObject(raw) {
		return 0, invalid(t.Path, "must be an object")
	}
	typ := chatToolType(raw)
	switch typ {
	case "":
		return 0, invalid(t.Path+".type", "must be a string")
	case "function", "custom":
	default:
		t.Type = typ
		return 0, nil
	}
	t.Custom = typ == "custom"
	named := false
	w := rawjson.WalkObject(raw)
	for w.Next() {
		name := nameOf(w.Key)
		switch string(name) {
		case "type":
		case "cache_control":
			t.CacheControl = w.Value()
		case typ:
			named = true
			n, err := decodeFunction(t, w.Tail(), t.Path+"."+typ, typ+".")
			if err != nil {
				return 0, err
			}
			w.Skip(n)
		default:
			keep(&t.Extra, name, w.Value())
		}
	}
	if !named {
		return 0, invalid(t.Path+"."+typ, "must be an object")
	}
	return w.Len(), nil
}

// chatToolType tells the type of a tool; a function may leave it out. It is empty where there is none.
func chatToolType(raw []byte) string {
	const function = "function"
	told := find(raw, "type")
	if !is(told, function) && isString(told) {
		if typ := canonical.Token(told).String(); typ != "" {
			return typ
		}
	}
	if is(told, function) || find(raw, function) != nil {
		return function
	}
	return ""
}

// decodeFunction takes a tool's name and what goes with it from the start of raw, and tells how long that is; unknown
// members are kept below prefix.
func decodeFunction(t *canonical.Tool, raw []byte, path, prefix string) (n int, err error) {
	if !isObject(raw) {
		return 0, invalid(path, "must be an object")
	}
	w := rawjson.WalkObject(raw)
	for w.Next() {
		name, v := nameOf(w.Key), w.Value()
		switch string(name) {
		case "name":
			t.Name, err = memberString(v, path, "name")
		case "description":
			t.Description, err = memberString(v, path, "description")
		case "parameters":
			if !isNull(v) {
				t.Schema = v
			}
		case "strict":
			if !isNull(v) {
				t.Strict = v
			}
		case "format":
			t.Grammar = flatGrammar(v)
		default:
			keep(&t.Extra, append([]byte(prefix), name...), v)
		}
		if err != nil {
			return 0, err
		}
	}
	if t.Name.Empty() {
		return 0, invalid(path+".name", "must be a string")
	}
	return w.Len(), nil
}

// flatGrammar brings a format into the shape that Responses has: the grammar's members beside the type.
func flatGrammar(v []byte) canonical.Raw {
	grammar := find(v, "grammar")
	if !isObject(grammar) {
		return v
	}
	var w writer
	w.open('{')
	for key, member := range rawjson.Members(v) {
		if string(nameOf(key)) != "grammar" {
			w.member(string(nameOf(key)), member)
		}
	}
	for key, member := range rawjson.Members(grammar) {
		w.member(string(nameOf(key)), member)
	}
	w.close('}')
	return w.buf
}

// nestedGrammar is the way back.
func nestedGrammar(v canonical.Raw) canonical.Raw {
	if v == nil || find(v, "grammar") != nil || !is(find(v, "type"), "grammar") {
		return v
	}
	var w writer
	w.open('{')
	w.text("type", "grammar")
	w.key("grammar")
	w.open('{')
	for key, member := range rawjson.Members(v) {
		if string(nameOf(key)) != "type" {
			w.member(string(nameOf(key)), member)
		}
	}
	w.close('}')
	w.close('}')
	return w.buf
}

func decodeChatFunctions(r *canonical.Request, value []byte) error {
	if isNull(value) {
		return nil
	}
	if !isArray(value) {
		return invalid("functions", "must be an array")
	}
	i := 0
	for raw := range rawjson.Elements(value) {
		t := canonical.Tool{Path: at("functions", i)}
		if _, err := decodeFunction(&t, raw, t.Path, ""); err != nil {
			return err
		}
		r.Tools = append(r.Tools, t)
		i++
	}
	return nil
}

// isOldFunction tells a function of the time before tools.
func isOldFunction(t *canonical.Tool) bool { return strings.HasPrefix(t.Path, pathFunctions) }

// wantsFunctionCalls tells whether the client knows calls only as they were before tools.
func wantsFunctionCalls(r *canonical.Request) bool {
	return r != nil && r.Source == chatSource && len(r.Tools) > 0 && isOldFunction(&r.Tools[0])
}

func decodeChatChoice(r *canonical.Request, value []byte) error {
	const path = "tool_choice"
	if isNull(value) {
		return nil
	}
	c := &canonical.ToolChoice{Path: path}
	r.Choice = c
	if isString(value) {
		c.Mode = canonical.Token(value).String()
		switch c.Mode {
		case "none", "auto":
		case "required", "any": // some compatible servers and their clients say any
			c.Mode = "any"
		default:
			return invalid(path, "must be none, auto or required")
		}
		return nil
	}
	if !isObject(value) {
		return invalid(path, "must be a string or an object")
	}
	typ := lenientString(find(value, "type")).String()
	switch typ {
	case "function", "custom":
		c.Mode = "tool"
		c.Name = lenientString(find(find(value, typ), "name"))
		if typ == "custom" {
			c.Raw = value
		}
		if c.Name.Empty() {
			return invalid(path+"."+typ+".name", "must be a string")
		}
	case "allowed_tools":
		c.Mode, c.Raw = "auto", value
		if is(find(find(value, typ), "mode"), "required") {
			c.Mode = "any"
		}
	case "":
		return invalid(path+".type", "must be a string")
	default:
		c.Mode, c.Raw = "auto", value
	}
	return nil
}

// decodeFunctionChoice takes function_call, which was tool_choice before tools.
func decodeFunctionChoice(r *canonical.Request, value []byte) error {
	const path = "function_call"
	switch {
	case isNull(value):
		return nil
	case isString(value):
		mode := canonical.Token(value).String()
		if mode != "none" && mode != "auto" {
			return invalid(path, "must be none or auto")
		}
		r.Choice = &canonical.ToolChoice{Mode: mode, Path: path}
		return nil
	}
	name := lenientString(find(value, "name"))
	if name.Empty() {
		return invalid(path+".name", "must be a string")
	}
	r.Choice = &canonical.ToolChoice{Mode: "tool", Name: name, Path: path}
	return nil
}
