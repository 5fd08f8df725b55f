package hooks

import (
	"context"
	"errors"
	"sync"
	"time"
)

// prepareContext is the context of one call of a mutator: that of the request, which also ends at a deadline, with the
// cause ErrHookTimeout, when the registry closes, and when nobody waits for the call any more.
//
// Like callContext it is a mere point in time until somebody waits for it: few mutators do.
type prepareContext struct {
	context.Context //nolint:containedctx // the request's

	lifetime context.Context //nolint:containedctx // the registry's
	deadline time.Time

	mu    sync.Mutex
	over  error           // how it ended when nobody waited for the call any more; nil before
	whole context.Context //nolint:containedctx // nil until somebody waits
	end   func()
}

// Deadline is that of the call, or of the request if that is earlier.
func (c *prepareContext) Deadline() (deadline time.Time, ok bool) {
	if at, ok := c.Context.Deadline(); ok && at.Before(c.deadline) {
		return at, true
	}
	return c.deadline, true
}

func (c *prepareContext) Done() <-chan struct{} { return c.waitable().Done() }

func (c *prepareContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch err := c.Context.Err(); {
	case c.whole != nil: // by the clock Err might be ahead of the channel
		return c.whole.Err()
	case err != nil:
		return err
	case c.over != nil:
		return c.over
	case c.overdue():
		return context.DeadlineExceeded
	}
	return c.lifetime.Err()
}

// Value has the request's values. Once there is something to wait for, derived contexts find it, too.
func (c *prepareContext) Value(key any) any {
	c.mu.Lock()
	whole := c.whole
	c.mu.Unlock()
	if whole != nil {
		return whole.Value(key)
	}
	return c.Context.Value(key)
}

// String keeps fmt from reading fields that may be changing.
func (*prepareContext) String() string { return "hooks.Mutator.Prepare" }

func (c *prepareContext) waitable() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whole != nil {
		return c.whole
	}
	whole, cancel := context.WithDeadlineCause(c.Context, c.deadline, ErrHookTimeout)
	stop := context.AfterFunc(c.lifetime, cancel)
	c.whole, c.end = whole, func() {
		stop()
		if errors.Is(c.over, context.Canceled) { // the deadline ends it by itself, with its cause
			cancel()
		}
	}
	if c.over != nil {
		c.end()
	}
	return whole
}

func (c *prepareContext) overdue() bool { return !time.Now().Before(c.deadline) }

// release ends the context because nobody waits for the call any more.
func (c *prepareContext) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over = context.Canceled; c.overdue() {
		c.over = context.DeadlineExceeded
	}
	if c.end != nil {
		c.end()
	}
}
