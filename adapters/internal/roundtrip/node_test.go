package roundtrip

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// node is a JSON value. Numbers are told apart by how they are written, and strings by what they mean, halves of
// surrogate pairs included, which encoding/json would replace.
type node struct {
	kind  byte   // '{', '[', '"', '0' for numbers, 't', 'f', 'n'
	text  string // as it is written, for all but objects and arrays
	mean  string // of a string
	names []string
	kids  []*node
	path  string // where it stands in its body, see locate
}

func (n *node) is(kind byte) bool { return n != nil && n.kind == kind }

// get gives a member of an object, or nil.
func (n *node) get(name string) *node {
	if n.is('{') {
		for i, s := range n.names {
			if s == name {
				return n.kids[i]
			}
		}
	}
	return nil
}

// str is what a string means, or "" for anything else.
func (n *node) str() string {
	if n.is('"') {
		return n.mean
	}
	return ""
}

// set changes or adds a member.
func (n *node) set(name string, v *node) {
	for i, s := range n.names {
		if s == name {
			n.kids[i] = v
			return
		}
	}
	n.names, n.kids = append(n.names, name), append(n.kids, v)
}

// render writes the value.
func (n *node) render(dst []byte) []byte {
	switch n.kind {
	case '{':
		dst = append(dst, '{')
		for i, k := range n.kids {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(strconv.AppendQuote(dst, n.names[i]), ':')
			dst = k.render(dst)
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		for i, k := range n.kids {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = k.render(dst)
		}
		return append(dst, ']')
	default:
		return append(dst, n.text...)
	}
}

// locate writes into each node where it stands.
func (n *node) locate(path string) *node {
	n.path = path
	for i, k := range n.kids {
		switch {
		case n.kind == '[':
			k.locate(path + "[" + strconv.Itoa(i) + "]")
		case path == "":
			k.locate(n.names[i])
		default:
			k.locate(path + "." + n.names[i])
		}
	}
	return n
}

// at gives the value at a path as losses have them, or nil. Names may have dots in them.
func (n *node) at(path string) *node {
	if path == "" || n == nil {
		return n
	}
	if path[0] == '[' {
		end := strings.IndexByte(path, ']')
		i, err := strconv.Atoi(path[1:max(end, 1)])
		if err != nil || n.kind != '[' || i >= len(n.kids) {
			return nil
		}
		return n.kids[i].at(path[end+1:])
	}
	path = strings.TrimPrefix(path, ".")
	if n.kind != '{' {
		return nil
	}
	for i, name := range n.names {
		rest, ok := strings.CutPrefix(path, name)
		if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
			continue
		}
		if found := n.kids[i].at(rest); found != nil {
			return found
		}
	}
	return nil
}

// parser reads JSON.
type parser struct {
	s string
	i int
}

// parse reads a body. Its errors say what is not JSON in it.
func parse(body []byte) (n *node, err error) {
	p := parser{s: string(body)}
	if n, err = p.value(); err != nil {
		return nil, fmt.Errorf("no JSON at byte %d: %w", p.i, err)
	}
	if p.space(); p.i < len(p.s) {
		return nil, fmt.Errorf("no JSON: more at byte %d", p.i)
	}
	return n, nil
}

func (p *parser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *parser) value() (*node, error) {
	p.space()
	if p.i >= len(p.s) {
		return nil, fmt.Errorf("the end")
	}
	switch c := p.s[p.i]; c {
	case '{', '[':
		return p.container(c)
	case '"':
		return p.quoted()
	default:
		start := p.i
		for p.i < len(p.s) && strings.IndexByte(",]} \t\r\n", p.s[p.i]) < 0 {
			p.i++
		}
		text := p.s[start:p.i]
		switch {
		case text == "true" || text == "false" || text == "null":
			return &node{kind: text[0], text: text}, nil
		case strings.Trim(text, "0123456789+-.eE") == "" && text != "":
			return &node{kind: '0', text: text}, nil
		}
		return nil, fmt.Errorf("%.20q", text)
	}
}

func (p *parser) container(open byte) (*node, error) {
	n := &node{kind: open}
	p.i++
	for {
		p.space()
		if p.i < len(p.s) && p.s[p.i] == open+2 {
			p.i++
			return n, nil
		}
		if len(n.kids) > 0 {
			if p.i >= len(p.s) || p.s[p.i] != ',' {
				return nil, fmt.Errorf("no comma")
			}
			p.i++
			p.space()
		}
		if open == '{' {
			key, err := p.value()
			if err != nil || key.kind != '"' {
				return nil, fmt.Errorf("no key: %w", err)
			}
			if p.space(); p.i >= len(p.s) || p.s[p.i] != ':' {
				return nil, fmt.Errorf("no colon")
			}
			p.i++
			n.names = append(n.names, key.mean)
		}
		kid, err := p.value()
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, kid)
	}
}

