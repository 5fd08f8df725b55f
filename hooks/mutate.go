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
	readOnly   bool

	mu        sync.Mutex
	tally     tally
	closed    bool
	retired   bool
	running   int // calls, abandoned ones included
	abandoned int
}

// call is one run of a mutator, with all that it is given in one piece.
type call struct {
	*mutator

	ctx    prepareContext
	fork   PreparedRequest
	loan   loan
	pass   pass
	sealed changes // once finished

	// These are guarded by the mutator's mutex.
	finished  bool
	abandoned bool // nobody waits any more
	out       outcome
}

// begin admits a call, or returns nil and why not. A hook that was unregistered meanwhile is no reason.
func (m *mutator) begin(ctx context.Context) (*call, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.ask()
	if p == refused {
		m.tally.dropped++
		return nil, err
	}
	m.running++
	return &call{
		mutator: m, pass: p,
		ctx: prepareContext{Context: ctx, lifetime: m.lifetime, deadline: time.Now().Add(m.timeout)},
	}, nil
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
func (c *call) run() error {
	if err := c.hook.Prepare(&c.ctx, &c.fork); err != nil {
		return err
	}
	return c.fork.seal(&c.sealed)
}

// finish notes that the hook is back.
func (c *call) finish(out outcome) {
	m := c.mutator
	m.mu.Lock()
	defer m.mu.Unlock()
	c.finished, c.out = true, out
	if c.abandoned {
		m.abandoned--
	}
	m.running--
	if m.running == 0 {
		m.tally.wake()
	}
}

// succeed counts a call that has ended well, and in time.
func (c *call) succeed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.succeed(c.pass)
}

// conclude decides what came of a call: nothing to tell and no error is success. The error is ctx's own if the request
// ended, or a *MutatorError if the hook failed and must not be passed over.
func (c *call) conclude(ctx context.Context) (r report, err error) {
	m := c.mutator
	m.mu.Lock()
	defer m.mu.Unlock()
	if !c.finished {
		c.abandoned = true
		m.abandoned++
	}
	if err := ctx.Err(); err != nil { // the request is over, which is not the hook's doing
		m.tally.fuse.giveBack(c.pass)
		m.tally.dropped++
		return r, err
	}
	out := c.result()
	if no, ok := out.err.(*refusal); ok { //nolint:errorlint // a look at what a foreign error wraps runs its code
		m.tally.succeed(c.pass)
		return r, &MutatorError{Plugin: m.plugin, Hook: m.name, Err: no.err}
	}
	return m.tally.record(c.pass, out), m.verdict(out.err)
}

// result is the call's outcome as the waiting request sees it.
func (c *call) result() outcome {
	if c.finished && c.out.err == nil {
		return c.out
	}
	switch {
	case c.ctx.overdue():
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
