package ccproxy

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Breakers says when a provider that keeps failing is left alone. By default never.
type Breakers struct {
	BreakerPolicy `toml:",squash"`

	// Providers holds policies by the names of providers. Each takes the place of the general one as a whole. A
	// provider that no registered plugin has is an error.
	Providers map[string]BreakerPolicy `validate:"dive"`
}

// BreakerPolicy says when one provider is left alone. What counts as a failure is an answer with status 500 or more,
// none at all, and a stream that breaks off; a refusal such as 401 or 429 does not.
type BreakerPolicy struct {
	// Failures is how many calls have to fail one after the other for the breaker to open. Then the provider is not
	// called: where there is a fallback ([Settings.Fallbacks]) that is asked, else clients get a 503 with Retry-After.
	// Zero means never.
	Failures int `validate:"gte=0"`
	// Cooldown is how long a breaker stays open before calls probe the provider. Defaults to 30 seconds.
	Cooldown time.Duration `validate:"gte=0"`
	// Probes is how many calls are let through at a time until one has been answered, which closes the breaker, or has
	// failed, which opens it again. A stream closes it with its first event, and opens it again if it breaks off before
	// any other call has succeeded. Where none of them ends, another is let through after Cooldown. Defaults to 1.
	Probes int `validate:"gte=0"`
}

func (p BreakerPolicy) withDefaults() BreakerPolicy {
	p.Cooldown = positive(p.Cooldown, 30*time.Second)
	p.Probes = positive(p.Probes, 1)
	return p
}

// check holds a policy against the rules.
func (p BreakerPolicy) check(where string) error {
	if p.Failures < 0 || p.Probes < 0 || p.Cooldown < 0 {
		return fmt.Errorf("%s: no figure may be negative: %w", where, ErrConfig)
	}
	return nil
}

func (b Breakers) clone() Breakers {
	b.Providers = cloneByProvider(b.Providers, func(p BreakerPolicy) BreakerPolicy { return p })
	return b
}

// The states of a breaker, as health shows them.
const (
	breakerClosed   = "closed"
	breakerOpen     = "open"
	breakerHalfOpen = "half_open"
)

// breaker keeps calls from a provider that fails. The nil breaker lets everything through. It is used concurrently;
// while it is closed nobody waits for a lock.
type breaker struct {
	policy  BreakerPolicy
	row     atomic.Int64 // failures one after the other, while closed
	tripped atomic.Bool  // it is not closed

	mu     sync.Mutex
	term   int       // counts its openings and closings
	until  time.Time // when it may be probed
	lost   time.Time // when probes that are under way are waited for no longer
	probes int       // that are under way
}

// outcome is how a call went, for the breaker of its provider.
type outcome uint8

const (
	undecided outcome = iota // it ended for another reason, such as a client that left
	succeeded
	failed
)

// breakerPass is the leave to make one call, whose end the breaker is told of once. The zero value is nobody's.
type breakerPass struct {
	of    *breaker
	term  int
	probe bool
}

// enter asks for leave to call the provider. Without it the error says when to try again.
func (b *breaker) enter(provider string) (breakerPass, *Error) {
	if b == nil || !b.tripped.Load() {
		return breakerPass{of: b}, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.tripped.Load() { // closed meanwhile
		return breakerPass{of: b}, nil
	}
	now := time.Now()
	wait := b.until.Sub(now)
	if wait > 0 || b.probes >= b.policy.Probes && now.Before(b.lost) {
		return breakerPass{}, circuitOpen(provider, max(wait, time.Second))
	}
	b.probes++
	b.lost = now.Add(b.policy.Cooldown)
	return breakerPass{of: b, term: b.term, probe: true}, nil
}

func circuitOpen(provider string, wait time.Duration) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "provider_unavailable", RetryAfter: wait,
		Message: "the provider " + provider + " keeps failing, and is not called for a while",
	}
}

// end tells how the call went. Ends after the first say nothing.
func (p *breakerPass) end(o outcome) {
	b := p.of
	p.of = nil
	switch {
	case b == nil:
	case p.probe:
		b.probed(p.term, o)
	case o == succeeded:
		if b.row.Load() != 0 {
			b.row.Store(0)
		}
	case o == failed:
		b.fail()
	}
}

// begun tells that a probe is being answered: others need not wait for its end. The next end, its own most likely, says
// whether the breaker stays closed.
func (p *breakerPass) begun() {
	if p.of == nil || !p.probe {
		return
	}
	p.probe = false
	p.of.close(p.term, p.of.policy.Failures-1)
}

// close closes the breaker after a probe, unless another one has decided meanwhile. row is how many failures it counts.
func (b *breaker) close(term, row int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if term != b.term {
		return
	}
	b.term++
	b.probes = 0
	b.row.Store(int64(row))
	b.tripped.Store(false)
}

// fail counts a failure of a call that was no probe.
func (b *breaker) fail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.tripped.Load() && b.row.Add(1) >= int64(b.policy.Failures) {
		b.open()
	}
}

// probed is the end of a probe.
func (b *breaker) probed(term int, o outcome) {
	if o == succeeded {
		b.close(term, 0)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if term != b.term {
		return // another probe has decided meanwhile
	}
	b.probes--
	if o == failed { // else the next one decides
		b.open()
	}
}

// open opens the breaker, with the lock held.
func (b *breaker) open() {
	b.term++
	b.probes = 0
	b.until = time.Now().Add(b.policy.Cooldown)
	b.tripped.Store(true)
}

// state is what health shows.
func (b *breaker) state() string {
	if b == nil || !b.tripped.Load() {
		return breakerClosed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.tripped.Load():
		return breakerClosed
	case time.Until(b.until) > 0:
		return breakerOpen
	default:
		return breakerHalfOpen
	}
}
