package hooks

import (
	"encoding/json"
	"iter"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// Header is a snapshot of a message's header in which credentials are redacted. It cannot be changed, so any
// number of hooks share one. The zero value is empty.
type Header struct{ lines []line } // those of one field lie together

// line is one value of a header and its name. A message has few, so a list is made and searched faster than
// a map.
type line struct{ name, value string }

// SnapshotHeader copies h. A field that carries credentials, by its name, keeps its place but its values
// become "[REDACTED]"; fields that hold a URL go through [SafeURL]. A field without a value, which is never
// sent, is left out.
func SnapshotHeader(h http.Header) Header {
	if len(h) == 0 {
		return Header{}
	}
	n := 0
	for _, values := range h {
		n += len(values)
	}
	lines := make([]line, 0, n)
	for name, values := range h {
		if len(values) == 0 {
			continue
		}
		kind := kindOf(name)
		for _, v := range values {
			switch kind {
			case secretField:
				v = redacted
			case addressField:
				v = safeText(v)
			case plainField:
			}
			lines = append(lines, line{name, v})
		}
	}
	return Header{lines}
}

// Value returns the first value of the field, empty if there is none. Case does not matter.
func (h Header) Value(name string) string {
	field := h.field(name)
	if len(field) == 0 {
		return ""
	}
	return field[0].value
}

// Values returns a copy of all values of the field.
func (h Header) Values(name string) []string { return valuesOf(h.field(name)) }

// All yields each value with its name; names come in alphabetical order.
func (h Header) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		lines := slices.Clone(h.lines)
		slices.SortStableFunc(lines, func(a, b line) int { return strings.Compare(a.name, b.name) })
		for _, l := range lines {
			if !yield(l.name, l.value) {
				return
			}
		}
	}
}

// Len is the number of fields.
func (h Header) Len() (n int) {
	for range h.fields() {
		n++
	}
	return n
}

// MarshalJSON writes the snapshot as an object of arrays, redacted as it is.
func (h Header) MarshalJSON() ([]byte, error) {
	fields := make(map[string][]string, len(h.lines))
	for field := range h.fields() {
		fields[field[0].name] = valuesOf(field)
	}
	return json.Marshal(fields)
}

// fields yields the lines of each field.
func (h Header) fields() iter.Seq[[]line] {
	return func(yield func([]line) bool) {
		for rest := h.lines; len(rest) > 0; {
			n := extent(rest)
			if !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// field returns the lines of one field.
func (h Header) field(name string) []line {
	if f := h.exactly(textproto.CanonicalMIMEHeaderKey(name)); f != nil {
		return f
	}
	return h.exactly(name) // a field that was set under a name of unusual case
}

func (h Header) exactly(name string) []line {
	for i, l := range h.lines {
		if l.name == name {
			return h.lines[i : i+extent(h.lines[i:])]
		}
	}
	return nil
}

// extent is how many of the lines belong to the field of the first.
func extent(lines []line) int {
	n := 1
	for n < len(lines) && lines[n].name == lines[0].name {
		n++
	}
	return n
}

func valuesOf(field []line) []string {
	if field == nil {
		return nil
	}
	values := make([]string, len(field))
	for i, l := range field {
		values[i] = l.value
	}
	return values
}

// safeText is SafeURL for a URL that is still text.
func safeText(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return redacted
	}
	return SafeURL(u)
}
