package balancer_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/balancer"
)

// An account is refused with 429, the other has no login: the client gets the upstream's answer, with its hint.
func TestRefusedThenNoLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up providertest.Upstream
		defer up.Close()
		up.Handler = func(providertest.Request) providertest.Reply { return refusal(429, "Retry-After", "30") }
		proxy := startAccounts(t, &up, ccproxy.Settings{},
			map[string]any{"name": "team", "api_key": key("team")}, map[string]any{"name": "me", "oauth": "claude-api"})
		defer proxy.Shutdown(t.Context())
		for i := range 2 {
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/claude/v1/messages", strings.NewReader(message)))
			if w.Code != 429 || w.Header().Get("Retry-After") != "30" {
				t.Errorf("request %d: %d Retry-After %q %s", i, w.Code, w.Header().Get("Retry-After"), w.Body)
			}
		}
	})
}

// Retry-After: 0 means at once.
func TestRetryAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, []string{"one"}, nil)
		defer r.stop(t)
		r.reply("one", refusal(429, "Retry-After", "0"))
		r.ask(t)
		r.reply("one", nil)
		time.Sleep(2 * time.Second)
		if w := r.ask(t); w.Code != 200 {
			t.Errorf("two seconds after Retry-After: 0: %d Retry-After %q %s", w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	})
}

// A rate limit counts although the account cools down as a last resort for longer.
func TestRateLimitOfLastResort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, []string{"one"}, nil)
		defer r.stop(t)
		r.reply("one", refusal(503, "Retry-After", "60"))
		r.ask(t)
		r.reply("one", refusal(429, "Retry-After", "30"))
		r.asked()
		for range 10 {
			r.ask(t)
		}
		if asked := r.asked(); asked != "one" {
			t.Errorf("the upstream was asked %q after it said 429 Retry-After 30", asked)
		}
	})
}

// slowBoard takes a moment to write.
type slowBoard struct {
	*board
	wait time.Duration
}

func (s slowBoard) Cool(ctx context.Context, p, a string, c balancer.Cooldown) error {
	time.Sleep(s.wait)
	return s.board.Cool(ctx, p, a, c)
}

func (s slowBoard) Switch(ctx context.Context, p, a string, on bool) error {
	time.Sleep(s.wait)
	return s.board.Switch(ctx, p, a, on)
}

// A cooldown, and a switch, hold while they are being written.
func TestWriteUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := slowBoard{newBoard(), 100 * time.Millisecond}
		r := start(t, []string{"one", "two"}, nil, sharing(b))
		defer r.stop(t)
		r.ask(t)
		time.Sleep(950 * time.Millisecond)
		r.asked()
		go r.call(t, "POST", "/balancer/claude/one/disable", "")
		time.Sleep(60 * time.Millisecond) // the state is looked at again, and has not heard
		r.ask(t)
		time.Sleep(100 * time.Millisecond) // the operator has his answer
		r.asked()
		r.ask(t)
		if asked := r.asked(); asked != "two" {
			t.Errorf("asked %q although one is switched off", asked)
		}
		synctest.Wait()
	})
}

// A provider without an account that is on is no failing upstream: switching one on helps at once.
func TestBreakerOfSwitchedOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up providertest.Upstream
		defer up.Close()
		proxy := startAccounts(t, &up, ccproxy.Settings{
			Breakers: ccproxy.Breakers{BreakerPolicy: ccproxy.BreakerPolicy{Failures: 3, Cooldown: 10 * time.Minute}},
		}, map[string]any{"name": "team", "api_key": key("team")})
		defer proxy.Shutdown(t.Context())
		call := func(method, path, body string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
			return w
		}
		call("POST", "/balancer/claude/team/disable", "")
		for range 3 {
			t.Log(call("POST", "/claude/v1/messages", message).Body)
		}
		if w := call("POST", "/balancer/claude/team/enable", ""); w.Code >= 300 {
			t.Fatal(w.Code, w.Body)
		}
		if w := call("POST", "/claude/v1/messages", message); w.Code != 200 {
			t.Errorf("after the account was switched on: %d Retry-After %q %s", w.Code, w.Header().Get("Retry-After"), w.Body)
		}
		if n := len(up.Requests()); n != 1 {
			t.Errorf("the upstream was asked %d times", n)
		}
	})
}
