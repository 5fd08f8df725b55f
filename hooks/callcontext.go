package hooks

import (
	"context"
	"errors"
	"sync"
	"time"
)

// callContext is the context of one call of an observer. It ends at its deadline, with the cause
// ErrHookTimeout, when the registry closes, and when the call returns.
//
// Few hooks look at their context, so it starts out as a mere point in time: Deadline and Err are answered
// from that and the clock. What can be waited for, a context of the standard library with its channel and its
// timer, is made on the first use of Done, or of Value by the context package itself. Contexts that a hook
// derives hang on that one, so they end as they would with any other parent, at no goroutine's cost.
type callContext struct {
	lifetime context.Context //nolint:containedctx // the registry's
	deadline time.Time

	mu    sync.Mutex
	err   error           // how it ended, once that was seen while there was nothing to wait for
	whole context.Context //nolint:containedctx // nil until somebody waits
	end   context.CancelFunc
}

var _ context.Context = (*callContext)(nil)

func (c *callContext) Deadline() (deadline time.Time, ok bool) { return c.deadline, true }

func (c *callContext) Done() <-chan struct{} { return c.waitable().Done() }

func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whole != nil { // by the clock Err might be ahead of the channel
		return c.whole.Err()
	}
	if c.err == nil {
		if c.err = c.lifetime.Err(); c.err == nil && c.overdue(time.Now()) {
			c.err = context.DeadlineExceeded
		}
	}
	return c.err
}

// Value has nothing of its own to give: the lifetime holds no values. That one answers nevertheless is asked
// by the context package, which looks for the cause or for a parent to hang a derived context on.
func (c *callContext) Value(key any) any {
	if c.lifetime.Value(key) == nil {
		return nil
	}
	return c.waitable().Value(key)
}

// String keeps fmt from reading fields that may be changing.
func (*callContext) String() string { return "hooks.Hook.Handle" }

// waitable returns the context that can be waited for.
func (c *callContext) waitable() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whole != nil {
		return c.whole
	}
	parent := c.lifetime
	if c.err != nil {
		parent = context.WithoutCancel(parent) // how it ended stays as it was told
	}
	if errors.Is(c.err, context.Canceled) {
		c.whole, c.end = context.WithCancel(parent)
		c.end()
		return c.whole
	}
	c.whole, c.end = context.WithDeadlineCause(parent, c.deadline, ErrHookTimeout)
	return c.whole
}

func (c *callContext) overdue(now time.Time) bool { return !now.Before(c.deadline) }

// release ends the context because the call has returned.
func (c *callContext) release(now time.Time) {
	c.mu.Lock()
	end := c.end
	if c.whole == nil && c.err == nil {
		c.err = context.Canceled
		if c.overdue(now) {
			c.err = context.DeadlineExceeded
		}
	}
	c.mu.Unlock()
	if end != nil {
		end()
	}
}
