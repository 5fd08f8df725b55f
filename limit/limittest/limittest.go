// Package limittest is the suite for implementations of [limit.Limiter]: what any of them has to do, wherever it keeps
// its counts.
//
//	func TestLimiter(t *testing.T) {
//		for _, c := range limittest.Cases() {
//			t.Run(c.Name, func(t *testing.T) {
//				c.Test(t, limittest.Rig{Limiter: newLimiter(t), Advance: time.Sleep})
//			})
//		}
//	}
//
// Each case waits for a few seconds at most, so that it may run against a real server; in a bubble of testing/synctest
// it takes no time.
package limittest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/limit"
)

// Rig is what a case works with.
type Rig struct {
	// Limiter has counted nothing yet.
	Limiter limit.Limiter
	// Advance lets time pass for the limiter, as time.Sleep does.
	Advance func(d time.Duration)
}

// Case is one thing that a limiter has to do.
type Case struct {
	Name string
	Test func(t *testing.T, r Rig)
}

// Cases returns them all. The list grows; names are stable.
func Cases() []Case {
	return []Case{
		{"no limits", testUnlimited},
		{"concurrency", testConcurrency},
		{"concurrency under load", testLoad},
		{"requests", testRequests},
		{"refusals count nothing", testRefusals},
		{"tokens are taken afterwards", testTokens},
		{"tokens of several ends", testSeveralEnds},
		{"debt has an end", testDebt},
		{"longest refusal", testLongest},
		{"budgets", testBudgets},
		{"keys are apart", testKeys},
		{"policy changes", testPolicy},
		{"ended context", testContext},
	}
}

// begin asks for a request and fails the test where the limiter does not know.
func (r Rig) begin(t *testing.T, req limit.Request) limit.Decision {
	t.Helper()
	d, err := r.Limiter.Begin(t.Context(), req)
	if err != nil {
		t.Fatalf("Begin(%+v): %v", req, err)
	}
	if d.Refused == "" && d.RetryAfter != 0 || d.RetryAfter < 0 {
		t.Errorf("Begin(%+v) = %+v: RetryAfter", req, d)
	}
	return d
}

// want asks for a request that has to be refused by a limit, or let in by "".
func (r Rig) want(t *testing.T, refused limit.Kind, req limit.Request) limit.Decision {
	t.Helper()
	d := r.begin(t, req)
	if d.Refused != refused {
		t.Fatalf("Begin(%+v) = %+v, want Refused %q", req, d, refused)
	}
	return d
}

func (r Rig) end(t *testing.T, req limit.Request, tokens int64) {
	t.Helper()
	if err := r.Limiter.End(t.Context(), req, tokens); err != nil {
		t.Fatalf("End(%+v, %d): %v", req, tokens, err)
	}
}

// request is the nth of a key.
func request(key string, n int, p limit.Policy) limit.Request {
	return limit.Request{Key: key, ID: fmt.Sprintf("%s-%d", key, n), Policy: p}
}

func testUnlimited(t *testing.T, r Rig) {
	for i := range 100 {
		d := r.want(t, "", request("k", i, limit.Policy{Concurrency: -1, TokensPerMinute: -1}))
		if d != (limit.Decision{}) {
			t.Fatalf("Begin without limits = %+v, want nothing", d)
		}
		r.end(t, request("k", i, limit.Policy{}), 1<<40)
	}
}

func testConcurrency(t *testing.T, r Rig) {
	p := limit.Policy{Concurrency: 2}
	first, second, third := request("k", 1, p), request("k", 2, p), request("k", 3, p)
	r.want(t, "", first)
	r.want(t, "", second)
	if d := r.want(t, limit.Concurrency, third); d.RetryAfter != 0 {
		t.Errorf("RetryAfter = %v for what has no time", d.RetryAfter)
	}
	r.want(t, limit.Concurrency, third)
	r.end(t, first, 0)
	r.want(t, "", third)
	r.want(t, limit.Concurrency, request("k", 4, p))
	r.end(t, second, 0)
	r.end(t, third, 0)
	r.want(t, "", request("k", 5, p))
	r.want(t, "", request("k", 6, p))
	r.want(t, limit.Concurrency, request("k", 7, p))
}

