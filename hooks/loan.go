package hooks

import "sync"

// loan is the use of a body by a mutator, which may keep its request for ever while the body's memory is given to the
// next request. The nil loan never ends.
type loan struct {
	mu   sync.Mutex
	over bool
}

// begin reports whether the body may be used, until end is called.
func (l *loan) begin() bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return false
	}
	return true
}

func (l *loan) end() {
	if l != nil {
		l.mu.Unlock()
	}
}

// recall ends the loan. It waits while the body is being used, which is for no longer than copying it takes.
func (l *loan) recall() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
}
