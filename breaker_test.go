package ccproxy_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

func breakersOf(p ccproxy.BreakerPolicy) ccproxy.Settings {
	return ccproxy.Settings{Breakers: ccproxy.Breakers{Providers: map[string]ccproxy.BreakerPolicy{"claude": p}}}
}

// breakerState is what /plugins/claude_api/health says of the breaker, and the plugin's health.
func breakerState(t *testing.T, r *rig) (state string, listed bool) {
	t.Helper()
	list, _ := detailsOf(t, r.proxy, "claude_api")["breakers"].([]any)
	if len(list) != 1 {
		t.Fatalf("breakers %v", list)
	}
	one, _ := list[0].(map[string]any)
	state, _ = one["state"].(string)
	return state, strings.Contains(visit(r.proxy, http.MethodGet, "/plugins", "").Body.String(), `"provider":"claude"`)
}

// A breaker opens after so many failures in a row, lets one call probe when its time is up, and closes when that is
// answered. Clients are told when to come again, in their own dialect.
func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{settings: breakersOf(ccproxy.BreakerPolicy{Failures: 3, Cooldown: 10 * time.Second}), quiet: true})
		step := func(status int, state string, replies ...providertest.Reply) {
			t.Helper()
			r.upstream.Enqueue(replies...)
			if rec := r.post(t, wholeBody); rec.Code != status {
				t.Errorf("status %d, want %d: %s", rec.Code, status, rec.Body)
			}
			if got, listed := breakerState(t, r); got != state || listed != (state != "closed") {
				t.Errorf("breaker %s, listed %v, want %s", got, listed, state)
			}
		}
		step(500, "closed", refusal(500))
		step(502, "closed", providertest.Drop())
		step(200, "closed") // which ends the row
		step(500, "closed", refusal(500))
		step(429, "closed", refusal(429)) // it answers
		for range 2 {
			step(500, "closed", refusal(500))
		}
		step(529, "open", refusal(529))
		calls := len(r.upstream.Requests())
		time.Sleep(4 * time.Second)
		for _, k := range clientKinds() {
			rec := visit(r.proxy, http.MethodPost, k.path, k.body)
			if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "6" {
				t.Errorf("%s: got %d, Retry-After %q", k.name, rec.Code, rec.Header().Get("Retry-After"))
			}
			if anthropic := strings.Contains(rec.Body.String(), `{"type":"error","error":{`); anthropic != (k.name == "messages") {
				t.Errorf("%s: body %s", k.name, rec.Body)
			}
		}
		if n := len(r.upstream.Requests()); n != calls {
			t.Errorf("%d calls while the breaker was open", n-calls)
		}
		time.Sleep(6 * time.Second)
		if state, _ := breakerState(t, r); state != "half_open" {
			t.Errorf("breaker %s", state)
		}
		step(503, "open", refusal(503)) // the probe failed
		time.Sleep(10 * time.Second)
		step(200, "closed")
		step(500, "closed", refusal(500)) // the row begins anew
	})
}

// While one call probes, the others wait elsewhere; a long stream decides when it begins, and one that is left does not.
func TestBreakerProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{settings: breakersOf(ccproxy.BreakerPolicy{Failures: 1, Cooldown: time.Second}), quiet: true})
		r.upstream.Enqueue(refusal(500))
		r.post(t, wholeBody)
		time.Sleep(time.Second)

		ctx, leave := context.WithCancel(t.Context())
		left := make(chan int)
		r.upstream.Enqueue(providertest.Stall(nil, nil))
		go func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, messagesPath, strings.NewReader(wholeBody))
			left <- send(r, req).Code
		}()
		synctest.Wait()
		if rec := r.post(t, wholeBody); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "1" {
			t.Errorf("beside a probe: %d", rec.Code)
		}
		leave()
		if code := <-left; code != 499 {
			t.Errorf("the probe was left with %d", code)
		}
		if state, _ := breakerState(t, r); state != "half_open" {
			t.Errorf("breaker %s after a probe that nobody waited for", state)
		}

		release := make(chan struct{})
		text := providertest.TextEvents("claude-fake", "One two.")
		parts := append([]providertest.Part{}, text[:4]...)
		parts = append(append(parts, providertest.Gate(release)), text[4:]...)
		r.upstream.Enqueue(providertest.Stream(parts...))
		go func() { left <- r.post(t, streamBody).Code }()
		synctest.Wait()
		if rec := r.post(t, wholeBody); rec.Code != http.StatusOK {
			t.Errorf("beside a probe that is being answered: %d", rec.Code)
		}
		close(release)
		if code := <-left; code != http.StatusOK {
			t.Errorf("the probe got %d", code)
		}
	})
}

