package limit_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy/limit"
)

// generous is a limiter of a host's own: it counts in a map, by a clock that its tests can set, and lets those who pay
// most wait never more than a few seconds.
type generous struct {
	now     func() time.Time
	longest time.Duration

	mu   sync.Mutex
	keys map[string]*debts
}

// debts are what a limiter has to keep of a key.
type debts struct {
	at               time.Time // when they were as they stand here
	running          int
	requests, tokens time.Duration
}

// Begin implements [limit.Limiter].
func (g *generous) Begin(_ context.Context, r limit.Request) (limit.Decision, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.of(r.Key)
	decision := limit.Decide(r.Policy, d.running, d.requests, d.tokens)
	if decision.Refused == "" {
		d.running++
		d.requests = limit.Meter(r.Policy.RequestsPerMinute).Spend(d.requests, 1)
	}
	return decision, nil
}

// End implements [limit.Limiter].
func (g *generous) End(_ context.Context, r limit.Request, tokens int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.of(r.Key)
	d.running--
	d.tokens = min(limit.Meter(r.Policy.TokensPerMinute).Spend(d.tokens, tokens), limit.Window+g.longest)
	return nil
}

// of finds what a key owes now: debts shrink as time passes.
func (g *generous) of(key string) *debts {
	now := g.now()
	d := g.keys[key]
	if d == nil {
		d = &debts{at: now}
		g.keys[key] = d
	}
	passed := now.Sub(d.at)
	d.at, d.requests, d.tokens = now, max(d.requests-passed, 0), max(d.tokens-passed, 0)
	return d
}

// A limiter of one's own keeps debts and leaves the decisions to Decide.
func ExampleLimiter() {
	clock := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var limiter limit.Limiter = &generous{
		now: func() time.Time { return clock }, longest: 5 * time.Second, keys: map[string]*debts{},
	}
	ctx := context.Background()
	r := limit.Request{Key: "gold", Policy: limit.Policy{TokensPerMinute: 1000}}
	for _, later := range []time.Duration{0, time.Second, 5 * time.Second} {
		clock = clock.Add(later)
		d, err := limiter.Begin(ctx, r)
		switch {
		case err != nil:
			fmt.Println(err)
		case d.Refused != "":
			fmt.Println("refused, again in", d.RetryAfter.Round(time.Second))
		default:
			fmt.Println("begins with", d.Tokens.Remaining, "tokens")
			_ = limiter.End(ctx, r, 50_000)
		}
	}
	// Output:
	// begins with 1000 tokens
	// refused, again in 4s
	// begins with 16 tokens
}

// An answer to a client that is refused depends on the limit that refused it.
func ExampleDecision() {
	policy := limit.Policy{Concurrency: 2, RequestsPerMinute: 60}
	advice := func(d limit.Decision) string {
		advices := map[limit.Kind]string{
			limit.Concurrency: "wait for a request of yours to end",
			limit.Requests:    fmt.Sprintf("try again in %v", d.RetryAfter),
			limit.Tokens:      "ask for shorter answers",
		}
		if text := advices[d.Refused]; text != "" {
			return text
		}
		return "go on"
	}
	fmt.Println(advice(limit.Decide(policy, 1, 0, 0)))
	fmt.Println(advice(limit.Decide(policy, 2, 0, 0)))
	fmt.Println(advice(limit.Decide(policy, 0, limit.Window, 0)))
	// Output:
	// go on
	// wait for a request of yours to end
	// try again in 1s
}

// A budget is what rate-limit headers of an answer tell.
func ExampleBudget() {
	d := limit.Decide(limit.Policy{RequestsPerMinute: 60}, 0, 14*time.Second, 0)
	header := func(name string, b limit.Budget) {
		fmt.Printf("x-ratelimit-limit-%s: %d\n", name, b.Limit)
		fmt.Printf("x-ratelimit-remaining-%s: %d\n", name, b.Remaining)
		fmt.Printf("x-ratelimit-reset-%s: %v\n", name, b.Reset)
	}
	header("requests", d.Requests)
	// Output:
	// x-ratelimit-limit-requests: 60
	// x-ratelimit-remaining-requests: 45
	// x-ratelimit-reset-requests: 15s
}
