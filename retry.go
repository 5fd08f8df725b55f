package ccproxy

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// Retries says when a call is tried again with the same provider. By default never: clients' SDKs repeat failed
// requests by themselves, and get the upstream's hints of when to do so; two layers that both retry multiply the load
// of an upstream that has too much of it.
type Retries struct {
	RetryPolicy `toml:",squash"`

	// Providers holds policies by the names of providers. Each takes the place of the general one as a whole. A
	// provider that no registered plugin has is an error.
	Providers map[string]RetryPolicy `validate:"dive"`
}

// RetryPolicy says when a call of one provider is tried again: only while the client has been sent nothing, and only if
// the upstream has certainly not begun to execute it, because no connection came about, or because it says so with one
// of Statuses.
type RetryPolicy struct {
	// Max is how often a call is tried again. Zero means never.
	Max int `validate:"gte=0,lte=10"`
	// Statuses are what an upstream says when it has not executed a call. Nil means 429, 503 and 529. Whoever adds
	// others, such as 500, accepts that a call may be executed twice.
	Statuses []int `validate:"dive,gte=400,lte=599"`
	// BaseDelay is waited before the first retry where the upstream does not say how long, twice as much before the
	// next, and so on, each less a random part of up to a half. Defaults to half a second.
	BaseDelay time.Duration `validate:"gte=0"`
	// MaxDelay bounds each wait. A call for which the upstream asks for more (Retry-After) is not tried again, so that
	// it is the client who knows. Defaults to 10 seconds.
	MaxDelay time.Duration `validate:"gte=0"`
	// Budget is how many retries each successful call earns, of which up to ten are saved up, for all clients
	// together: an upstream that refuses everything is not sent much more than without retries. Defaults to 0.1.
	Budget float64 `validate:"gte=0,lte=1"`
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.Statuses == nil {
		p.Statuses = []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, statusOverloaded}
	}
	p.BaseDelay = positive(p.BaseDelay, 500*time.Millisecond)
	p.MaxDelay = positive(p.MaxDelay, 10*time.Second)
	if p.Budget <= 0 {
		p.Budget = 0.1
	}
	return p
}

// check holds a policy against the rules.
func (p RetryPolicy) check(where string) error {
	for _, status := range p.Statuses {
		if status < http.StatusBadRequest || status > 599 {
			return fmt.Errorf("%s.statuses: %d is no status of an error: %w", where, status, ErrConfig)
		}
	}
	switch {
	case p.Max < 0 || p.Max > 10:
		return fmt.Errorf("%s.max: must be 0 to 10: %w", where, ErrConfig)
	case p.Budget < 0 || p.Budget > 1 || math.IsNaN(p.Budget):
		return fmt.Errorf("%s.budget: must be 0 to 1: %w", where, ErrConfig)
	}
	return nil
}

func (r Retries) clone() Retries {
	r.Statuses = slices.Clone(r.Statuses)
	r.Providers = cloneByProvider(r.Providers, func(p RetryPolicy) RetryPolicy {
		p.Statuses = slices.Clone(p.Statuses)
		return p
	})
	return r
}

// cloneByProvider copies a map of policies.
func cloneByProvider[P any](m map[string]P, clone func(P) P) map[string]P {
	if m == nil {
		return nil
	}
	c := make(map[string]P, len(m))
	for name, policy := range m {
		c[name] = clone(policy)
	}
	return c
}

// delay is how long to wait before a call is tried again; false tells not to. tries counts the retries so far.
func (p RetryPolicy) delay(tries int, s *setback) (time.Duration, bool) {
	if tries >= p.Max || !s.unsent && (!s.told || !slices.Contains(p.Statuses, s.status)) {
		return 0, false
	}
	if s.after > 0 {
		spread := min(s.after/10, 500*time.Millisecond) // so that those who were refused together come one by one
		return s.after + jitter(spread), s.after <= p.MaxDelay
	}
	wait := p.MaxDelay
	if p.BaseDelay < p.MaxDelay>>tries {
		wait = p.BaseDelay << tries
	}
	return wait - jitter(wait/2), true
}

// jitter is a random time up to most.
func jitter(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most) //nolint:gosec // nobody gains by guessing it
}

// retryBudget is what retries of one provider are taken from. The zero value is full. It is used concurrently.
type retryBudget struct{ spent atomic.Int64 } // in millionths of a retry, up to budgetSize

const (
	budgetUnit = 1_000_000
	budgetSize = 10 * budgetUnit
)

// take takes one retry, if there is one.
func (b *retryBudget) take() bool {
	for {
		spent := b.spent.Load()
		if spent+budgetUnit > budgetSize {
			return false
		}
		if b.spent.CompareAndSwap(spent, spent+budgetUnit) {
			return true
		}
	}
}

// earn gives back a part of a retry.
func (b *retryBudget) earn(part float64) {
	for {
		spent := b.spent.Load()
		if spent == 0 || b.spent.CompareAndSwap(spent, max(0, spent-int64(part*budgetUnit))) {
			return
		}
	}
}

// unsent tells of an error of a transport after which the upstream cannot have seen the request.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect")
}
