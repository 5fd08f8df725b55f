package hooks_test

import (
	"reflect"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// deref returns the payload struct, with the Usage it points to in place of the pointer, for printing.
func deref(p hooks.Payload) any {
	v := reflect.ValueOf(p).Elem()
	out := []any{v.Interface()}
	if f := v.FieldByName("Usage"); f.IsValid() {
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		c.FieldByName("Usage").SetZero()
		out = []any{c.Interface(), f.Elem().Interface()}
	}
	return out
}

// spoil overwrites everything an observer can reach through a payload.
func spoil(p hooks.Payload) { spoilValue(reflect.ValueOf(p)) }

func spoilValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			spoilValue(v.Elem())
		}
	case reflect.Struct:
		if h, ok := reflect.TypeAssert[hooks.Header](v); ok {
			spoilHeader(h)
		}
		for _, field := range v.Fields() {
			if field.CanSet() {
				spoilValue(field)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoilValue(v.Index(i))
		}
	case reflect.String:
		v.SetString("spoiled")
	case reflect.Int, reflect.Int64:
		v.SetInt(-1)
	case reflect.Float64:
		v.SetFloat(-1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	default: // interfaces: Custom.Data is shared by contract
	}
}

func spoilHeader(h hooks.Header) {
	for name := range h.All() {
		values := h.Values(name)
		for i := range values {
			values[i] = "spoiled"
		}
	}
}