// Streams that end in an error count, though their status is 200.
func TestBreakerCountsBrokenStreams(t *testing.T) {
	t.Parallel()
	text := providertest.TextEvents("claude-fake", "One two.")
	for name, end := range map[string]providertest.Part{
		"cut": providertest.Cut(), "error event": providertest.ErrorEvent("api_error", "No"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigSetup{settings: breakersOf(ccproxy.BreakerPolicy{Failures: 2}), quiet: true})
			for range 2 {
				r.upstream.Enqueue(providertest.Stream(append(append([]providertest.Part{}, text[:4]...), end)...))
				if rec := r.post(t, streamBody); rec.Code != http.StatusOK {
					t.Errorf("status %d", rec.Code)
				}
			}
			if state, _ := breakerState(t, r); state != "open" {
				t.Errorf("breaker %s", state)
			}
		})
	}
}

// A probe whose stream begins lets the others in, and shuts them out again when it breaks off.
func TestBreakerOpensAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{settings: breakersOf(ccproxy.BreakerPolicy{Failures: 3, Cooldown: time.Second}), quiet: true})
		text := providertest.TextEvents("claude-fake", "One two.")
		broken := providertest.Stream(append(append([]providertest.Part{}, text[:4]...), providertest.Cut())...)
		expect := func(want string) {
			t.Helper()
			if state, _ := breakerState(t, r); state != want {
				t.Errorf("breaker %s, want %s", state, want)
			}
		}
		for range 3 {
			r.upstream.Enqueue(broken)
			r.post(t, streamBody)
		}
		expect("open")
		for range 3 {
			time.Sleep(time.Second)
			r.upstream.Enqueue(broken)
			r.post(t, streamBody)
			expect("open")
		}
		time.Sleep(time.Second)
		r.upstream.Enqueue(providertest.Stream(text...))
		r.post(t, streamBody)
		for range 2 {
			r.upstream.Enqueue(refusal(500))
			r.post(t, wholeBody)
			expect("closed")
		}
	})
}

// An open breaker leads to the fallback without a call; hooks are told that nobody was called.
func TestBreakerLeadsToFallback(t *testing.T) {
	t.Parallel()
	var second spare
	var told providerErrors
	s := breakersOf(ccproxy.BreakerPolicy{Failures: 1, Cooldown: time.Hour})
	s.Fallbacks = toSpare()
	r := newRig(t, rigSetup{settings: s, plugins: []ccproxy.Factory{second.factory()}, hooks: []hooks.Hook{told.hook()}})
	r.upstream.Enqueue(refusal(500))
	for i := range 3 {
		rec := r.post(t, wholeBody)
		if rec.Code != http.StatusOK || rec.Header().Get("X-CCProxy-Answered-By") != "spare/spare-1" {
			t.Errorf("call %d: got %d by %q", i, rec.Code, rec.Header().Get("X-CCProxy-Answered-By"))
		}
		if end := r.completed(t); end.Attempts != []int{2, 1, 1}[i] {
			t.Errorf("call %d: %d attempts", i, end.Attempts)
		}
	}
	if n := len(r.upstream.Requests()); n != 1 {
		t.Errorf("%d calls", n)
	}
}
