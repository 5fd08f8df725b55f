package hooks

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// round has mutators look at a request, one after the other on a goroutine of its own. Mutators are quick, so one round
// is enough for nearly all requests. A call that overruns its timeout takes the goroutine with it: whoever waits gives
// the round up, and begins another for the mutators that are left.
type round struct {
	ctx      context.Context //nolint:containedctx // of the request
	mutators []*mutator      // at least one
	scans    *scans
	done     chan struct{} // closed by the goroutine when it ends

	mu      sync.Mutex
	req     *PreparedRequest // not to be touched once the round is over
	over    bool             // nobody waits any more
	through int              // mutators that are dealt with
	call    *call            // under way; nil between calls
	err     error            // ends the request
	reports []told
}

// told is what is to be logged of a mutator, by whoever waits.
type told struct {
	*mutator

	report report
}

// prepare begins a round and waits for it. n is how many of the mutators it has dealt with.
func (r *round) prepare() (n int, err error) {
	first := r.next()
	if first == nil {
		return r.leave()
	}
	go r.run(first)
	runtime.Gosched() // to that goroutine: most rounds are over after it, and nothing has to be waited for
	select {
	case <-r.done:
		return r.leave()
	default:
	}
	r.wait()
	return r.leave()
}

// wait waits until the goroutine has ended or must not be waited for any longer.
func (r *round) wait() {
	pause := r.mutators[0].timeout // no call is overdue any sooner
	for _, m := range r.mutators[1:] {
		pause = min(pause, m.timeout)
	}
	late := time.NewTimer(pause)
	defer late.Stop()
	closed := r.mutators[0].lifetime.Done()
	for waiting := true; waiting; {
		select {
		case <-r.done:
			waiting = false
		case <-late.C:
			var left time.Duration
			left, waiting = r.left(pause)
			late.Reset(left)
		case <-r.ctx.Done():
			waiting = false
		case <-closed:
			waiting, closed = !r.busy(), nil // calls that have not begun are refused from here on
		}
	}
}

// run is what the goroutine does. A hook that ends the goroutine ends the round.
func (r *round) run(c *call) {
	defer close(r.done)
	for ; c != nil; c = r.next() {
		guard(c.run, func(out outcome) { r.finish(c, out) })
	}
}

// next begins the next call that is let in, and returns nil when there is none.
func (r *round) next() *call {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.over && r.err == nil && r.through < len(r.mutators) {
		if r.err = r.ctx.Err(); r.err != nil {
			return nil
		}
		m := r.mutators[r.through]
		c, err := m.begin(r.ctx)
		if c != nil {
			c.fork.borrow(r.req, m.readOnly, &c.loan, r.scans)
			r.call = c
			return c
		}
		r.err = m.verdict(err)
		r.through++
	}
	return nil
}

// finish notes that a hook is back.
func (r *round) finish(c *call, out outcome) {
	c.loan.recall()
	r.mu.Lock()
	defer r.mu.Unlock()
	c.finish(out)
	switch {
	case r.over:
	case out.err == nil && r.ctx.Err() == nil: // apart from conclude, whose many words would have the stack grow
		c.succeed()
		c.ctx.release()
		r.req.adopt(&c.sealed)
		r.call = nil
		r.through++
	default:
		r.conclude()
	}
}

// conclude draws the consequences of the call under way, whether its hook is back or not. The caller holds the mutex.
func (r *round) conclude() {
	c := r.call
	rep, err := c.conclude(r.ctx)
	c.ctx.release()
	r.call, r.err = nil, err
	r.through++
	switch {
	case rep.out.err != nil:
		r.reports = append(r.reports, told{c.mutator, rep})
	case err == nil:
		r.req.adopt(&c.sealed)
	}
}

// left is how long the call under way may still take, at most; ok is false when that is nothing.
func (r *round) left(most time.Duration) (d time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.call == nil {
		return most, true
	}
	d = min(time.Until(r.call.ctx.deadline), most)
	r.over = d <= 0 // in one piece with the look: no other call begins before leave, which would give that one up
	return d, d > 0
}

func (r *round) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.call != nil
}

// leave ends the round for whoever waited, and gives up the call that is under way.
func (r *round) leave() (n int, err error) {
	r.mu.Lock()
	r.over = true
	if r.call != nil {
		r.call.loan.recall()
		r.conclude()
	}
	if r.err == nil && r.through < len(r.mutators) {
		r.err = r.ctx.Err()
	}
	n, err = r.through, r.err
	reports := r.reports
	r.mu.Unlock()
	for _, t := range reports {
		t.tell(t.report)
	}
	return n, err
}
