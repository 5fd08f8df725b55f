package ccproxy

import (
	"io"
	"sync/atomic"
	"time"
)

// pulse is the body of an answer that tells when something of it has come last: a large event over a slow line is no
// silence.
type pulse struct {
	io.ReadCloser

	out *streamWriter
	at  atomic.Int64 // by the writer's clock
}

// feel feels the pulse of an answer.
func (t *relay) feel() {
	if t.ans.Body == nil {
		return
	}
	p := &pulse{ReadCloser: t.ans.Body, out: &t.out}
	t.ans.Body = p
	t.out.mu.Lock()
	t.pulse = p
	t.out.mu.Unlock()
}

// feelWhole is feel for an answer that is no stream: what it takes in all is not limited.
func (t *relay) feelWhole() {
	if t.pulse == nil {
		t.feel()
	}
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	t.whole = true
	if t.out.timer != nil && !t.out.settled {
		t.out.timer.Reset(t.nextTurn(t.out.since))
	}
}

// Read implements io.Reader. The clock is read only where what came last was no whole event, since what was one has
// been written to the client, after which the provider began to be waited for anew.
func (p *pulse) Read(b []byte) (int, error) {
	if p.out.part.Load() {
		p.at.Store(int64(p.out.now()))
	}
	n, err := p.ReadCloser.Read(b)
	if n > 0 {
		p.out.part.Store(true)
	}
	return n, err
}

// felt tells that something has come of a whole answer. The nil pulse is that of an answer without a body.
func (p *pulse) felt() bool { return p == nil || p.out.part.Load() || p.last() > 0 }

// last is when something came last. It may be called concurrently.
func (p *pulse) last() time.Duration { return time.Duration(p.at.Load()) }
