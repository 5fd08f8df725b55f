package ccproxy

import (
	"io"
	"sync/atomic"
	"time"
)

// pulse is the body of a stream that tells when something of it has come last: a large event over a slow line is no
// silence.
type pulse struct {
	io.ReadCloser

	begun time.Time
	at    atomic.Int64 // after begun
}

// feel feels the pulse of a stream.
func (t *relay) feel() {
	if t.ans.Body == nil {
		return
	}
	p := &pulse{ReadCloser: t.ans.Body, begun: time.Now()}
	t.ans.Body = p
	t.out.mu.Lock()
	t.pulse = p
	t.out.mu.Unlock()
}

// Read implements io.Reader.
func (p *pulse) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if n > 0 {
		p.at.Store(int64(time.Since(p.begun)))
	}
	return n, err
}

// last is when something came last. It may be called concurrently.
func (p *pulse) last() time.Time { return p.begun.Add(time.Duration(p.at.Load())) }
