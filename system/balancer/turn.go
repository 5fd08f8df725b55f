package balancer

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/internal/retryafter"
	"github.com/ccproxy-go/ccproxy/providers"
)

// Why accounts cool down.
const (
	reasonRateLimit = "rate limit"
	reasonRefused   = "credentials refused"
	reasonNone      = "no credentials"
	reasonOverload  = "upstream overloaded"
	reasonTrouble   = "upstream failing"
)

// overloadCooldown is how long an account is left alone after 503 or 529 without a time. The upstream may be back with
// the next request.
const overloadCooldown = 5 * time.Second

const statusOverloaded = 529

// turn is an account for one attempt.
type turn struct {
	pool   *pool
	member *member
}

// Account implements [providers.Turn].
func (t *turn) Account() string { return t.member.name }

// Credentials implements [providers.Turn].
func (t *turn) Credentials() providers.Credentials { return t.member.credentials }

// End implements [providers.Turn].
func (t *turn) End() {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	t.member.running--
}

// Report implements [providers.Turn].
func (t *turn) Report(ctx context.Context, o providers.Outcome) (next bool) {
	if o.Err != nil && (!o.NoCredentials || ctx.Err() != nil) {
		return false // the connection's fault, or the client's
	}
	c, next := t.judge(o)
	if c.For > 0 {
		t.pool.cool(ctx, t.member, c)
	}
	return next
}

// judge notes an outcome, and tells for how long the account is to be left alone and whether another may do better.
func (t *turn) judge(o providers.Outcome) (c Cooldown, next bool) {
	rules, m := t.pool.rules, t.member
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	m.status = o.Status
	wait := func(otherwise time.Duration) time.Duration {
		return min(retryAfter(o, otherwise), rules.MaxCooldown)
	}
	switch {
	case o.NoCredentials:
		m.refused++
		return Cooldown{For: wait(rules.Cooldown), Reason: reasonNone}, true
	case o.Status == http.StatusTooManyRequests:
		m.refused++
		return Cooldown{For: wait(rules.Cooldown), Reason: reasonRateLimit}, true
	case slices.Contains(rules.FailureStatusCodes, o.Status):
		m.refused++
		if m.failures++; m.failures >= rules.MaxFailures {
			c = Cooldown{For: wait(rules.Cooldown), Reason: reasonRefused}
		}
		return c, true
	case o.Status == http.StatusServiceUnavailable, o.Status == statusOverloaded:
		m.refused++
		c = Cooldown{For: wait(min(overloadCooldown, rules.Cooldown)), Reason: reasonOverload, LastResort: true}
		return c, true
	case o.Status >= http.StatusInternalServerError:
		m.refused++
		if m.troubles++; m.troubles >= rules.MaxFailures {
			c = Cooldown{For: wait(min(overloadCooldown, rules.Cooldown)), Reason: reasonTrouble, LastResort: true}
		}
		return c, false
	case o.Status < http.StatusBadRequest:
		m.failures, m.troubles = 0, 0
	}
	return Cooldown{}, false
}

// retryAfter is how long an outcome asks to wait; zero where it asks to try again at once.
func retryAfter(o providers.Outcome, otherwise time.Duration) time.Duration {
	if e, ok := errors.AsType[*ccproxy.Error](o.Err); ok && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	if d, ok := retryafter.From(o.Header, time.Now()); ok {
		return d
	}
	return otherwise
}
