package config

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

// applyOverride lays what the code says over the tree.
func (l *loader) applyOverride() {
	at := Origin{Source: SourceOverride}
	keys := slices.SortedFunc(maps.Keys(l.options.Override), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "."), strings.Count(b, ".")), strings.Compare(a, b))
	})
	for _, key := range keys {
		path, s, hint := l.resolve(strings.Split(key, "."))
		if path == nil {
			l.failf(at, key, "unknown key%s", hint)
			continue
		}
		value, ok := plainValue(l.options.Override[key])
		if !ok {
			l.failf(at, key, "a value of type %T cannot be used", l.options.Override[key])
			continue
		}
		if text, isText := value.(string); isText {
			value = parseText(text, s.typ)
		}
		l.tree.set(path, newNode(value, at))
	}
}

// plainValue turns a Go value into what TOML would give for it.
func plainValue(v any) (any, bool) {
	switch v := v.(type) {
	case ccproxy.Secret:
		return v.Reveal(), true
	case time.Duration:
		return v.String(), true
	case time.Time:
		return v, true
	}
	r := reflect.ValueOf(v)
	switch {
	case !r.IsValid():
		return nil, false
	case r.Kind() == reflect.String:
		return r.String(), true
	case r.Kind() == reflect.Bool:
		return r.Bool(), true
	case r.CanInt():
		return r.Int(), true
	case r.CanUint() && r.Uint() <= 1<<63-1:
		return int64(r.Uint()), true //nolint:gosec // compared in the line above
	case r.CanFloat():
		return r.Float(), true
	case r.Kind() == reflect.Slice:
		return plainList(r)
	case r.Kind() == reflect.Map && r.Type().Key().Kind() == reflect.String:
		return plainMap(r)
	}
	return nil, false
}

func plainList(r reflect.Value) (any, bool) {
	list := make([]any, r.Len())
	for i := range list {
		value, ok := plainValue(r.Index(i).Interface())
		if !ok {
			return nil, false
		}
		list[i] = value
	}
	return list, true
}

func plainMap(r reflect.Value) (any, bool) {
	table := make(map[string]any, r.Len())
	for entry := r.MapRange(); entry.Next(); {
		value, ok := plainValue(entry.Value().Interface())
		if !ok {
			return nil, false
		}
		table[entry.Key().String()] = value
	}
	return table, true
}

// checkPluginNames finds names in a list of plugins that none has.
func (l *loader) checkPluginNames(key string) {
	n := l.tree.lookup(key)
	if n == nil {
		return
	}
	for i, child := range n.list {
		name, ok := child.value.(string)
		if ok && l.plugins[name] == nil {
			l.failf(child.at, element(key, i), "no plugin %q is registered%s", name, nearest.Hint(name, l.names()))
		}
	}
}
