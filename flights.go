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
	first  *flight // a doubly linked list: entering and leaving cost no allocation but the flight's own
	closed bool
	idle   []chan struct{}
}

type flight struct {
	prev, next *flight
	cancel     context.CancelCauseFunc
}

// enter registers a request; ok is false when the proxy is draining. leave must be called at its end.
func (f *flights) enter(ctx context.Context) (_ context.Context, leave func(), ok bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	fl := &flight{cancel: cancel}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		cancel(ErrDraining)
		return ctx, nil, false
	}
	fl.next = f.first
	if f.first != nil {
		f.first.prev = fl
	}
	f.first = fl
	return ctx, func() { f.leave(fl) }, true
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
	fl.cancel(nil)
}

// drain lets nobody in and waits until everybody has left.
func (f *flights) drain(ctx context.Context) error {
	f.mu.Lock()
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

func (f *flights) cancelAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for fl := f.first; fl != nil; fl = fl.next {
		fl.cancel(ErrDraining)
	}
}