func (p *parser) quoted() (*node, error) {
	start := p.i
	for p.i++; p.i < len(p.s) && p.s[p.i] != '"'; p.i++ {
		if p.s[p.i] < ' ' {
			return nil, fmt.Errorf("control character in a string")
		}
		if p.s[p.i] == '\\' {
			p.i++
		}
	}
	if p.i >= len(p.s) {
		return nil, fmt.Errorf("a string without end")
	}
	p.i++
	return str(p.s[start:p.i]), nil
}

// str makes a string of how it is written.
func str(text string) *node {
	n := &node{kind: '"', text: text}
	in := text[1 : len(text)-1]
	if strings.IndexByte(in, '\\') < 0 {
		n.mean = in
		return n
	}
	var b []byte
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			b = append(b, in[i])
			continue
		}
		i++
		if in[i] != 'u' {
			b = append(b, unescaped(in[i]))
			continue
		}
		r := hex(in[i+1:])
		i += 4
		if utf16.IsSurrogate(r) && strings.HasPrefix(in[i+1:], `\u`) {
			if full := utf16.DecodeRune(r, hex(in[i+3:])); full != utf8.RuneError {
				r = full
				i += 6
			}
		}
		if utf16.IsSurrogate(r) {
			b = append(b, 0xed, 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
			continue
		}
		b = utf8.AppendRune(b, r)
	}
	n.mean = string(b)
	return n
}

func unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	default:
		return c
	}
}

func hex(s string) rune {
	n, _ := strconv.ParseUint(s[:min(4, len(s))], 16, 16)
	return rune(n)
}

// word makes a string that needs no escape.
func word(s string) *node { return &node{kind: '"', text: `"` + s + `"`, mean: s} }

// quote makes a string of any text.
func quote(s string) *node {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return &node{kind: '"', text: b.String(), mean: s}
}

// lit makes a number, true, false or null.
func lit(s string) *node {
	if s == "true" || s == "false" || s == "null" {
		return &node{kind: s[0], text: s}
	}
	return &node{kind: '0', text: s}
}

// obj makes an object of names and values in turn. A value that is nil leaves its member out.
func obj(members ...any) *node {
	n := &node{kind: '{'}
	for i := 0; i < len(members); i += 2 {
		switch v := members[i+1].(type) {
		case *node:
			if v != nil {
				n.set(members[i].(string), v)
			}
		case string:
			n.set(members[i].(string), word(v))
		}
	}
	return n
}

func list(elements ...*node) *node { return &node{kind: '[', kids: elements} }

// differences compares two values and tells up to a few paths where they differ.
func differences(want, got *node, path string, out []string) []string {
	if len(out) > 5 {
		return out
	}
	if want == nil || got == nil || want.kind != got.kind {
		return append(out, fmt.Sprintf("%s: %s, want %s", path, brief(got), brief(want)))
	}
	switch want.kind {
	case '{':
		for i, name := range want.names {
			out = differences(want.kids[i], got.get(name), path+"."+name, out)
		}
		for i, name := range got.names {
			if want.get(name) == nil {
				out = append(out, fmt.Sprintf("%s.%s: %s, want nothing", path, name, brief(got.kids[i])))
			}
		}
	case '[':
		for i := range max(len(want.kids), len(got.kids)) {
			var w, g *node
			if i < len(want.kids) {
				w = want.kids[i]
			}
			if i < len(got.kids) {
				g = got.kids[i]
			}
			out = differences(w, g, path+"["+strconv.Itoa(i)+"]", out)
		}
	case '"':
		if want.mean != got.mean {
			out = append(out, fmt.Sprintf("%s: %s, want %s", path, brief(got), brief(want)))
		}
	case '0':
		if want.text != got.text {
			out = append(out, fmt.Sprintf("%s: %s, want %s", path, got.text, want.text))
		}
	}
	return out
}

func brief(n *node) string {
	if n == nil {
		return "nothing"
	}
	s := n.render(nil)
	if len(s) > 160 {
		s = append(s[:160:160], "…"...)
	}
	return string(s)
}

// remove takes a member away.
func (n *node) remove(name string) {
	for i, s := range n.names {
		if s == name {
			n.names = append(n.names[:i:i], n.names[i+1:]...)
			n.kids = append(n.kids[:i:i], n.kids[i+1:]...)
			return
		}
	}
}
