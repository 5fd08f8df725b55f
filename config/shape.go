package config

import (
	"encoding"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ccproxy-go/ccproxy"
)

// shape is what may stand at a key: a value of a type, with further keys beside those of the type.
type shape struct {
	typ   reflect.Type // nil for a table of nothing but extra
	extra map[string]shape
}

// enabledKey is the key of every plugin's table that is the proxy's own.
const enabledKey = "enabled"

// documentShape is the shape of a whole file, for the plugins of a registry.
func documentShape(plugins map[string]*plugin) shape {
	tables := make(map[string]shape, len(plugins))
	for name, p := range plugins {
		tables[name] = shape{typ: p.typ(), extra: map[string]shape{enabledKey: {typ: reflect.TypeFor[bool]()}}}
	}
	return shape{typ: reflect.TypeFor[document](), extra: map[string]shape{"plugins": {extra: tables}}}
}

// field is a key of a struct.
type field struct {
	key   string
	index []int
	typ   reflect.Type
}

// fieldsOf lists the keys of a struct type. rest is the index of the field that takes all other keys, if there is one.
// It reads the tags as the proxy does when it is built.
func fieldsOf(t reflect.Type) (fields []field, rest []int) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case strings.Contains(options, "squash") && deref(f.Type).Kind() == reflect.Struct:
			inner, innerRest := fieldsOf(deref(f.Type))
			for _, sub := range inner {
				sub.index = append(slices.Clone(f.Index), sub.index...)
				fields = append(fields, sub)
			}
			if innerRest != nil {
				rest = append(slices.Clone(f.Index), innerRest...)
			}
		case strings.Contains(options, "remain"):
			rest = f.Index
		case name == "":
			fields = append(fields, field{key: snake(f.Name), index: f.Index, typ: f.Type})
		default:
			fields = append(fields, field{key: name, index: f.Index, typ: f.Type})
		}
	}
	return fields, rest
}

// children returns the shapes of the keys that are known, by key.
func (s shape) children() map[string]shape {
	known := make(map[string]shape)
	if s.isStruct() {
		fields, _ := fieldsOf(deref(s.typ))
		for _, f := range fields {
			known[f.key] = shape{typ: f.typ}
		}
	}
	maps.Copy(known, s.extra)
	return known
}

func (s shape) isStruct() bool {
	return s.typ != nil && deref(s.typ).Kind() == reflect.Struct && !isScalar(s.typ)
}

// any returns the shape of keys that are not known by name, for tables that take any.
func (s shape) any() (shape, bool) {
	if s.typ == nil || isScalar(s.typ) {
		return shape{}, false
	}
	switch t := deref(s.typ); t.Kind() {
	case reflect.Map:
		return shape{typ: t.Elem()}, true
	case reflect.Interface:
		return shape{typ: t}, true
	case reflect.Struct:
		_, rest := fieldsOf(t)
		return shape{typ: reflect.TypeFor[any]()}, rest != nil
	default:
		return shape{}, false
	}
}

// names lists the keys that are known, in order.
func (s shape) names() []string { return slices.Sorted(maps.Keys(s.children())) }

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// isScalar tells whether a type takes one value though Go makes it of several.
func isScalar(t reflect.Type) bool {
	return deref(t) == reflect.TypeFor[time.Duration]() || readsText(t)
}

// readsText tells whether a type is decoded from a string by itself.
func readsText(t reflect.Type) bool {
	return reflect.PointerTo(deref(t)).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// takesText tells whether a type takes any string.
func takesText(t reflect.Type) bool { return deref(t).Kind() == reflect.String || readsText(t) }

// expected says what a type takes, to follow "must be".
func expected(t reflect.Type) string {
	t = deref(t)
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return `a number of seconds or a string such as "1m30s"`
	case t == reflect.TypeFor[Level]():
		return levelNames
	case readsText(t):
		return "a string"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a table"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

// snake turns "BaseURL" into "base_url": the key of a field without a tag.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		begins := i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if unicode.IsUpper(r) && begins {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// plugin is what the configuration needs to know of a registered plugin.
type plugin struct {
	manifest ccproxy.Manifest
	config   reflect.Value // a new configuration with its defaults, addressable; invalid for a plugin that has none
}

func (p *plugin) typ() reflect.Type {
	if !p.config.IsValid() {
		return nil
	}
	return p.config.Type()
}

// newPlugin calls the plugin's code for its defaults, which is no reason to bring the application down.
func newPlugin(m ccproxy.Manifest) (p *plugin, err *KeyError) {
	defer func() {
		if recover() != nil {
			err = &KeyError{Key: join("plugins", m.Name), Problem: "the plugin panics when asked for its defaults"}
		}
	}()
	p = &plugin{manifest: m}
	cfg := reflect.ValueOf(m.Config.New())
	if cfg.Kind() == reflect.Pointer && cfg.Type().Elem().Kind() == reflect.Struct {
		if cfg.IsNil() {
			cfg = reflect.New(cfg.Type().Elem())
		}
		p.config = cfg.Elem()
	}
	return p, nil
}
