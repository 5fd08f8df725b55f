package roundtrip

import (
	"slices"
	"strings"
)

// fact is one thing that a body says. Its key tells what it is about, whatever the place in a list: elements are known
// by the first mark in them, messages by their role.
type fact struct {
	key, path, value string
	marks            []string
	text             bool // words, which may be joined with others
	turn             bool // of the conversation, whose order counts
}

// factsOf takes a body apart.
func factsOf(n *node) []fact {
	f := facts{}
	f.walk(n, "", false)
	return f.list
}

type facts struct{ list []fact }

// conversation tells the members that hold messages, items or blocks.
func conversation(name string) bool {
	switch name {
	case "messages", "input", "system", "content", "output", "instructions", "choices":
		return true
	}
	return false
}

// whole tells members whose values are compared as they are written.
func whole(name string) bool {
	switch name {
	case "input", "input_schema", "schema", "parameters", "arguments":
		return true
	}
	return strings.HasPrefix(name, "x_")
}

func (f *facts) walk(n *node, key string, turn bool) {
	switch n.kind {
	case '{':
		f.object(n, key, turn)
	case '[':
		for _, k := range n.kids {
			f.walk(k, key+"["+elementKey(k)+"]", turn)
		}
	case 'n':
	default:
		value := n.text
		if n.kind == '"' {
			value = n.mean
		}
		f.add(n, key, value, turn)
	}
}

func (f *facts) object(n *node, key string, turn bool) {
	order := make([]int, len(n.names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(n.names[a], n.names[b]) })
	for _, i := range order {
		name, k := n.names[i], n.kids[i]
		below := strings.TrimPrefix(key+"."+name, ".")
		switch typ := n.get("type").str(); {
		case typ == "reasoning" && name == "content":
			below = key + ".summary"
		case typ == "reasoning.summary" && name == "summary":
			below = key + ".text"
		}
		turn := turn || key == "" && conversation(name)
		switch {
		case name == "type" && isWords(n), name == "role":
		case name == "custom" && key != "tools["+elementKey(n)+"]":
			f.custom(k, strings.TrimSuffix(below, "custom")+"function", turn)
		case name == "input" && n.get("type").str() == "custom_tool_call":
			f.wrapped(k, key+".arguments", turn)
		case name == "type" && strings.Contains(k.mean, "custom") && key != "tools["+elementKey(n)+"]":
			f.add(k, below, strings.Replace(strings.Replace(k.mean, "custom_tool", "function", 1), "custom", "function", 1), turn)
		case name == "content" && k.is('"'), name == "output" && k.is('"'), name == "system" && k.is('"'):
			f.add(k, below+"[text].text", k.mean, turn)
		case whole(name) && (k.is('{') || k.is('[') && !conversation(name)):
			f.add(k, below, string(k.render(nil)), turn)
		default:
			f.walk(k, below, turn)
		}
	}
}

// custom takes a call of a free-form tool for one of a function, as which it goes through other dialects.
func (f *facts) custom(n *node, key string, turn bool) {
	for i, name := range n.names {
		if name == "input" {
			f.wrapped(n.kids[i], key+".arguments", turn)
			continue
		}
		f.walk(n.kids[i], key+"."+name, turn)
	}
}

func (f *facts) wrapped(n *node, key string, turn bool) {
	f.add(n, key, `{"input":`+n.text+`}`, turn)
}

func (f *facts) add(n *node, key, value string, turn bool) {
	text := strings.HasSuffix(key, ".text") || strings.HasSuffix(key, "].thinking") || strings.HasSuffix(key, "reasoning_content") ||
		strings.HasSuffix(key, ".refusal") || key == "instructions"
	for _, prompt := range []string{"messages[system].content", "messages[developer].content", "input[system].content", "input[developer].content"} {
		if strings.HasPrefix(key, prompt) {
			key = "system" + key[len(prompt):]
		}
	}
	if key == "instructions" {
		key = "system[text].text"
	}
	f.list = append(f.list, fact{key: key, path: n.path, value: value, marks: marksIn(value, nil), text: text, turn: turn})
}

// isWords tells blocks of text, which may be joined with others.
func isWords(n *node) bool {
	switch n.get("type").str() {
	case "text", "input_text", "output_text", "summary_text", "reasoning_text", "reasoning.text", "reasoning.summary":
		return true
	}
	return false
}

// elementKey is what an element of a list is known by.
func elementKey(n *node) string {
	if role := n.get("role").str(); role != "" && role != "tool" {
		return role
	}
	if isWords(n) {
		return "text"
	}
	switch n.get("type").str() {
	case "refusal":
		return "refusal"
	case "reasoning":
		for _, name := range []string{"summary", "content", "encrypted_content"} {
			if k := n.get(name); k != nil && firstMark(k) != "" {
				return firstMark(k)
			}
		}
	}
	if n.kind != '{' {
		return ""
	}
	for _, name := range []string{"call_id", "tool_call_id", "tool_use_id", "id", "name"} {
		if marks := marksIn(n.get(name).str(), nil); marks != nil {
			return marks[0]
		}
	}
	if mark := firstMark(n); mark != "" {
		return mark
	}
	if marks := marksIn(string(n.render(nil)), nil); marks != nil {
		return marks[0]
	}
	return n.get("type").str()
}

// firstMark is the first in what an element is about.
func firstMark(n *node) string {
	for i, k := range n.kids {
		if n.kind == '{' && beside(n.names[i]) {
			continue
		}
		if mark := firstMark(k); mark != "" {
			return mark
		}
	}
	if marks := marksIn(n.str(), nil); marks != nil {
		return marks[0]
	}
	return ""
}

// beside tells members that may be lost while their element stays.
func beside(name string) bool {
	switch name {
	case "cache_control", "citations", "annotations", "title", "context", "detail", "filename", "status":
		return true
	}
	return strings.HasPrefix(name, "x_")
}

// marksIn adds the marks in a text to a list.
func marksIn(s string, list []string) []string {
	for {
		i := strings.IndexByte(s, 'm')
		if i < 0 {
			return list
		}
		s = s[i:]
		n := 1
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if n > 1 && n < len(s) && s[n] == 'x' {
			list = append(list, s[:n+1])
		}
		s = s[n:]
	}
}

// pattern is a path or key without what is particular to one body: indexes, and marks.
func pattern(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '[' && strings.IndexByte(s[i:], ']') > 0:
			end := i + strings.IndexByte(s[i:], ']')
			inside := s[i+1 : end]
			if strings.Trim(inside, "0123456789") == "" || marksIn(inside, nil) != nil {
				inside = "*"
			}
			b.WriteString("[" + inside + "]")
			i = end
		case c == 'm' && marksIn(s[i:], nil) != nil && strings.HasPrefix(s[i:], marksIn(s[i:], nil)[0]):
			b.WriteByte('*')
			i += len(marksIn(s[i:], nil)[0]) - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// under tells whether a path is that of a loss or below it.
func under(path, loss string) bool {
	rest, ok := strings.CutPrefix(path, loss)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
