package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// pace is streams that go on as clients wish, and how late their events are.
type pace struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	client  *http.Client

	mu     sync.Mutex
	late   []time.Duration
	broken []string
}

// newPace begins n streams of an event each 100 ms.
func newPace(ctx context.Context, base string, n int) *pace {
	p := &pace{client: newClient()}
	ctx, p.cancel = context.WithCancel(ctx)
	for id := range n {
		p.running.Go(func() {
			if err := p.read(ctx, base+provider, id); ctx.Err() == nil {
				p.mu.Lock()
				p.broken = append(p.broken, fmt.Sprintf("stream %d ended: %v", id, err))
				p.mu.Unlock()
			}
		})
	}
	return p
}

func (p *pace) read(ctx context.Context, base string, id int) error {
	resp, err := post(ctx, p.client, base, dialects()[0],
		order{kind: kindCount, id: id, number: 1 << 20, pause: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return eachLine(resp.Body, func(line []byte) {
		if ev, ok := parseNumbered(line); ok {
			p.mu.Lock()
			p.late = append(p.late, time.Since(ev.sent))
			p.mu.Unlock()
		}
	})
}

// take returns the 99th percentile of what was late since the last call.
func (p *pace) take() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	late := quantile(p.late, 0.99)
	p.late = nil
	return late
}

// stop ends the streams. None should have ended before.
func (p *pace) stop(f *finding) {
	p.cancel()
	p.running.Wait()
	p.client.CloseIdleConnections()
	for _, line := range p.broken {
		f.failf("%s", line)
	}
}
