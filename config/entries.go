package config

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// Entry is one key of a configuration, for people to read. It holds no secret.
type Entry struct {
	// Key is the full key, such as "server.port".
	Key string
	// Type says what the key takes, such as "a string".
	Type string
	// Value is the value as a file would have it, "" for none. What may be secret is "***".
	Value string
	// Default is the value without any source, in the same way.
	Default string
	// Description is what the key is for, "" for one of a plugin that does not ship with ccproxy.
	Description string
	// Secret tells that the value may not be shown.
	Secret bool
	// Origin is where the value is from.
	Origin Origin
}

// masked stands for a value that is not shown.
const masked = `"***"`

// Entries returns every key with its value: those of the proxy first, then those of the plugins that are registered,
// by name. A list and a table of free keys are one entry each.
func (f *File) Entries() []Entry { return slices.Clone(f.entries) }

// listEntries is called when everything was found right.
func (l *loader) listEntries(origins map[string]Origin) []Entry {
	e := entryLister{origins: origins, tree: l.tree, describer: newDescriber()}
	e.walk(reflect.ValueOf(l.document).Elem(), reflect.ValueOf(defaults()).Elem(), "")
	for _, name := range l.names() {
		p, key := l.plugins[name], join("plugins", name)
		on := Entry{Key: join(key, enabledKey), Type: "true or false", Description: enabledDescription}
		on.Default = strconv.FormatBool(!p.manifest.DefaultOff)
		on.Value = on.Default
		if n := l.tree.lookup("plugins", name, enabledKey); n != nil {
			on.Value = fmt.Sprint(n.value)
		}
		on.Origin = origins[on.Key]
		e.list = append(e.list, on)
		if fresh, err := newPlugin(p.manifest); err == nil && p.config.IsValid() {
			e.walk(p.config, fresh.config, key)
		}
	}
	return e.list
}

// entryLister makes entries of structs.
type entryLister struct {
	origins map[string]Origin
	tree    *node
	list    []Entry
	above   []reflect.Type

	describer describer
}

// walk adds the keys of a struct. byDefault is one with the defaults, or invalid.
func (e *entryLister) walk(v, byDefault reflect.Value, key string) {
	fields, _ := fieldsOf(v.Type())
	for _, f := range fields {
		value, fallback := member(v, f.index), member(byDefault, f.index)
		path, s := join(key, f.key), shape{typ: f.typ}
		if s.isStruct() && value.IsValid() && !slices.Contains(e.above, value.Type()) {
			e.above = append(e.above, value.Type())
			e.walk(value, fallback, path)
			e.above = e.above[:len(e.above)-1]
			continue
		}
		one := Entry{
			Key: path, Type: expected(f.typ), Secret: isSecret(f.key, f.typ), Origin: e.origin(path),
			Value: text(f.key, value), Default: text(f.key, fallback), Description: e.describer.of(v.Type(), f.index),
		}
		e.list = append(e.list, one)
	}
}

// origin is where a key is from, or what is in it: the source that counts most has the last word, and of several keys
// of one source the first in the file, or in the alphabet.
func (e *entryLister) origin(key string) Origin {
	if o, ok := e.origins[key]; ok {
		return o
	}
	var found Origin
	for k, o := range e.origins {
		if isBelow(k, key) && (found == Origin{} || o.before(found)) {
			found = o
		}
	}
	return found
}

// before orders origins for a key that has several: by what counts most, then by place.
func (o Origin) before(other Origin) bool {
	return cmp.Or(
		cmp.Compare(other.rank(), o.rank()), cmp.Compare(o.Line, other.Line), cmp.Compare(o.Column, other.Column),
		cmp.Compare(o.Variable, other.Variable),
	) < 0
}

// member is a field behind pointers, invalid where one of them is nil.
func member(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v = indirect(v); !v.IsValid() {
			return v
		}
		v = v.Field(i)
	}
	return indirect(v)
}

func indirect(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	return v
}

// isSecret tells whether a key's value may not be shown, by its type or else by its name.
func isSecret(name string, t reflect.Type) bool {
	if t == nil || deref(t) == reflect.TypeFor[ccproxy.Secret]() {
		return t != nil
	}
	if !takesText(t) && deref(t).Kind() != reflect.Interface {
		return false
	}
	name = strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	for _, end := range []string{"key", "token", "secret", "password", "passphrase", "authorization", "cookie"} {
		if name == end || strings.HasSuffix(name, "_"+end) {
			return true
		}
	}
	return false
}

// text is a value as TOML has it, "" for none.
func text(name string, v reflect.Value) string {
	if v = indirect(v); !v.IsValid() {
		return ""
	}
	if z, ok := reflect.TypeAssert[interface{ IsZero() bool }](v); ok && z.IsZero() {
		return ""
	}
	if isSecret(name, v.Type()) {
		if v.IsZero() {
			return ""
		}
		return masked
	}
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return strconv.Quote(d.String())
	}
	if readsText(v.Type()) {
		return strconv.Quote(fmt.Sprint(v.Interface()))
	}
	switch v.Kind() {
	case reflect.String:
		return strconv.Quote(withoutUser(v.String()))
	case reflect.Slice, reflect.Array:
		return listText(name, v)
	case reflect.Map:
		return mapText(name, v)
	case reflect.Struct:
		return structText(v)
	default:
		return fmt.Sprint(v.Interface())
	}
}

// withoutUser hides who logs in at an address.
func withoutUser(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		return s
	}
	u.User = url.User("redacted")
	return u.String()
}

func listText(name string, v reflect.Value) string {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return ""
	}
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = text(name, v.Index(i))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// mapText hides all headers, since any of them may authorize.
func mapText(name string, v reflect.Value) string {
	if v.IsNil() {
		return ""
	}
	var parts []string
	for entry := v.MapRange(); entry.Next(); {
		key := fmt.Sprint(entry.Key().Interface())
		value := text(key, entry.Value())
		if strings.Contains(name, "header") {
			value = masked
		}
		parts = append(parts, tomlKey(key)+" = "+value)
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}

func structText(v reflect.Value) string {
	var parts []string
	fields, _ := fieldsOf(v.Type())
	for _, f := range fields {
		if value := text(f.key, member(v, f.index)); value != "" && value != `""` {
			parts = append(parts, f.key+" = "+value)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// tomlKey quotes a key that is not bare.
func tomlKey(key string) string {
	bare := func(r rune) bool {
		return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if key != "" && !strings.ContainsFunc(key, func(r rune) bool { return !bare(r) }) {
		return key
	}
	return strconv.Quote(key)
}
