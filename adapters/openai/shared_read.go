package openai

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// invalid is the error for a member that is not what it must be.
func invalid(path, want string) error {
	return fmt.Errorf("%w: %s: %s", adapters.ErrInvalidInput, path, want)
}

// scan checks a body and finds its members.
func scan(doc *rawjson.Doc, body []byte) error {
	if err := doc.Scan(body, rawjson.Options{}); err != nil {
		return fmt.Errorf("%w: %w", adapters.ErrInvalidInput, err)
	}
	return nil
}

// nameOf gives the name that a raw key stands for. Only keys with escapes cost anything.
func nameOf(key []byte) []byte {
	if len(key) < 2 {
		return nil
	}
	if bytes.IndexByte(key, '\\') < 0 {
		return key[1 : len(key)-1]
	}
	s, _ := rawjson.String(key)
	return []byte(s)
}

func isNull(raw []byte) bool   { return len(raw) == 0 || raw[0] == 'n' }
func isString(raw []byte) bool { return len(raw) > 0 && raw[0] == '"' }
func isArray(raw []byte) bool  { return len(raw) > 0 && raw[0] == '[' }
func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }
func isTrue(raw []byte) bool   { return string(raw) == "true" }

// stringAt takes a string, or nil for null and what is not there.
func stringAt(raw []byte, path string) (canonical.Token, error) {
	if isNull(raw) {
		return nil, nil
	}
	if !isString(raw) {
		return nil, invalid(path, "must be a string")
	}
	return canonical.Token(raw), nil
}

// memberString is stringAt for the member of what stands at path.
func memberString(raw []byte, path, name string) (canonical.Token, error) {
	if isString(raw) { // most often, and then its path costs nothing
		return canonical.Token(raw), nil
	}
	return stringAt(raw, path+"."+name)
}

// expected guesses how many elements a list has from its length, for the first allocation.
func expected(list []byte) int {
	const usual, most = 512, 32 // bytes of a turn or a tool, and what a guess may cost
	return min(len(list)/usual+1, most)
}

// lenientString is stringAt for answers, where anything else counts as not said.
func lenientString(raw []byte) canonical.Token {
	if !isString(raw) {
		return nil
	}
	return canonical.Token(raw)
}

// find gives the value of a member of an object, and nil for null or nothing.
func find(raw []byte, name string) []byte {
	v, _ := rawjson.Find(raw, name)
	if isNull(v) {
		return nil
	}
	return v
}

// is tells whether a token stands for a word that needs no escape.
func is(t []byte, word string) bool {
	return len(t) == len(word)+2 && string(t[1:len(t)-1]) == word
}

// keep takes a member that the neutral model has no place for.
func keep(to *[]canonical.Field, name, raw []byte) {
	*to = append(*to, canonical.Field{Name: string(name), Raw: raw})
}

// extra gives a member that was kept.
func extra(fields []canonical.Field, name string) canonical.Raw {
	for _, f := range fields {
		if f.Name == name {
			return f.Raw
		}
	}
	return nil
}

// at gives the path of an element.
func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// join gives the path of a member.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// mediaPath tells where members of a medium stood that was decoded from a dialect.
func mediaPath(source string, p *canonical.Part) string {
	switch {
	case source == sourceAnthropic:
		return join(p.Path, "source")
	case p.Kind == canonical.PartAudio:
		return join(p.Path, "input_audio")
	case source != chatSource:
		return p.Path
	case p.Kind == canonical.PartImage:
		return join(p.Path, "image_url")
	default:
		return join(p.Path, "file")
	}
}

// extraPath tells where a kept member of a part stood: in the part, or in the message item that the part is of.
func extraPath(p *canonical.Part, name string) string {
	if inside, ok := strings.CutPrefix(name, insideMessage); ok {
		if i := strings.LastIndex(p.Path, ".content["); i >= 0 {
			return join(p.Path[:i], inside)
		}
	}
	return join(p.Path, name)
}

// inSource picks what something is called in the dialect that a request came in.
func inSource(source, anthropic, chat, responses string) string {
	switch source {
	case sourceAnthropic:
		return anthropic
	case chatSource:
		return chat
	default:
		return responses
	}
}

// below takes the prefix off the name of a kept member; without a prefix, a name must have no dot of a nested one.
func below(prefix, name string) (string, bool) {
	if prefix != "" {
		return strings.CutPrefix(name, prefix)
	}
	for _, nested := range [...]string{"function.", "custom.", "json_schema.", "function_call.", "message."} {
		if strings.HasPrefix(name, nested) {
			return "", false
		}
	}
	return name, true
}