func testLoad(t *testing.T, r Rig) {
	const most, callers, each = 3, 16, 20
	p := limit.Policy{Concurrency: most}
	var running, over, begun atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				req := request("k", c*each+i, p)
				d, err := r.Limiter.Begin(t.Context(), req)
				if err != nil {
					t.Errorf("Begin: %v", err)
					return
				}
				if d.Refused != "" {
					continue
				}
				begun.Add(1)
				if now := running.Add(1); now > most {
					over.Store(now)
				}
				running.Add(-1)
				if err := r.Limiter.End(t.Context(), req, 1); err != nil {
					t.Errorf("End: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if over.Load() > 0 || begun.Load() < most {
		t.Errorf("%d requests at a time, want at most %d; %d begun in all", over.Load(), most, begun.Load())
	}
	for i := range most {
		r.want(t, "", request("k", -1-i, p))
	}
	r.want(t, limit.Concurrency, request("k", -99, p))
}

// drain spends a minute's requests.
func (r Rig) drain(t *testing.T, key string, p limit.Policy) {
	t.Helper()
	for i := range int(p.RequestsPerMinute) {
		req := request(key, i, p)
		r.want(t, "", req)
		r.end(t, req, 0)
	}
}

func testRequests(t *testing.T, r Rig) {
	p := limit.Policy{RequestsPerMinute: 30} // one each two seconds
	r.drain(t, "k", p)
	d := r.want(t, limit.Requests, request("k", 100, p))
	if d.RetryAfter <= 0 || d.RetryAfter > 2*time.Second {
		t.Errorf("RetryAfter = %v, want two seconds at most", d.RetryAfter)
	}
	r.Advance(d.RetryAfter + time.Millisecond)
	r.want(t, "", request("k", 101, p))
	r.want(t, limit.Requests, request("k", 102, p))
}

func testRefusals(t *testing.T, r Rig) {
	p := limit.Policy{RequestsPerMinute: 30}
	r.drain(t, "k", p)
	for i := range 50 {
		if d := r.want(t, limit.Requests, request("k", 100+i, p)); d.RetryAfter > 2*time.Second {
			t.Fatalf("RetryAfter = %v after %d refusals", d.RetryAfter, i)
		}
	}
	r.Advance(2*time.Second + time.Millisecond)
	r.want(t, "", request("k", 200, p))
}

func testTokens(t *testing.T, r Rig) {
	p := limit.Policy{TokensPerMinute: 6000} // a hundred each second
	first, second := request("k", 1, p), request("k", 2, p)
	r.want(t, "", first)
	r.want(t, "", second) // nobody knows yet what the first takes
	r.end(t, first, 6100)
	d := r.want(t, limit.Tokens, request("k", 3, p))
	if d.RetryAfter <= 0 || d.RetryAfter > 1100*time.Millisecond {
		t.Errorf("RetryAfter = %v, want about a second", d.RetryAfter)
	}
	if d.Tokens.Limit != 6000 || d.Tokens.Remaining != 0 {
		t.Errorf("Tokens = %+v", d.Tokens)
	}
	r.Advance(d.RetryAfter + 50*time.Millisecond)
	third := request("k", 4, p)
	r.want(t, "", third)
	r.end(t, third, -5)
	r.end(t, second, 200)
	r.want(t, limit.Tokens, request("k", 5, p))
}

func testSeveralEnds(t *testing.T, r Rig) {
	p := limit.Policy{TokensPerMinute: 6000}
	for i := range 3 {
		req := request("k", i, p)
		r.want(t, "", req)
		r.end(t, req, 1000)
	}
	d := r.want(t, "", request("k", 9, p))
	if d.Tokens.Remaining < 3000 || d.Tokens.Remaining > 3200 {
		t.Errorf("%d tokens left of 6000 after 3000", d.Tokens.Remaining)
	}
}

func testDebt(t *testing.T, r Rig) {
	p := limit.Policy{TokensPerMinute: 1}
	for i := range 3 {
		req := request("k", i, p)
		if d := r.begin(t, req); i == 0 && d.Refused != "" || i > 0 && d.Refused != limit.Tokens {
			t.Fatalf("Begin %d = %+v", i, d)
		}
		if i == 0 {
			r.end(t, req, 1<<60)
		}
	}
	if d := r.begin(t, request("k", 9, p)); d.RetryAfter < limit.MaxDebt || d.RetryAfter > limit.MaxDebt+limit.Window {
		t.Errorf("RetryAfter = %v, want %v", d.RetryAfter, limit.MaxDebt)
	}
}

func testLongest(t *testing.T, r Rig) {
	p := limit.Policy{Concurrency: 1, RequestsPerMinute: 2, TokensPerMinute: 60}
	first, second := request("k", 1, p), request("k", 2, p)
	r.want(t, "", first)
	r.want(t, limit.Concurrency, second)
	r.end(t, first, 0)
	r.want(t, "", second)
	r.want(t, limit.Requests, request("k", 3, p)) // thirty seconds from now, and one is running
	r.end(t, second, 200)
	d := r.want(t, limit.Tokens, request("k", 4, p))
	if d.RetryAfter < 130*time.Second || d.RetryAfter > 142*time.Second {
		t.Errorf("RetryAfter = %v, want about 141 seconds", d.RetryAfter)
	}
}

func testBudgets(t *testing.T, r Rig) {
	p := limit.Policy{RequestsPerMinute: 4, TokensPerMinute: 1200}
	req := request("k", 1, p)
	d := r.want(t, "", req)
	if d.Requests.Limit != 4 || d.Requests.Remaining != 3 || d.Tokens.Limit != 1200 || d.Tokens.Remaining != 1200 ||
		d.Tokens.Reset != 0 || d.Requests.Reset < 14*time.Second || d.Requests.Reset > 15*time.Second {
		t.Errorf("budgets after the first request: %+v", d)
	}
	r.end(t, req, 600)
	d = r.want(t, "", request("k", 2, p))
	if d.Requests.Remaining != 2 || d.Tokens.Remaining < 600 || d.Tokens.Remaining > 640 ||
		d.Tokens.Reset < 28*time.Second || d.Tokens.Reset > 30*time.Second {
		t.Errorf("budgets after 600 tokens: %+v", d)
	}
}

func testKeys(t *testing.T, r Rig) {
	p := limit.Policy{Concurrency: 1, RequestsPerMinute: 1, TokensPerMinute: 1}
	for _, key := range []string{"", "a", "b", "a:b", "{a}", "a}", "Schlüssel *?[x]"} {
		req := request(key, 1, p)
		r.want(t, "", req)
		if d := r.begin(t, request(key, 2, p)); d.Refused == "" {
			t.Errorf("key %q: %+v", key, d)
		}
		r.end(t, req, 10)
	}
}

func testPolicy(t *testing.T, r Rig) {
	wide, narrow := limit.Policy{Concurrency: 3}, limit.Policy{Concurrency: 1, RequestsPerMinute: 60}
	first, second := request("k", 1, wide), request("k", 2, wide)
	r.want(t, "", first)
	r.want(t, "", second)
	r.want(t, limit.Concurrency, request("k", 3, narrow))
	r.end(t, first, 0)
	r.end(t, second, 0)
	d := r.want(t, "", request("k", 4, narrow))
	if d.Requests.Remaining != 59 {
		t.Errorf("%d requests left of a budget that is new", d.Requests.Remaining)
	}
	r.want(t, "", request("k", 5, wide))
}

func testContext(t *testing.T, r Rig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := limit.Policy{Concurrency: 1}
	if _, err := r.Limiter.Begin(ctx, request("k", 1, p)); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin after the end of its context: %v", err)
	}
	r.want(t, "", request("k", 2, p))
}
