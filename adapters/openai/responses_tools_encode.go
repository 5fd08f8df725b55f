package openai

import (
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// anthropicSearch begins the types of Anthropic's web search, which end with a date.
const anthropicSearch = "web_search_"

// tools writes what may be called. Tools of another vendor's own that have no counterpart are left out.
func (e *requestEncoder) tools() {
	if len(e.req.Tools) == 0 {
		return
	}
	start := len(e.w.buf)
	e.w.key("tools")
	e.w.open('[')
	empty := len(e.w.buf)
	for i := range e.req.Tools {
		e.tool(&e.req.Tools[i])
	}
	if len(e.w.buf) == empty {
		e.w.buf = e.w.buf[:start]
		return
	}
	e.w.close(']')
}

func (e *requestEncoder) tool(t *canonical.Tool) {
	if t.CacheControl != nil {
		e.lost.Add(join(t.Path, "cache_control"), "prompts are cached without being told")
	}
	switch {
	case t.Type != "" && e.own:
		e.w.value(t.Raw)
	case strings.HasPrefix(t.Type, anthropicSearch):
		e.webSearch(t)
	case t.Type != "":
		e.lost.Add(t.Path, "a tool that only its vendor runs")
	default:
		if !e.own {
			loseFields(e.lost, t.Path, t.Extra)
		}
		writeTool(&e.w, t, e.own)
	}
}

// webSearch turns Anthropic's web search into OpenAI's.
func (e *requestEncoder) webSearch(t *canonical.Tool) {
	e.w.open('{')
	e.w.text("type", "web_search")
	for key, value := range rawjson.Members(t.Raw) {
		switch name := nameOf(key); string(name) {
		case "type", "name", "cache_control":
		case "allowed_domains":
			e.w.key("filters")
			e.w.open('{')
			e.w.member("allowed_domains", value)
			e.w.close('}')
		case "user_location":
			e.w.member("user_location", value)
		default:
			e.lost.Add(join(t.Path, string(name)), "no such member of a web search in this dialect")
		}
	}
	e.w.close('}')
}

// writeTool writes a function or a free-form tool. The API takes a missing strict for true and would change
// the schema; other dialects mean false.
func writeTool(w *itemWriter, t *canonical.Tool, own bool) {
	w.open('{')
	if t.Custom {
		w.text("type", "custom")
	} else {
		w.text("type", "function")
	}
	w.member("name", orEmpty(t.Name))
	w.member("description", t.Description)
	if t.Custom {
		writeGrammar(w, t.Grammar)
	} else {
		strict := t.Strict
		if strict == nil && !own {
			strict = canonical.Raw("false")
		}
		if t.Schema != nil || own {
			w.member("parameters", t.Schema)
		} else {
			w.memberOr("parameters", nil, `{"type":"object","properties":{}}`)
		}
		w.member("strict", strict)
	}
	if own {
		w.fields(t.Extra)
	}
	w.close('}')
}

// writeGrammar writes the format of a free-form tool. Chat has an object more around a grammar.
func writeGrammar(w *itemWriter, format canonical.Raw) {
	inside := find(format, "grammar")
	if !isObject(inside) {
		w.member("format", format)
		return
	}
	w.key("format")
	w.open('{')
	w.text("type", "grammar")
	for key, value := range rawjson.Members(inside) {
		w.member(string(nameOf(key)), value)
	}
	w.close('}')
}

// choice writes which tool is to be called.
func (e *requestEncoder) choice() {
	c := e.req.Choice
	if c == nil || len(e.req.Tools) == 0 && !e.own {
		return
	}
	if c.Raw != nil && !e.own && c.Mode != "tool" {
		if is(find(c.Raw, "type"), "allowed_tools") && e.allowedTools(c) {
			return
		}
		e.lost.Add(c.Path, "a choice that only its own dialect knows")
	}
	writeChoice(&e.w, c, e.req, e.own)
}

// allowedTools brings Chat's list of allowed tools into this dialect's shape, which has an object less around the list
// and around each tool. It is false if none of them is a tool that is offered.
func (e *requestEncoder) allowedTools(c *canonical.ToolChoice) bool {
	allowed := find(c.Raw, "allowed_tools")
	start, n, i := len(e.w.buf), 0, -1
	e.w.key("tool_choice")
	e.w.open('{')
	e.w.text("type", "allowed_tools")
	if c.Mode == "any" {
		e.w.text("mode", "required")
	} else {
		e.w.text("mode", "auto")
	}
	e.w.key("tools")
	e.w.open('[')
	for raw := range rawjson.Elements(find(allowed, "tools")) {
		i++
		typ := lenientString(find(raw, "type")).String()
		name := lenientString(find(find(raw, typ), "name"))
		if name.Empty() || !e.offers(name) {
			e.lost.Add(at(join(c.Path, "allowed_tools.tools"), i), "the tool is not offered")
			continue
		}
		e.w.open('{')
		e.w.text("type", typ)
		e.w.member("name", name)
		e.w.close('}')
		n++
	}
	e.w.close(']')
	e.w.close('}')
	if n == 0 {
		e.w.buf = e.w.buf[:start]
	}
	return n > 0
}

// offers tells whether there is a tool of that name that the client runs.
func (e *requestEncoder) offers(name canonical.Token) bool {
	return slices.ContainsFunc(e.req.Tools, func(t canonical.Tool) bool {
		return t.Type == "" && t.Name.String() == name.String()
	})
}

// writeChoice writes a choice; what does not say anything here is not written.
func writeChoice(w *itemWriter, c *canonical.ToolChoice, req *canonical.Request, own bool) {
	switch {
	case c.Raw != nil && own:
		w.member("tool_choice", c.Raw)
	case c.Mode == "auto" || c.Mode == "none":
		w.text("tool_choice", c.Mode)
	case c.Mode == "any":
		w.text("tool_choice", "required")
	case c.Mode == "tool":
		w.key("tool_choice")
		w.open('{')
		typ := choiceType(c, req)
		w.text("type", typ)
		if typ != "web_search" {
			w.member("name", c.Name)
		}
		w.close('}')
	}
}

// choiceType tells what kind of tool was chosen by its name.
func choiceType(c *canonical.ToolChoice, req *canonical.Request) string {
	if isCustomTool(req, c.Name) {
		return "custom"
	}
	for i := range req.Tools {
		t := &req.Tools[i]
		if strings.HasPrefix(t.Type, anthropicSearch) && string(find(t.Raw, "name")) == string(c.Name) {
			return "web_search"
		}
	}
	return "function"
}
