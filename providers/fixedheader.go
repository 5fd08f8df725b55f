package providers

import (
	"maps"
	"net/http"
	"slices"
)

// fixedHeader is what [Upstream.Header] adds to every request. A header whose name is not one of the dialects' own may
// well hold a credential, of a gateway in front of the API for one: hooks do not see it, and it is taken out of what
// an upstream repeats.
type fixedHeader struct {
	all    http.Header
	hidden []string // names
	values []string // of hidden headers, as far as they are long enough to be looked for
}

func newFixedHeader(h http.Header) fixedHeader {
	f := fixedHeader{all: sharedHeader(h)}
	open := newAllowList(requestHeaders())
	for name, values := range f.all {
		if open.has(name) {
			continue
		}
		f.hidden = append(f.hidden, name)
		for _, v := range values {
			if len(v) >= minSecret {
				f.values = append(f.values, v)
			}
		}
	}
	return f
}

// conceal returns the header as hooks may see it.
func (f *fixedHeader) conceal(h http.Header) http.Header {
	if len(f.hidden) == 0 {
		return h
	}
	shown := maps.Clone(h)
	for _, name := range f.hidden {
		delete(shown, name)
	}
	return shown
}

// restore returns the header as hooks left it, with what conceal left out, whatever a hook has put there.
func (f *fixedHeader) restore(shown, full http.Header) http.Header {
	if shown == nil {
		shown = make(http.Header, len(f.hidden))
	}
	for _, name := range f.hidden {
		shown[name] = full[name]
	}
	return shown
}

// sharedHeader returns a copy to which nobody can add in place: requests share its values.
func sharedHeader(h http.Header) http.Header {
	h = h.Clone()
	for name, values := range h {
		h[name] = slices.Clip(values)
	}
	return h
}
