package anthropic

import (
	"strconv"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// writer appends JSON and puts the commas. The zero value is ready.
type writer struct {
	b []byte
}

// separate puts a comma unless the value to come is the first of its container or belongs to a key. No value ends
// in one of these bytes: strings end in a quote.
func (w *writer) separate() {
	if len(w.b) == 0 {
		return
	}
	switch w.b[len(w.b)-1] {
	case '{', '[', ':':
	default:
		w.b = append(w.b, ',')
	}
}

// open starts an object or array.
func (w *writer) open(bracket byte) {
	w.separate()
	w.b = append(w.b, bracket)
}

// shut ends an object or array.
func (w *writer) shut(bracket byte) { w.b = append(w.b, bracket) }

// key writes a member's name, which needs no escapes.
func (w *writer) key(name string) {
	w.separate()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// value writes an element or the value of a key.
func (w *writer) value(raw []byte) {
	w.separate()
	w.b = append(w.b, raw...)
}

// raw writes a member, unless there is no value.
func (w *writer) raw(name string, raw []byte) {
	if raw == nil {
		return
	}
	w.key(name)
	w.b = append(w.b, raw...)
}

// word writes a member whose value is a string that needs no escapes.
func (w *writer) word(name, value string) {
	w.key(name)
	w.b = append(w.b, '"')
	w.b = append(w.b, value...)
	w.b = append(w.b, '"')
}

// token writes a member whose value is a string; none is written as "".
func (w *writer) token(name string, t canonical.Token) {
	if t == nil {
		t = canonical.Token(`""`)
	}
	w.raw(name, t)
}

// integer writes a member whose value is a number.
func (w *writer) integer(name string, n int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

// boolean writes a member whose value is true or false.
func (w *writer) boolean(name string, v bool) {
	w.key(name)
	w.b = strconv.AppendBool(w.b, v)
}

// field writes a member whose name may need escapes.
func (w *writer) field(name string, raw []byte) {
	w.separate()
	w.b = rawjson.AppendString(w.b, name)
	w.b = append(w.b, ':')
	w.b = append(w.b, raw...)
}

// fields writes members as they were found.
func (w *writer) fields(list []canonical.Field) {
	for _, f := range list {
		w.field(f.Name, f.Raw)
	}
}
