package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// tools writes the tools; those of a vendor's servers mean nothing to another.
func (e *chatRequestEncoder) tools() {
	var written, functions int
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		switch {
		case e.own && isOldFunction(t):
			functions++
			continue
		case t.Type != "" && !e.own:
			e.lost.Add(t.Path, "a tool of the vendor's servers: "+t.Type)
			continue
		}
		if written == 0 {
			e.key("tools")
			e.open('[')
		}
		written++
		e.tool(t)
	}
	if written > 0 {
		e.close(']')
	}
	if functions > 0 {
		e.functions()
	}
}

func (e *chatRequestEncoder) tool(t *canonical.Tool) {
	if t.Type != "" {
		e.value(t.Raw)
		return
	}
	kind := "function"
	if t.Custom && e.own {
		kind = "custom"
	}
	e.open('{')
	e.text("type", kind)
	e.key(kind)
	e.open('{')
	e.member("name", t.Name)
	e.member("description", t.Description)
	switch {
	case !t.Custom:
		e.function(t)
	case e.own:
		e.member("format", nestedGrammar(t.Grammar))
		e.nested("custom.", t.Extra)
	default:
		e.member("parameters", []byte(customSchema))
		e.lost.Add(t.Path, "a free-form tool became a function with one string")
		e.lose(t.Grammar, join(t.Path, "format"), "a function's string follows no grammar")
	}
	e.close('}')
	if e.own {
		e.member("cache_control", t.CacheControl)
		e.nested("", t.Extra)
	} else {
		e.lose(t.CacheControl, join(t.Path, "cache_control"), "not in this dialect")
		e.loseFields(t.Path, t.Extra)
	}
	e.close('}')
}

func (e *chatRequestEncoder) function(t *canonical.Tool) {
	schema := t.Schema
	if schema == nil && !e.own {
		schema = canonical.Raw(`{"type":"object","properties":{}}`)
	}
	e.member("parameters", schema)
	e.member("strict", t.Strict)
	e.nested("function.", t.Extra)
}

// functions writes those of the time before tools.
func (e *chatRequestEncoder) functions() {
	e.key("functions")
	e.open('[')
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		if !isOldFunction(t) {
			continue
		}
		e.open('{')
		e.member("name", t.Name)
		e.member("description", t.Description)
		e.member("parameters", t.Schema)
		e.member("strict", t.Strict)
		e.fields(t.Extra)
		e.close('}')
	}
	e.close(']')
}

func (e *chatRequestEncoder) toolChoice() {
	c := e.req.Choice
	if c == nil {
		return
	}
	old := e.own && c.Path == "function_call"
	switch {
	case old && c.Mode == "tool":
		e.key("function_call")
		e.open('{')
		e.member("name", c.Name)
		e.close('}')
	case old:
		e.text("function_call", c.Mode)
	case e.own && c.Raw != nil:
		e.member("tool_choice", c.Raw)
	case !e.anyTool():
		if c.Mode == "any" || c.Mode == "tool" || c.Raw != nil {
			e.lost.Add(c.Path, "none of the tools can be offered")
		}
	default:
		e.choice(c)
	}
}

// anyTool tells whether there is a tool to choose: a choice without any is refused.
func (e *chatRequestEncoder) anyTool() bool {
	for i := range e.req.Tools {
		if e.own || e.req.Tools[i].Type == "" {
			return true
		}
	}
	return false
}

func (e *chatRequestEncoder) choice(c *canonical.ToolChoice) {
	if is(find(c.Raw, "type"), "allowed_tools") && e.allowedTools(c) {
		return
	}
	if c.Raw != nil && c.Mode != "tool" {
		e.lost.Add(c.Path, "a choice of another shape became "+c.Mode)
	}
	switch c.Mode {
	case "any":
		e.text("tool_choice", "required")
	case "tool":
		if !e.offered(c.Name) {
			e.lost.Add(c.Path, "the tool cannot be offered")
			return
		}
		e.key("tool_choice")
		e.open('{')
		e.text("type", "function")
		e.key("function")
		e.open('{')
		e.member("name", c.Name)
		e.close('}')
		e.close('}')
	case "none":
		e.text("tool_choice", "none")
	default:
		e.text("tool_choice", "auto")
	}
}

// offered tells whether a tool of that name is among those written.
func (e *chatRequestEncoder) offered(name canonical.Token) bool {
	if e.own {
		return true
	}
	for i := range e.req.Tools {
		if t := &e.req.Tools[i]; t.Type == "" && t.Name.String() == name.String() {
			return true
		}
	}
	return false
}

// allowedTools brings Responses' list of allowed tools into this dialect's shape. It is false if none of them is a
// tool that this dialect has.
func (e *chatRequestEncoder) allowedTools(c *canonical.ToolChoice) bool {
	start := len(e.buf)
	e.key("tool_choice")
	e.open('{')
	e.text("type", "allowed_tools")
	e.key("allowed_tools")
	e.open('{')
	e.member("mode", find(c.Raw, "mode"))
	e.key("tools")
	e.open('[')
	n, i := 0, 0
	for raw := range rawjson.Elements(find(c.Raw, "tools")) {
		name := lenientString(find(raw, "name"))
		if name == nil || !e.offered(name) {
			e.lost.Add(at(join(c.Path, "tools"), i), "the tool cannot be offered")
			i++
			continue
		}
		e.open('{')
		e.text("type", "function")
		e.key("function")
		e.open('{')
		e.member("name", name)
		e.close('}')
		e.close('}')
		n++
		i++
	}
	e.buf = append(e.buf, "]}}"...)
	if n == 0 {
		e.buf = e.buf[:start]
	}
	return n > 0
}
