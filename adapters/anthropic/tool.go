package anthropic

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// decodeTools takes the list of tools.
func decodeTools(v []byte) ([]canonical.Tool, error) {
	if isNull(v) {
		return nil, nil
	}
	if !isArray(v) {
		return nil, invalid("tools", "an array")
	}
	tools := []canonical.Tool{}
	for raw := range rawjson.Elements(v) {
		tools = append(tools, canonical.Tool{Path: element("tools", len(tools))})
		if err := decodeTool(raw, &tools[len(tools)-1]); err != nil {
			return nil, err
		}
	}
	return tools, nil
}

// decodeTool takes a client's tool apart and keeps a server's as it is.
func decodeTool(raw []byte, t *canonical.Tool) error {
	if !isObject(raw) {
		return invalid(t.Path, "an object")
	}
	typ, found := rawjson.Find(raw, "type")
	if found && !isNull(typ) && string(typ) != `"custom"` {
		if _, err := str(typ, t.Path, "type"); err != nil {
			return err
		}
		t.Type, _ = rawjson.String(typ)
		t.Raw = raw
		if name, ok := rawjson.Find(raw, "name"); ok && name[0] == '"' {
			t.Name = name
		}
		return nil
	}
	return decodeFunction(raw, t)
}

func decodeFunction(raw []byte, t *canonical.Tool) (err error) {
	for k, v := range rawjson.Members(raw) {
		switch string(k) {
		case `"type"`:
		case `"name"`:
			t.Name, err = str(v, t.Path, "name")
		case `"description"`:
			t.Description, err = optional(v, t.Path, "description")
		case `"input_schema"`:
			t.Schema = some(v)
		case `"strict"`:
			t.Strict = some(v)
		case `"cache_control"`:
			t.CacheControl = some(v)
		default:
			t.Extra = append(t.Extra, extra(k, v))
		}
		if err != nil {
			return err
		}
	}
	if t.Name == nil {
		return invalid(member(t.Path, "name"), "a string")
	}
	return nil
}

// tool writes a tool, or nothing if the vendor has none like it.
func (e *encoder) tool(t *canonical.Tool) {
	if t.Type != "" || t.Raw != nil {
		if e.own {
			e.w.value(t.Raw)
			return
		}
		e.lose(t.Path, "dropped: the vendor has no tool "+t.Type)
		return
	}
	e.w.open('{')
	e.w.token("name", t.Name)
	switch {
	case e.own:
		e.w.raw("description", t.Description)
		e.w.raw("input_schema", t.Schema)
		e.w.raw("strict", t.Strict)
	case t.Custom:
		e.freeForm(t)
	default:
		e.w.raw("description", t.Description)
		e.w.raw("input_schema", objectSchema(t.Schema))
		if string(t.Strict) == "true" {
			// The vendors' strict subsets of JSON schema differ: a schema that one takes may be refused by the other.
			e.lose(member(t.Path, e.sourcePath("function.strict", "strict")), "not enforced")
		}
	}
	e.w.raw("cache_control", t.CacheControl)
	e.extras(t.Extra, t.Path)
	e.w.shut('}')
}

// freeForm writes a tool that takes text as one that takes an object with the text in it.
func (e *encoder) freeForm(t *canonical.Tool) {
	const schema = `{"type":"object","properties":{"` + canonical.CustomInput + `":{"type":"string",` +
		`"description":"The whole input of the tool, as plain text."}},` +
		`"required":["` + canonical.CustomInput + `"],"additionalProperties":false}`
	e.lose(t.Path, "a free-form tool became one that takes an object with a text")
	description := t.Description
	if definition, ok := rawjson.Find(t.Grammar, "definition"); ok && definition[0] == '"' {
		syntax, _ := rawjson.Find(t.Grammar, "syntax")
		name, _ := rawjson.String(syntax)
		intro := canonical.NewToken("The input must match this grammar (" + name + "):")
		description = canonical.Join("\n\n", description, intro, definition)
		e.lose(member(t.Path, e.sourcePath("custom.format", "format")), "the grammar is described, not enforced")
	}
	e.w.raw("description", description)
	e.w.raw("input_schema", []byte(schema))
}

