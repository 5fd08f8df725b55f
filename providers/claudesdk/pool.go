package claudesdk

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// pool keeps the CLIs of sessions between requests. It runs no goroutine while nothing happens.
type pool struct {
	limits PoolConfig
	end    func(s *session, answering bool) // ends a CLI in the background, then calls gone

	mu     sync.Mutex
	live   int        // CLIs that run, at work or kept
	idle   []*session // the one that was used the longest ago first
	timer  *time.Timer
	closed bool
	empty  chan struct{} // closed when the last CLI of a closed pool has ended
	freed  chan struct{} // closed when the next CLI has ended

	ending atomic.Int32 // CLIs that are being ended
}

// idlePerOwner is how many CLIs of one session are kept: clients ask other things beside their conversation.
const idlePerOwner = 2

func newPool(limits PoolConfig, end func(*session, bool)) *pool {
	return &pool{limits: limits, end: end, empty: make(chan struct{}), freed: make(chan struct{})}
}

// take returns a CLI that was started for the key and remembers the conversation. Without one it returns nil, and
// there is room for a new one, which the caller starts. It waits for those that are being ended.
func (p *pool) take(ctx context.Context, key string, memory digest, reuse bool) (*session, error) {
	for {
		s, freed, err := p.find(key, memory, reuse)
		switch {
		case err == nil && (s == nil || s.quiet()):
			return s, nil
		case err == nil:
			p.end(s, false)
		case freed == nil:
			return nil, err
		default:
			select {
			case <-freed:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	}
}

// find is take without waiting. With an error it returns what to wait for, if that is worth while.
func (p *pool) find(key string, memory digest, reuse bool) (*session, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, &ccproxy.Error{Status: http.StatusServiceUnavailable, Message: "the provider is shutting down"}
	}
	for i, s := range slices.Backward(p.idle) {
		if reuse && s.key == key && s.memory == memory && time.Now().Before(p.deadline(s)) {
			p.idle = slices.Delete(p.idle, i, i+1)
			return s, nil, nil
		}
	}
	if p.live >= p.limits.MaxSessions {
		if len(p.idle) == 0 {
			var freed <-chan struct{}
			if p.ending.Load() > 0 {
				freed = p.freed
			}
			return nil, freed, &ccproxy.Error{
				Status: statusOverloaded, Message: "all sessions of the CLI are at work", RetryAfter: time.Second,
			}
		}
		oldest := p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
		oldest.counted = false
		p.live--
		p.end(oldest, false)
	}
	p.live++
	return nil, nil, nil // there is none, but there is room
}

// statusOverloaded is Anthropic's status for overloaded_error.
const statusOverloaded = 529

// give takes a CLI back that has answered. It is ended where it is not to be kept.
func (p *pool) give(s *session) {
	s.used = time.Now()
	if !p.keep(s) {
		p.end(s, false)
	}
}

func (p *pool) keep(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.limits.Disabled || s.owner == "" || !s.proc.Alive() {
		return false
	}
	p.idle = append(p.idle, s)
	same := 0
	for _, other := range p.idle {
		if other.owner == s.owner {
			same++
		}
	}
	if same > idlePerOwner {
		p.drop(func(other *session) bool { return other.owner == s.owner }, 1)
	}
	p.schedule()
	return true
}

// drop ends up to so many kept CLIs, those used the longest ago first. The pool is locked.
func (p *pool) drop(which func(*session) bool, most int) {
	kept := p.idle[:0]
	for _, s := range p.idle {
		if most > 0 && which(s) {
			most--
			p.end(s, false)
			continue
		}
		kept = append(kept, s)
	}
	clear(p.idle[len(kept):])
	p.idle = kept
}

// deadline is when a kept CLI is ended.
func (p *pool) deadline(s *session) time.Time {
	deadline, old := s.used.Add(p.limits.IdleThreshold), s.begun.Add(p.limits.SessionTTL)
	if old.Before(deadline) {
		return old
	}
	return deadline
}

// schedule sets the timer to the first deadline. The pool is locked.
func (p *pool) schedule() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if len(p.idle) == 0 || p.closed {
		return
	}
	first := p.deadline(p.idle[0])
	for _, s := range p.idle[1:] {
		if d := p.deadline(s); d.Before(first) {
			first = d
		}
	}
	p.timer = time.AfterFunc(max(time.Until(first), time.Millisecond), p.expire)
}

// expire ends the kept CLIs whose time has come, or that have died.
func (p *pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := time.Now()
	p.drop(func(s *session) bool { return !now.Before(p.deadline(s)) || !s.proc.Alive() }, len(p.idle))
	p.schedule()
}

// gone notes that a CLI has ended.
func (p *pool) gone(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s != nil {
		p.ending.Add(-1)
	}
	close(p.freed) // also for one that had made room before: nobody must wait for it any more
	p.freed = make(chan struct{})
	if s != nil && !s.counted {
		return
	}
	p.live--
	if p.live == 0 && p.closed {
		close(p.empty)
	}
}

// close ends all CLIs that are kept, takes none any more, and waits for those at work.
func (p *pool) close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		if p.live == 0 {
			close(p.empty)
		}
		p.drop(func(*session) bool { return true }, len(p.idle))
		p.schedule()
	}
	p.mu.Unlock()
	select {
	case <-p.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// counts are the numbers of CLIs that run, and of those that are kept.
func (p *pool) counts() (live, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live, len(p.idle)
}
