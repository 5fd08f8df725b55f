package metrics

import (
	"net/http"
	"strconv"
	"sync"
	"unicode/utf8"
)

// other stands for whatever is not to have series of its own, none for what has no name.
const (
	other = "other"
	none  = "none"
)

// maxLabel is how long a value may be, in bytes: clients choose the names of models, and each is on hundreds of lines.
const maxLabel = 128

// names bounds the values of a label.
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
		return none
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

func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return other
}

func statusLabel(status int) string {
	switch {
	case status == http.StatusOK: // as nearly all are
		return "200"
	case status < 100 || status > 599:
		return none // the client was sent nothing
	}
	return strconv.Itoa(status)
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}
