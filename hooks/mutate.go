package hooks

import (
	"context"
	"sync"
	"time"
)

const (
	mutatorTimeout = 2 * time.Second
	// maxAbandoned calls of one mutator may be given up and still run; each holds a goroutine and a copy of a
	// request.
	maxAbandoned = 4
)

// mutator runs one hook's Prepare within its timeout.
type mutator struct {
	*identity
	hook       Mutator
	timeout    time.Duration
	failClosed bool

	mu        sync.Mutex
	tally     tally
	closed    bool
	retired   bool
	running   int // calls, abandoned ones included
	abandoned int
}

// call is one run of a mutator. Its fields are guarded by the mutator's mutex.
type call struct {
	pass      pass
	done      chan struct{} // closed by the goroutine that runs the hook
	finished  bool
	abandoned bool // nobody waits any more
	out       outcome
	sealed    *PreparedRequest
}

// prepare runs the hook on a copy of req. The error is ctx's own if the request ended, or a *MutatorError
// if the hook failed and must not be passed over.
func (m *mutator) prepare(ctx context.Context, req *PreparedRequest) error {
	c, err := m.begin()
	if c == nil {
		return m.verdict(err)
	}
	callCtx := &prepareContext{Context: ctx, lifetime: m.lifetime, deadline: time.Now().Add(m.timeout)}
	defer callCtx.release()
	fork := req.fork()
	go m.run(callCtx, c, fork)

	late := time.NewTimer(m.timeout)
	defer late.Stop()
	select {
	case <-c.done:
	case <-late.C:
	case <-ctx.Done():
	case <-m.lifetime.Done():
	}
	fork.loan.recall()
	return m.conclude(ctx, callCtx, c, req)
}

// begin admits a call, or returns nil and why not. A hook that was unregistered meanwhile is no reason.
func (m *mutator) begin() (*call, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.ask()
	if p == refused {
		m.tally.dropped++
		return nil, err
	}
	m.running++
	return &call{pass: p, done: make(chan struct{})}, nil
}

func (m *mutator) ask() (pass, error) {
	switch {
	case m.retired:
		return refused, nil
	case m.closed:
		return refused, ErrClosed
	case m.abandoned >= maxAbandoned:
		return refused, ErrHookBusy
	}
	p := m.tally.fuse.ask(time.Now)
	if p == refused {
		return refused, ErrFused
	}
	return p, nil
}

// run calls the hook. The fork is sealed here as well, because that runs the code of values the hook has set.
func (m *mutator) run(ctx context.Context, c *call, fork *PreparedRequest) {
	var sealed *PreparedRequest
	guard(func() error {
		err := m.hook.Prepare(ctx, fork)
		if err == nil {
			sealed, err = fork.seal()
		}
		return err
	}, func(out outcome) { m.finish(c, out, sealed) })
}

// finish notes that the hook is back.
func (m *mutator) finish(c *call, out outcome, sealed *PreparedRequest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.finished, c.out, c.sealed = true, out, sealed
	close(c.done)
	if c.abandoned {
		m.abandoned--
	}
	m.running--
	if m.running == 0 {
		m.tally.wake()
	}
}

// conclude decides what came of a call: adopted, passed over or refused.
func (m *mutator) conclude(ctx context.Context, callCtx *prepareContext, c *call, req *PreparedRequest) error {
	m.mu.Lock()
	if !c.finished {
		c.abandoned = true
		m.abandoned++
	}
	if err := ctx.Err(); err != nil { // the request is over, which is not the hook's doing
		m.tally.fuse.giveBack(c.pass)
		m.tally.dropped++
		m.mu.Unlock()
		return err
	}
	out := c.result(callCtx)
	if no, ok := out.err.(*refusal); ok { //nolint:errorlint // a look at what a foreign error wraps runs its code
		m.tally.succeed(c.pass)
		m.mu.Unlock()
		return &MutatorError{Plugin: m.plugin, Hook: m.name, Err: no.err}
	}
	r := m.tally.record(c.pass, out)
	m.mu.Unlock()
	m.tell(r)
	if out.err != nil {
		return m.verdict(out.err)
	}
	req.adopt(c.sealed)
	return nil
}

// result is the call's outcome as the waiting request sees it.
func (c *call) result(callCtx *prepareContext) outcome {
	if c.finished && c.out.err == nil {
		return c.out
	}
	switch {
	case callCtx.overdue():
		return outcome{err: ErrHookTimeout, text: ErrHookTimeout.Error()}
	case !c.finished:
		return outcome{err: ErrClosed, text: ErrClosed.Error()}
	}
	return c.out
}

// verdict turns a failure into the request's: nil if the hook fails open.
func (m *mutator) verdict(err error) error {
	if err == nil || !m.failClosed {
		return nil
	}
	return &MutatorError{Plugin: m.plugin, Hook: m.name, Err: err}
}

// close makes further calls fail with ErrClosed.
func (m *mutator) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
}

// retire makes further calls, by requests that still hold an old table, do nothing.
func (m *mutator) retire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retired = true
}

func (m *mutator) busy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running > 0
}

// idle returns nil if no call runs, else a channel that is closed when that is so.
func (m *mutator) idle() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running == 0 {
		return nil
	}
	return m.tally.await()
}

func (m *mutator) addTo(s *Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally.addTo(s)
	s.Abandoned = m.abandoned
	s.Pending += m.running - m.abandoned
}
