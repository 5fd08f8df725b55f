package openai

import "github.com/ccproxy-go/ccproxy/adapters/canonical"

// partLists makes the lists of parts of a conversation in few allocations: there are as many lists as messages, and
// most have a part or two.
type partLists struct{ free []canonical.Part }

// mostParts bounds how many parts are allocated at once.
const mostParts = 32

// of copies one list and another one to its end. Nil is the empty list.
func (l *partLists) of(list, more []canonical.Part) []canonical.Part {
	n := len(list) + len(more)
	if n == 0 {
		return nil
	}
	if cap(l.free)-len(l.free) < n {
		// A request of one message shall not pay for a long conversation.
		l.free = make([]canonical.Part, 0, max(n, min(2*cap(l.free), mostParts)))
	}
	start := len(l.free)
	l.free = append(append(l.free, list...), more...)
	return l.free[start:len(l.free):len(l.free)]
}
