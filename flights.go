package ccproxy

import (
	"context"
	"errors"
	"sync"
)

// ErrDraining is the cause with which requests end that a shutdown could not wait for.
var ErrDraining = errors.New("proxy is shutting down")

// flights counts the requests that are being served, and can end them.
type flights struct {
	mu     sync.Mutex
	first  *flight // a doubly linked list: entering and leaving allocate nothing
	closed bool
	idle   []chan struct{}
	closes chan struct{} // is closed when told is set; nil until somebody asks for it
	told   bool          // that nobody is let in any more, or soon
}

type flight struct {
	prev, next *flight
	cancel     context.CancelCauseFunc
}

// enter registers a request; it reports false when the proxy is draining. Otherwise leave must be called at its end.
func (f *flights) enter(fl *flight) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	fl.next = f.first
	if f.first != nil {
		f.first.prev = fl
	}
	f.first = fl
	return true
}

func (f *flights) leave(fl *flight) {
	f.mu.Lock()
	if fl.prev != nil {
		fl.prev.next = fl.next
	} else {
		f.first = fl.next
	}
	if fl.next != nil {
		fl.next.prev = fl.prev
	}
	if f.first == nil {
		for _, c := range f.idle {
			close(c)
		}
		f.idle = nil
	}
	f.mu.Unlock()
}

// drain lets nobody in and waits until everybody has left.
func (f *flights) drain(ctx context.Context) error {
	f.mu.Lock()
	f.tell()
	f.closed = true
	if f.first == nil {
		f.mu.Unlock()
		return nil
	}
	idle := make(chan struct{})
	f.idle = append(f.idle, idle)
	f.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// draining returns what is closed when nobody is let in any more, or soon.
func (f *flights) draining() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closes == nil {
		f.closes = make(chan struct{})
		if f.told {
			close(f.closes)
		}
	}
	return f.closes
}

// announce tells those who would stay for long that a drain is about to begin. Until then others are let in.
func (f *flights) announce() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell()
}

// tell is announce for who has the mutex.
func (f *flights) tell() {
	if f.closes != nil && !f.told {
		close(f.closes)
	}
	f.told = true
}

func (f *flights) cancelAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for fl := f.first; fl != nil; fl = fl.next {
		fl.cancel(ErrDraining)
	}
}
