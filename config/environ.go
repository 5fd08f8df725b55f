package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

// KeyVariable is an environment variable that other programs know too, and the key of a plugin that it sets if no
// source says anything about that key.
type KeyVariable struct {
	Variable string // such as "ANTHROPIC_API_KEY"
	Plugin   string // such as "claude_api"; nothing happens if it is not registered
	Key      string // such as "api_key"; nothing happens if the plugin's configuration has no such key
}

// KeyVariables returns a new slice of the variables that vendors have made well known.
func KeyVariables() []KeyVariable {
	return []KeyVariable{
		{"ANTHROPIC_API_KEY", "claude_api", "api_key"},
		{"OPENAI_API_KEY", "codex", "api_key"},
	}
}

const (
	prefix    = "CCPROXY__"
	separator = "__"
)

// variable is an environment variable that may be meant for us.
type variable struct {
	name, value string
	path        []string
	ours        bool // nobody else would use such a name
	prefixed    bool
}

// variables finds those that may be meant for us, in the order in which they are applied: what is said of a whole
// table before what is said of its keys, then the plain name before the one with the prefix. An empty variable counts
// as one that is not set.
func variables(environ []string) []variable {
	var found []variable
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || value == "" {
			continue
		}
		if v, ours := parseName(name); ours {
			v.value = value
			found = append(found, v)
		}
	}
	slices.SortStableFunc(found, func(a, b variable) int {
		return cmp.Or(
			cmp.Compare(len(a.path), len(b.path)), boolOrder(a.prefixed, b.prefixed),
			boolOrder(a.name == strings.ToUpper(a.name), b.name == strings.ToUpper(b.name)),
			strings.Compare(a.name, b.name),
		)
	})
	return found
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// parseName splits a name into the path of a key. Without the prefix, only names that begin with one of our tables,
// or are one of our keys, are taken.
func parseName(name string) (variable, bool) {
	upper := strings.ToUpper(name)
	if strings.HasPrefix(upper, prefix) {
		path := strings.Split(name[len(prefix):], separator)
		return variable{name: name, path: path, ours: true, prefixed: true}, true
	}
	path := strings.Split(name, separator)
	table := strings.ToLower(path[0])
	s := documentShape(nil).children()[table]
	switch {
	case table == "plugins" && len(path) > 1:
		return variable{name: name, path: path, ours: true}, true
	case len(path) > 1 && s.isStruct(), len(path) == 1 && s.typ != nil && !s.isStruct():
		return variable{name: name, path: path}, true
	default:
		return variable{}, false
	}
}

// applyEnvironment lays the environment over the tree. What it does not know is a warning, since the environment
// belongs to others too.
func (l *loader) applyEnvironment() {
	for _, v := range variables(l.environ) {
		at := Origin{Source: SourceEnvironment, Variable: v.name}
		path, s, hint := l.resolve(v.path)
		if path == nil {
			if v.ours || hint != "" {
				l.warnf("%s: no key has this name%s", at, hint)
			}
			continue
		}
		l.tree.set(path, newNode(parseText(v.value, s.typ), at))
	}
	l.applyKeyVariables()
}

func (l *loader) applyKeyVariables() {
	known := l.options.KeyVariables
	if known == nil {
		known = KeyVariables()
	}
	for _, k := range known {
		value := lookupVariable(l.environ, k.Variable)
		if value == "" || l.plugins[k.Plugin] == nil || l.inCode(k.Plugin) {
			continue
		}
		path, s, _ := l.resolve([]string{"plugins", k.Plugin, k.Key})
		table := l.tree.lookup("plugins", k.Plugin)
		if path == nil || table.lookup(k.Key) != nil || table != nil && table.table == nil {
			continue
		}
		l.tree.set(path, newNode(parseText(value, s.typ), Origin{Source: SourceEnvironment, Variable: k.Variable}))
	}
}

func lookupVariable(environ []string, name string) string {
	found := ""
	for _, entry := range environ {
		if n, value, ok := strings.Cut(entry, "="); ok && n == name {
			found = value
		}
	}
	return found
}

// resolve finds the key that a path means whatever its case, and what may stand there. For a path that means none it
// returns nil and a hint.
func (l *loader) resolve(path []string) (keys []string, s shape, hint string) {
	s = l.shape
	n := l.tree
	for _, part := range path {
		key, next, ok := s.step(n, part)
		if !ok {
			return nil, shape{}, nearest.Hint(part, s.names())
		}
		keys = append(keys, key)
		s, n = next, n.lookup(key)
	}
	return keys, s, ""
}

// step finds the key that is meant by a part of a path: one that is known, or for tables that take any key one that
// is there already, or else the part in lower case.
func (s shape) step(n *node, part string) (string, shape, bool) {
	children := s.children()
	for _, name := range s.names() {
		if strings.EqualFold(name, part) {
			return name, children[name], true
		}
	}
	open, ok := s.any()
	if !ok || part == "" {
		return "", shape{}, false
	}
	if n != nil {
		for _, name := range n.keys() {
			if strings.EqualFold(name, part) {
				return name, open, true
			}
		}
	}
	return strings.ToLower(part), open, true
}

// parseText reads text as the type wants it; a nil type is a table. Text that does not fit stays a string, so that
// decoding says what is wrong.
func parseText(text string, t reflect.Type) any {
	if t == nil {
		return textOr(parseJSON(text))(text)
	}
	t = deref(t)
	if t != reflect.TypeFor[time.Duration]() && takesText(t) {
		return text
	}
	trimmed := strings.TrimSpace(text)
	switch t.Kind() {
	case reflect.Bool:
		if b, err := strconv.ParseBool(trimmed); err == nil {
			return b
		}
		return text
	case reflect.Slice, reflect.Array:
		if !strings.HasPrefix(trimmed, "[") && takesText(t.Elem()) {
			return splitList(text)
		}
	default:
	}
	return textOr(parseJSON(trimmed))(text)
}

// textOr takes the value unless there was an error.
func textOr(value any, err error) func(string) any {
	return func(text string) any {
		if err != nil || value == nil {
			return text
		}
		return value
	}
}

func splitList(text string) []any {
	list := []any{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// parseJSON reads one JSON value with the types that TOML has.
func parseJSON(text string) (any, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return numbers(v), nil
}

// numbers turns JSON's numbers into whole numbers where they are, as TOML tells them apart.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = numbers(v[key])
		}
	}
	return v
}
