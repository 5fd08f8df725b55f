package balancer

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers"
)

// pool is the accounts of one provider.
type pool struct {
	provider string
	rules    Rules
	state    State // nil where nobody shares
	logger   *slog.Logger
	tell     func(Event)

	mu      sync.Mutex
	members []*member
	last    int       // who was chosen last
	loadAt  time.Time // when the shared state is looked at again
	away    error     // why it could not be, the last time
}

var _ providers.Pool = (*pool)(nil)

// member is one account. It is guarded by the pool's mu.
type member struct {
	name        string
	credentials providers.Credentials

	off        bool      // by an operator
	until      time.Time // the end of the cooldown
	reason     string
	lastResort bool // may be used although it cools down, if no other is left
	failures   int  // in a row
	troubles   int  // of the upstream's, in a row

	changed   time.Time // when off or the cooldown was last changed here
	owesOff   bool      // the others do not know of off
	owesUntil bool      // the others do not know of the cooldown

	running  int
	requests int64
	refused  int64
	status   int // of the last answer
	used     time.Time
}

func (m *member) cools(now time.Time) bool { return m.until.After(now) }

func (m *member) usable(now time.Time) bool { return !m.off && !m.cools(now) }

// Next implements [providers.Pool].
func (p *pool) Next(ctx context.Context, c providers.Choice) (providers.Turn, error) {
	p.load(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // no account is to count what is not sent
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	at := p.choose(now, c.Tried)
	if at < 0 && len(c.Tried) == 0 {
		at = p.lastResort(now)
	}
	if at < 0 {
		return nil, p.exhausted(now)
	}
	m := p.members[at]
	p.last = at
	m.running++
	m.requests++
	m.used = now
	return &turn{pool: p, member: m}, nil
}

// choose finds an account that can be used, -1 if there is none.
func (p *pool) choose(now time.Time, tried []string) int {
	best := -1
	for i := range p.members {
		if p.rules.Strategy == strategyRoundRobin {
			i = (p.last + 1 + i) % len(p.members)
		}
		m := p.members[i]
		switch {
		case !m.usable(now) || slices.Contains(tried, m.name):
		case p.rules.Strategy != strategyLeastUsed:
			return i
		case best < 0 || m.lessUsed(p.members[best]):
			best = i
		}
	}
	return best
}

func (m *member) lessUsed(other *member) bool {
	if m.running != other.running {
		return m.running < other.running
	}
	return m.used.Before(other.used)
}

// lastResort finds, of the accounts that cool down for what may be no fault of theirs, the one that is back first.
func (p *pool) lastResort(now time.Time) int {
	best := -1
	for i, m := range p.members {
		if m.off || !m.cools(now) || !m.lastResort {
			continue
		}
		if best < 0 || m.until.Before(p.members[best].until) {
			best = i
		}
	}
	return best
}

// exhausted is what a client gets when there is no account.
func (p *pool) exhausted(now time.Time) error {
	e := &ccproxy.Error{
		Status: http.StatusServiceUnavailable, Code: "no_account",
		Message: "every account of this provider is switched off", Err: ccproxy.ErrNotAsked,
	}
	for _, m := range p.members {
		if m.off {
			continue
		}
		e.Message = "no account of this provider can be used at the moment"
		if m.reason == reasonRateLimit {
			e.Status, e.Code = http.StatusTooManyRequests, "rate_limit_exceeded"
		}
		// One that was tried and does not cool down may be tried again at once.
		if left := max(m.until.Sub(now), time.Second); e.RetryAfter == 0 || left < e.RetryAfter {
			e.RetryAfter = left
		}
	}
	return e
}

// Authorize implements [providers.Credentials], for those who ask nobody how it went.
func (p *pool) Authorize(ctx context.Context, h http.Header) error {
	t, err := p.Next(ctx, providers.Choice{})
	if err != nil {
		return err
	}
	defer t.End()
	return t.Credentials().Authorize(ctx, h)
}

// available tells whether a request would find an account.
func (p *pool) available() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	return slices.ContainsFunc(p.members, func(m *member) bool { return m.usable(now) })
}

func (p *pool) member(name string) (*member, bool) {
	i := slices.IndexFunc(p.members, func(m *member) bool { return m.name == name })
	if i < 0 {
		return nil, false
	}
	return p.members[i], true
}
