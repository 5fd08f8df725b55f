package ccproxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// dials is a transport that cannot connect a number of times.
type dials struct {
	base http.RoundTripper
	bad  atomic.Int64
	all  atomic.Int64
}

func (d *dials) RoundTrip(req *http.Request) (*http.Response, error) {
	d.all.Add(1)
	if d.bad.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: io.ErrUnexpectedEOF}
	}
	return d.base.RoundTrip(req)
}

func retriesOf(n int) ccproxy.Settings {
	return ccproxy.Settings{Retries: ccproxy.Retries{RetryPolicy: ccproxy.RetryPolicy{Max: n}}}
}

func refusal(status int, header ...string) providertest.Reply {
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return providertest.Error(status, "api_error", "No", h)
}

// How long a retry waits is what the upstream says, within the bound, else something between a half and all of half a
// second.
func TestRetryWaits(t *testing.T) {
	t.Parallel()
	date := func(in time.Duration) string {
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(in).Format(http.TimeFormat) // a bubble's clock begins then
	}
	tests := []struct {
		name     string
		reply    providertest.Reply
		retried  bool
		from, to time.Duration
	}{
		{"no hint", refusal(503), true, 250 * time.Millisecond, 500 * time.Millisecond},
		{"seconds", refusal(429, "Retry-After", "7"), true, 7 * time.Second, 8 * time.Second},
		{"seconds of 529", refusal(529, "Retry-After", "1"), true, time.Second, 2 * time.Second},
		{"date of 529", refusal(529, "Retry-After", date(6*time.Second)), true, 6 * time.Second, 7 * time.Second},
		{"date that has passed", refusal(429, "Retry-After", date(-time.Hour)), true, 0, time.Second},
		{"milliseconds", refusal(503, "Retry-After-Ms", "1500"), true, 1500 * time.Millisecond, 2500 * time.Millisecond},
		{"negative", refusal(429, "Retry-After", "-5"), true, 0, time.Second},
		{"no number", refusal(429, "Retry-After", "soon"), true, 0, time.Second},
		{"too long", refusal(429, "Retry-After", "11"), false, 0, 0},
		{"endless", refusal(429, "Retry-After", "99999999999999999999"), false, 0, 0},
		{"not wanted", refusal(429, "X-Should-Retry", "false"), false, 0, 0},
		{"another status", refusal(500), false, 0, 0},
		{"may have been executed", providertest.Drop(), false, 0, 0},
		{"error event", providertest.Stream(providertest.ErrorEvent("overloaded_error", "No")), true, 0, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigSetup{settings: retriesOf(1)})
				r.upstream.Enqueue(tt.reply)
				begun := time.Now()
				rec := r.post(t, streamBody)
				took := time.Since(begun)
				if retried := rec.Code == http.StatusOK; retried != tt.retried || took < tt.from || took > tt.to {
					t.Errorf("retried %v after %v, status %d", retried, took, rec.Code)
				}
				attempts := 1
				if tt.retried {
					attempts = 2
				}
				if n := len(r.upstream.Requests()); n != attempts {
					t.Errorf("%d calls, want %d", n, attempts)
				}
			})
		})
	}
}

// A connection that does not come about is tried again, as often as the policy says.
func TestRetryOfDials(t *testing.T) {
	t.Parallel()
	for _, bad := range []int64{1, 2, 3} {
		t.Run(fmt.Sprint(bad), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var d dials
				d.bad.Store(bad)
				r := newRig(t, rigSetup{settings: retriesOf(2), options: []ccproxy.Option{ccproxy.WithTransport(&d)}})
				d.base = r.upstream.Transport()
				rec := r.post(t, wholeBody)
				if ok := rec.Code == http.StatusOK; ok != (bad < 3) || d.all.Load() != min(bad+1, 3) {
					t.Errorf("status %d after %d dials", rec.Code, d.all.Load())
				}
			})
		})
	}
}

// By default nothing is tried again: that is the client's choice, who gets the hints.
func TestNoRetryByDefault(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	r.upstream.Enqueue(refusal(429, "Retry-After", "1"))
	rec := r.post(t, wholeBody)
	if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") != "1" || len(r.upstream.Requests()) != 1 {
		t.Errorf("got %d, %d calls", rec.Code, len(r.upstream.Requests()))
	}
}

