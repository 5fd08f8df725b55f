package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// call is one guarded call of a plugin's code on a goroutine of its own: a panic or a Goexit becomes an error,
// and a call that does not return in time can be abandoned.
type call struct {
	done chan struct{}

	mu       sync.Mutex
	err      error
	finished bool
	late     func() // runs on the call's goroutine when an abandoned call returns after all
}

// begin starts fn.
func begin(fn func() error) *call {
	c := &call{done: make(chan struct{})}
	go c.run(fn)
	return c
}

func (c *call) run(fn func() error) {
	err := ErrExited
	returned := false
	defer func() {
		// A deferred function is the one place that a panic and a Goexit both pass.
		if !returned {
			if v := recover(); v != nil {
				err = panicError(v)
			}
		}
		c.finish(err)
	}()
	err = fn()
	returned = true
}

func (c *call) finish(err error) {
	c.mu.Lock()
	c.err, c.finished = err, true
	late := c.late
	c.mu.Unlock()
	close(c.done)
	if late != nil {
		late()
	}
}

// abandon gives the call up; late runs when it returns after all. It reports false when the call had returned.
func (c *call) abandon(late func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished {
		return false
	}
	c.late = late
	return true
}

// wait returns the call's error, or that of ctx, in which case the call still runs.
func (c *call) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	default:
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// returns reports whether the call returns within the time.
func (c *call) returns(within time.Duration) bool {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-c.done:
		return true
	case <-t.C:
		return false
	}
}

// guardCall runs code of a plugin that is trusted to return.
func guardCall(fn func() error) error {
	return begin(fn).wait(context.Background())
}

// panicError tells what kind of value a panic had. The value itself may hold secrets; those of the runtime do not.
func panicError(v any) error {
	if err, ok := v.(runtime.Error); ok {
		if _, ok := v.(*runtime.PanicNilError); !ok {
			return fmt.Errorf("%w: %s", ErrPanic, err.Error())
		}
	}
	return fmt.Errorf("%w: value of type %T", ErrPanic, v)
}

// graceAfterDeadline is how long a call may take to notice that its context has ended, before it is abandoned.
const graceAfterDeadline = 250 * time.Millisecond

// guarded runs fn with a context of at most limit. When fn does not return shortly after that context has ended,
// the error is [ErrAbandoned] and pending the call that still runs.
func guarded(ctx context.Context, limit time.Duration, fn func(context.Context) error) (pending *call, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := begin(func() error { return fn(ctx) })
	err = c.wait(ctx)
	if ctx.Err() == nil {
		return nil, err
	}
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), graceAfterDeadline)
	defer stop()
	err = c.wait(grace)
	if grace.Err() != nil && errors.Is(err, grace.Err()) {
		return c, fmt.Errorf("%w after %v", ErrAbandoned, limit)
	}
	return nil, err
}
