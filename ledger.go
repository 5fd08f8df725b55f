package ccproxy

import (
	"slices"
	"sync"
)

// ledger records what a plugin has put anywhere, so that all of it can be undone, in reverse.
type ledger struct {
	mu     sync.Mutex
	closed bool
	undo   []func()
}

// add records how to undo something and returns a function that does it once, now or with the rest. When the
// ledger is closed already, as it is for a plugin that was given up, the thing is undone at once.
func (l *ledger) add(undo func()) func() {
	var once sync.Once
	f := func() { once.Do(undo) }
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.undo = append(l.undo, f)
	}
	l.mu.Unlock()
	if closed {
		f()
	}
	return f
}

// close undoes everything. Further things are undone as they come.
func (l *ledger) close() {
	l.mu.Lock()
	undo := l.undo
	l.undo, l.closed = nil, true
	l.mu.Unlock()
	for _, f := range slices.Backward(undo) {
		f()
	}
}

func (l *ledger) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}
