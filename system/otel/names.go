package otel

import (
	"sync"
	"unicode/utf8"
)

// maxErrorTypes bounds an attribute of metrics: types of errors come from upstreams, too.
const maxErrorTypes = 30

// other stands for whatever has no metrics of its own.
const other = "other"

// names bounds the values of an attribute of metrics. The zero value has none but other.
type names struct {
	max int

	mu    sync.RWMutex
	known map[string]bool
}

// label returns what a name is called in a metric. One that is not known is let in if admit says so and there is room;
// what is longer than maxLabel, or no text, never.
func (n *names) label(name string, admit bool) string {
	switch {
	case name == "":
		return ""
	case len(name) > maxLabel || !utf8.ValidString(name):
		return other
	}
	n.mu.RLock()
	known := n.known[name]
	n.mu.RUnlock()
	if known {
		return name
	}
	if !admit {
		return other
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.known[name] && len(n.known) >= n.max {
		return other
	}
	if n.known == nil {
		n.known = make(map[string]bool)
	}
	n.known[name] = true
	return name
}
