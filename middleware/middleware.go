package middleware

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
)

// Func is middleware: it gets the next handler and gives the one to call in its place.
type Func = func(http.Handler) http.Handler

// Layer places middleware: the lowest is outermost and sees a request first. Any number may be used.
type Layer int

// The layers that have names.
const (
	LayerSecurity       Layer = 100
	LayerObservability  Layer = 200
	LayerTransformation Layer = 300
	LayerRouting        Layer = 400
	LayerApplication    Layer = 500
)

// String gives the layer's name in lower case, or its number if it has none.
func (l Layer) String() string {
	switch l {
	case LayerSecurity:
		return "security"
	case LayerObservability:
		return "observability"
	case LayerTransformation:
		return "transformation"
	case LayerRouting:
		return "routing"
	case LayerApplication:
		return "application"
	default:
		return strconv.Itoa(int(l))
	}
}

// MarshalText gives String.
func (l Layer) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Entry is middleware with what is needed to order and to list it.
type Entry struct {
	Name string
	// Source is the plugin that brought it; empty for the core's.
	Source string
	Layer  Layer
	// Func wraps the next handler. [Chain] skips an entry without one.
	Func Func
}

// Sort orders entries in place, outermost first: by layer, then the core's before plugins', then by source
// and name. Entries equal in all of these keep their order.
func Sort(entries []Entry) { slices.SortStableFunc(entries, compareEntries) }

func compareEntries(a, b Entry) int {
	// The core's empty source sorts before every plugin's name.
	return cmp.Or(
		cmp.Compare(a.Layer, b.Layer),
		cmp.Compare(a.Source, b.Source),
		cmp.Compare(a.Name, b.Name),
	)
}

// Chain makes one Func of the entries in the order of [Sort], whatever order they are given in. Each Func is
// called once for every handler that is wrapped, innermost first. Without entries the handler stays itself.
func Chain(entries ...Entry) Func {
	sorted := slices.Clone(entries)
	Sort(sorted)
	return func(next http.Handler) http.Handler {
		for _, e := range slices.Backward(sorted) {
			if e.Func != nil {
				next = e.Func(next)
			}
		}
		return next
	}
}

// SummaryEntry is one line of a [Summary].
type SummaryEntry struct {
	Name string `json:"name"`
	// Priority is the layer's number.
	Priority int   `json:"priority"`
	Layer    Layer `json:"layer"`
	// Source is empty for the core's.
	Source string `json:"source"`
}

// Summary lists the entries in the order in which a request passes them.
func Summary(entries []Entry) []SummaryEntry {
	sorted := slices.Clone(entries)
	Sort(sorted)
	lines := make([]SummaryEntry, len(sorted))
	for i, e := range sorted {
		lines[i] = SummaryEntry{Name: e.Name, Priority: int(e.Layer), Layer: e.Layer, Source: e.Source}
	}
	return lines
}