// objectSchema is a schema that says that it is of an object, which the API insists on.
func objectSchema(schema canonical.Raw) canonical.Raw {
	if !isObject(schema) {
		return canonical.Raw(`{"type":"object"}`)
	}
	if _, ok := rawjson.Find(schema, "type"); ok {
		return schema
	}
	rest := bytes.TrimLeft(schema[1:], " \t\r\n")
	out := canonical.Raw(`{"type":"object"`)
	if len(rest) > 0 && rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, rest...)
}

// decodeChoice takes tool_choice, which also says whether calls may be parallel.
func decodeChoice(v []byte, req *canonical.Request) error {
	if isNull(v) {
		return nil
	}
	if !isObject(v) {
		return invalid("tool_choice", "an object")
	}
	choice := &canonical.ToolChoice{Path: "tool_choice"}
	var unknown []canonical.Field
	for k, val := range rawjson.Members(v) {
		var err error
		switch string(k) {
		case `"type"`:
			_, err = str(val, "tool_choice", "type")
			choice.Mode, _ = rawjson.String(val)
		case `"name"`:
			choice.Name, err = optional(val, "tool_choice", "name")
		case `"disable_parallel_tool_use"`:
			if off, ok := rawjson.Bool(val); ok {
				parallel := !off
				req.ParallelTools = &parallel
			}
		default:
			unknown = append(unknown, nested("tool_choice", k, val))
		}
		if err != nil {
			return err
		}
	}
	req.Choice = choice
	switch choice.Mode {
	case "auto", "any", "tool", "none":
		req.Extra = append(req.Extra, unknown...)
	default:
		*choice = canonical.ToolChoice{Raw: v, Path: choice.Path}
		req.ParallelTools = nil
	}
	return nil
}

// choice writes tool_choice.
func (e *requestEncoder) choice() {
	req := e.req
	choice := canonical.ToolChoice{Path: "tool_choice"}
	if req.Choice != nil {
		choice = *req.Choice
	}
	if e.own && choice.Raw != nil {
		e.w.raw("tool_choice", choice.Raw)
		return
	}
	serial := req.ParallelTools != nil && !*req.ParallelTools
	if choice.Raw != nil && choice.Mode != "tool" { // a free-form tool is chosen as any other
		choice.Mode = allowedMode(choice.Raw)
		e.lose(choice.Path, "sent as "+choice.Mode)
	}
	if choice.Mode == "" && serial {
		choice.Mode = "auto"
	}
	if choice.Mode == "" || !e.own && !e.possible(&choice) {
		return
	}
	e.w.key("tool_choice")
	e.w.open('{')
	e.w.word("type", choice.Mode)
	if choice.Mode == "tool" || choice.Name != nil {
		e.w.token("name", choice.Name)
	}
	e.parallel(choice.Mode)
	e.inner("tool_choice.")
	e.w.shut('}')
}

// parallel writes whether calls may be parallel, which they may if nothing is said.
func (e *requestEncoder) parallel(mode string) {
	parallel := e.req.ParallelTools
	if parallel != nil && (e.own || !*parallel && mode != "none") {
		e.w.boolean("disable_parallel_tool_use", !*parallel)
	}
}

// possible tells whether there is what to choose from; the API refuses a choice without.
func (e *requestEncoder) possible(choice *canonical.ToolChoice) bool {
	switch {
	case choice.Mode == "tool" && !e.hasTool(choice.Name):
		e.lose(choice.Path, "dropped: there is no such tool")
		return false
	case choice.Mode == "any" && e.tools == 0:
		e.lose(choice.Path, "dropped: there are no tools")
		return false
	default:
		return e.tools > 0
	}
}

// allowedMode is the mode of a choice among some of the tools.
func allowedMode(raw canonical.Raw) string {
	for _, path := range [][]string{{"mode"}, {"allowed_tools", "mode"}} {
		if mode, ok := rawjson.Find(raw, path...); ok && string(mode) == `"required"` {
			return "any"
		}
	}
	return "auto"
}
