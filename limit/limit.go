// Package limit holds callers to what they may take: requests at a time, requests and tokens per minute.
//
// A [Limiter] is asked before a request begins and told when it has ended. [Local] keeps its counts in memory, for one
// process; package limit/redis, a module of its own, keeps them in Redis for all that share it. Package limittest holds
// the suite that any Limiter has to pass.
//
//	limiter := new(limit.Local)
//	r := limit.Request{Key: "team-a", ID: "42", Policy: limit.Policy{Concurrency: 4, TokensPerMinute: 50_000}}
//	d, err := limiter.Begin(ctx, r)
//	if err == nil && d.Refused == "" {
//		defer limiter.End(ctx, r, tokens)
//		…
//	}
//
// # How it counts
//
// Budgets per minute are those of the generic cell rate algorithm: a key may spend a whole minute's budget at once, and
// it comes back evenly, not at the beginning of a minute. With 60 requests per minute a key that has spent them all
// gets another each second.
//
// What a request takes of tokens is known when it has ended, and taken then, whether it is left or not. A key with a
// single token left may so begin a request of any size, and waits afterwards until what it took too much has come
// back, though never more than [MaxDebt].
package limit

import (
	"context"
	"errors"
	"time"
)

// ErrFull is returned by a [Limiter] that cannot keep count of one more key.
var ErrFull = errors.New("too many keys")

// Window is what the budgets of a [Policy] are for.
const Window = time.Minute

// MaxDebt is the longest that a key waits for tokens that it has taken and did not have.
const MaxDebt = 24 * time.Hour

// Policy is what one key may take. In each field zero or less means any amount.
type Policy struct {
	// Concurrency is how many requests may run at a time.
	Concurrency int
	// RequestsPerMinute is how many requests may begin within a minute.
	RequestsPerMinute int64
	// TokensPerMinute is how many tokens requests may take within a minute, before another may begin.
	TokensPerMinute int64
}

// IsZero reports whether the policy limits nothing.
func (p Policy) IsZero() bool {
	return p.Concurrency <= 0 && p.RequestsPerMinute <= 0 && p.TokensPerMinute <= 0
}

// Request is one request of a key.
type Request struct {
	// Key is whose request it is. Keys are not secret.
	Key string
	// ID tells the request from all others of its key, in all processes that share the limiter; it is not used again.
	ID string
	// Policy is what the key may take at present. It may change from request to request.
	Policy Policy
}

// Kind is a limit of a [Policy].
type Kind string

// The kinds of limits.
const (
	Concurrency Kind = "concurrency"
	Requests    Kind = "requests"
	Tokens      Kind = "tokens"
)

// Decision says whether a request may begin, and what is left of its key's budgets.
type Decision struct {
	// Refused is the limit that keeps the request from beginning; "" if it may. Of several it is the one that
	// lasts longest.
	Refused Kind
	// RetryAfter is when the budgets allow for a request again. It is zero for one that may begin, and for one that
	// is refused by [Concurrency] alone: nobody knows when one of the others ends.
	RetryAfter time.Duration
	// Requests and Tokens are the budgets after the decision. Their Limit is zero where the policy has none.
	Requests, Tokens Budget
}

// Budget is what is left of a minute's amount.
type Budget struct {
	// Limit is the whole amount, Remaining what is left of it, never less than zero.
	Limit, Remaining int64
	// Reset is when all of it is there again.
	Reset time.Duration
}

// Limiter counts what keys take. Its methods are called concurrently.
type Limiter interface {
	// Begin asks for a request. One that it does not refuse counts from then on. One that it refuses counts nothing.
	// An error tells that the limiter does not know, such as when what it keeps its counts in is away; nothing is
	// counted then, as far as the limiter can tell. It waits no longer than ctx lasts.
	Begin(ctx context.Context, r Request) (Decision, error)
	// End ends a request that Begin did not refuse, exactly once, with the same Request. It takes tokens from
	// the key's budget, whether they are left or not; less than zero counts as zero.
	End(ctx context.Context, r Request, tokens int64) error
}
