package openai

import (
	"strconv"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// writer puts a JSON value together. It sets the commas by itself. The zero value is ready.
type writer struct{ buf []byte }

// comma parts a value or member from the one before it.
func (w *writer) comma() {
	if len(w.buf) == 0 {
		return
	}
	switch w.buf[len(w.buf)-1] {
	case '{', '[', ':':
	default:
		w.buf = append(w.buf, ',')
	}
}

// key starts a member whose name needs no escape.
func (w *writer) key(name string) {
	w.comma()
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

// open starts an object or array, as an element or as the value of a key.
func (w *writer) open(bracket byte) {
	w.comma()
	w.buf = append(w.buf, bracket)
}

func (w *writer) close(bracket byte) { w.buf = append(w.buf, bracket) }

// value adds a value.
func (w *writer) value(raw []byte) {
	w.comma()
	w.buf = append(w.buf, raw...)
}

// member adds a member unless there is no value.
func (w *writer) member(name string, raw []byte) {
	if len(raw) == 0 {
		return
	}
	w.key(name)
	w.buf = append(w.buf, raw...)
}

// text adds a member whose value needs no escape.
func (w *writer) text(name, value string) {
	w.key(name)
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, value...)
	w.buf = append(w.buf, '"')
}

func (w *writer) number(name string, n int64) {
	w.key(name)
	w.buf = strconv.AppendInt(w.buf, n, 10)
}

// token adds a member with the string, or with null if there is none.
func (w *writer) token(name string, t canonical.Token) {
	w.key(name)
	if t == nil {
		w.buf = append(w.buf, "null"...)
		return
	}
	w.buf = append(w.buf, t...)
}

// fields adds members that were kept.
func (w *writer) fields(fields []canonical.Field) {
	for _, f := range fields {
		w.comma()
		w.buf = rawjson.AppendString(w.buf, f.Name)
		w.buf = append(w.buf, ':')
		w.buf = append(w.buf, f.Raw...)
	}
}

// inner gives what stands between the quotes of a token.
func inner(t canonical.Token) []byte {
	if t.Empty() {
		return nil
	}
	return t[1 : len(t)-1]
}
