package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
	"github.com/ccproxy-go/ccproxy/internal/secret"
)

// decoder puts a tree into Go values by the rules of [ccproxy.ConfigFor], and goes on after a mistake.
type decoder struct {
	mistakes KeyErrors
}

func (d *decoder) failf(at Origin, key, format string, args ...any) {
	d.mistakes = append(d.mistakes, &KeyError{Origin: at, Key: key, Problem: fmt.Sprintf(format, args...)})
}

// wrong reports a value of the wrong type.
func (d *decoder) wrong(n *node, key string, t reflect.Type) {
	d.failf(n.at, key, "is %s, must be %s", n.kind(), expected(t))
}

// kind says what a node is, without its value.
func (n *node) kind() string {
	switch n.value.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64, int, uint64:
		return "a whole number"
	case float64:
		return "a number"
	case nil:
		if n.table != nil {
			return "a table"
		}
		if n.list != nil {
			return "a list"
		}
		return "null"
	default:
		return "a date or time"
	}
}

// value decodes n into v, which has the right type or is a pointer to it.
func (d *decoder) value(n *node, v reflect.Value, key string) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, v.Elem(), key)
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		d.duration(n, v, key)
	case n.value != nil && reflect.TypeOf(n.value) == v.Type():
		v.Set(reflect.ValueOf(n.value))
	case readsText(v.Type()):
		d.text(n, v, key)
	default:
		d.byKind(n, v, key)
	}
}

func (d *decoder) byKind(n *node, v reflect.Value, key string) {
	switch v.Kind() {
	case reflect.Interface:
		if p := n.plain(); p != nil && reflect.TypeOf(p).AssignableTo(v.Type()) {
			v.Set(reflect.ValueOf(p))
		}
	case reflect.Struct:
		d.fields(n, v, shape{typ: v.Type()}, key)
	case reflect.Map:
		d.entries(n, v, key)
	case reflect.Slice:
		d.elements(n, v, key)
	case reflect.Array:
		d.array(n, v, key)
	default:
		d.scalar(n, v, key)
	}
}

func (d *decoder) scalar(n *node, v reflect.Value, key string) {
	switch x := n.value.(type) {
	case string:
		if v.Kind() == reflect.String {
			v.SetString(x)
			return
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return
		}
	case int64:
		if d.whole(n, x, v, key) {
			return
		}
	case float64:
		if v.CanFloat() {
			v.SetFloat(x)
			return
		}
	}
	d.wrong(n, key, v.Type())
}

// whole tells whether v takes numbers at all.
func (d *decoder) whole(n *node, x int64, v reflect.Value, key string) bool {
	switch {
	case v.CanInt() && !v.OverflowInt(x):
		v.SetInt(x)
	case v.CanUint() && x >= 0 && !v.OverflowUint(uint64(x)):
		v.SetUint(uint64(x))
	case v.CanUint() && x < 0:
		d.failf(n.at, key, "must not be negative")
	case v.CanFloat():
		v.SetFloat(float64(x))
	case v.CanInt(), v.CanUint():
		d.failf(n.at, key, "is too large or too small")
	default:
		return false
	}
	return true
}

// duration reads numbers as seconds.
func (d *decoder) duration(n *node, v reflect.Value, key string) {
	const most = float64(math.MaxInt64 / int64(time.Second))
	switch x := n.value.(type) {
	case string:
		if span, err := time.ParseDuration(x); err == nil {
			v.SetInt(int64(span))
			return
		}
		d.failf(n.at, key, "must be %s", expected(v.Type()))
		return
	case int64:
		if math.Abs(float64(x)) < most {
			v.SetInt(x * int64(time.Second))
			return
		}
	case float64:
		if math.Abs(x) < most {
			v.SetInt(int64(x * float64(time.Second)))
			return
		}
	default:
		d.wrong(n, key, v.Type())
		return
	}
	d.failf(n.at, key, "is too large or too small")
}

// text hands a string to the type's own reading. Its error may quote the value and is not shown.
func (d *decoder) text(n *node, v reflect.Value, key string) {
	text, ok := n.value.(string)
	if !ok {
		d.wrong(n, key, v.Type())
		return
	}
	u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	if !ok {
		return
	}
	err := u.UnmarshalText([]byte(text))
	switch {
	case errors.Is(err, secret.ErrRedacted):
		d.failf(n.at, key, "is the placeholder that stands for a secret, not the secret")
	case err != nil && v.Type() == reflect.TypeFor[Level]():
		d.failf(n.at, key, "must be %s", levelNames)
	case err != nil:
		d.failf(n.at, key, "is not a valid value")
	}
}

// fields decodes a table into a struct. Keys of the shape's extra are left to the caller.
func (d *decoder) fields(n *node, v reflect.Value, s shape, key string) {
	if n.table == nil {
		d.failf(n.at, key, "is %s, must be a table", n.kind())
		return
	}
	byKey := make(map[string]field)
	var rest []int
	if v.IsValid() {
		var fields []field
		fields, rest = fieldsOf(v.Type())
		for _, f := range fields {
			byKey[f.key] = f
		}
	}
	for _, name := range n.keys() {
		_, extra := s.extra[name]
		f, known := byKey[name]
		switch {
		case extra:
		case known:
			d.value(n.table[name], fieldAt(v, f.index), join(key, name))
		case rest != nil:
		default:
			d.unknown(n.table[name], join(key, name), name, s)
		}
	}
}

// fieldAt is Value.FieldByIndex that makes what is missing on the way.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// unknown reports a key that nobody takes; obsolete ones with what to use instead.
func (d *decoder) unknown(n *node, key, name string, s shape) {
	if found := obsoleteKeys(n, key); len(found) > 0 {
		d.mistakes = append(d.mistakes, found...)
		return
	}
	d.failf(n.origin, key, "unknown key%s", nearest.Hint(name, s.names()))
}

// entries decodes a table into a map, beside the entries that it has.
func (d *decoder) entries(n *node, v reflect.Value, key string) {
	t := v.Type()
	if n.table == nil || t.Key().Kind() != reflect.String {
		d.wrong(n, key, t)
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(t, len(n.table)))
	}
	for _, name := range n.keys() {
		at := reflect.ValueOf(name).Convert(t.Key())
		entry := reflect.New(t.Elem()).Elem()
		d.value(n.table[name], entry, join(key, name))
		v.SetMapIndex(at, entry)
	}
}

// elements decodes a list, which takes the place of the one that is there.
func (d *decoder) elements(n *node, v reflect.Value, key string) {
	if n.list == nil {
		d.wrong(n, key, v.Type())
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.list), len(n.list)))
	for i, child := range n.list {
		d.value(child, v.Index(i), element(key, i))
	}
}

func (d *decoder) array(n *node, v reflect.Value, key string) {
	if n.list == nil {
		d.wrong(n, key, v.Type())
		return
	}
	if len(n.list) > v.Len() {
		d.failf(n.at, key, "has %d elements, takes at most %d", len(n.list), v.Len())
		return
	}
	for i, child := range n.list {
		d.value(child, v.Index(i), element(key, i))
	}
}