// An upstream that refuses everything for a minute gets hardly more calls than without retries, and retries are there
// again when it is well.
func TestRetryStorm(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigSetup{settings: retriesOf(3), quiet: true})
				var well atomic.Bool
				r.upstream.Handler = func(providertest.Request) providertest.Reply {
					if well.Load() {
						return nil
					}
					return refusal(status)
				}
				const calls = 600
				for range calls {
					if rec := r.post(t, wholeBody); rec.Code != status {
						t.Fatalf("status %d", rec.Code)
					}
					time.Sleep(100 * time.Millisecond)
				}
				if n := len(r.upstream.Requests()); n > calls*110/100 || n == calls {
					t.Errorf("%d calls for %d requests", n, calls)
				}
				well.Store(true)
				for range 10 {
					r.post(t, wholeBody)
				}
				r.upstream.Reset()
				r.upstream.Enqueue(refusal(status))
				if rec := r.post(t, wholeBody); rec.Code != http.StatusOK || len(r.upstream.Requests()) != 2 {
					t.Errorf("after it: %d, %d calls", rec.Code, len(r.upstream.Requests()))
				}
			})
		})
	}
}

// Once something of an answer has come the call is executed, and is never executed again, wherever it breaks.
func TestNoSecondExecution(t *testing.T) {
	t.Parallel()
	text := providertest.TextEvents("claude-fake", strings.Repeat("word ", 40))
	ends := []providertest.Part{
		providertest.Cut(), providertest.Reset(), providertest.ErrorEvent("overloaded_error", "No"),
	}
	all := ccproxy.RetryPolicy{Max: 3, Statuses: []int{429, 500, 502, 503, 504, 529}, Budget: 1}
	var second spare
	r := newRig(t, rigSetup{
		settings: ccproxy.Settings{Retries: ccproxy.Retries{RetryPolicy: all}, Fallbacks: toSpare()},
		plugins:  []ccproxy.Factory{second.factory()}, quiet: true,
	})
	const runs = 1000
	for i := range runs {
		cut := 2 + i%(len(text)-3)
		parts := append(append([]providertest.Part{}, text[:cut]...), ends[i%len(ends)])
		r.upstream.Enqueue(providertest.Stream(parts...))
		rec := r.post(t, streamBody)
		if n := strings.Count(rec.Body.String(), "message_start\n"); n != 1 {
			t.Fatalf("run %d: %d beginnings", i, n)
		}
	}
	if n, m := len(r.upstream.Requests()), len(second.asked()); n != runs || m != 0 {
		t.Errorf("%d and %d executions of %d requests", n, m, runs)
	}
}

// A client that leaves while a retry waits ends everything at once.
func TestClientLeavesDuringBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{settings: retriesOf(3)})
		r.upstream.Enqueue(refusal(429, "Retry-After", "9"))
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(4*time.Second, leave)
		begun := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, messagesPath, strings.NewReader(wholeBody))
		if err != nil {
			t.Fatal(err)
		}
		rec := send(r, req)
		if took := time.Since(begun); took != 4*time.Second || rec.Code != 499 {
			t.Errorf("ended after %v with %d", took, rec.Code)
		}
		time.Sleep(time.Minute)
		if n := len(r.upstream.Requests()); n != 1 {
			t.Errorf("%d calls", n)
		}
		if end := r.failed(t); !end.ClientGone || end.Status != 499 || end.Attempts != 1 {
			t.Errorf("failed: %+v", end)
		}
	})
}

// A caller whose time is up before a retry could be made is told at once.
func TestRetryWithinDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{settings: retriesOf(3)})
		r.upstream.Enqueue(refusal(429, "Retry-After", "9"))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, messagesPath, strings.NewReader(wholeBody))
		if err != nil {
			t.Fatal(err)
		}
		if rec := send(r, req); rec.Code != 429 || time.Since(begun) != 0 {
			t.Errorf("got %d after %v", rec.Code, time.Since(begun))
		}
	})
}

// Hooks are told of each attempt, and what the client sees while a retry waits is a stream that is alive.
func TestRetryBehindAPromise(t *testing.T) {
	t.Parallel()
	for _, k := range clientKinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var told providerErrors
				settings := retriesOf(2)
				settings.Streams = ccproxy.Streams{CommitAfter: time.Second, KeepAlive: 2 * time.Second}
				r := newRig(t, rigSetup{settings: settings, hooks: []hooks.Hook{told.hook()}})
				s := newHost(t, r.proxy, false)
				r.upstream.Enqueue(refusal(429, "Retry-After", "6"))
				resp, got := k.stream(t, s)
				if resp.StatusCode != http.StatusOK || strings.Count(got, k.ping) < 2 || strings.Count(got, k.success) != 1 {
					t.Errorf("got %d %q", resp.StatusCode, got)
				}
				if end := r.completed(t); end.Attempts != 2 {
					t.Errorf("%d attempts", end.Attempts)
				}
				synctest.Wait()
				if seen := told.all(); len(seen) != 1 || !seen[0].Retrying || seen[0].Failover != "" || seen[0].Attempt != 1 {
					t.Errorf("provider errors %+v", seen)
				}
			})
		})
	}
}
