package balancer_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/balancer"
)

// board is a State in memory, which several proxies share and which can be away.
type board struct {
	mu    sync.Mutex
	slow  time.Duration // what a look takes
	away  bool
	loads int
	off   map[string]bool
	cools map[string]balancer.Cooldown
	ends  map[string]time.Time
}

func newBoard() *board {
	return &board{off: map[string]bool{}, cools: map[string]balancer.Cooldown{}, ends: map[string]time.Time{}}
}

func (b *board) hold() (release func(), err error) {
	b.mu.Lock()
	if b.away {
		b.mu.Unlock()
		return nil, errors.New("nobody is there")
	}
	return b.mu.Unlock, nil
}

func (b *board) Load(_ context.Context, provider string) (map[string]balancer.Record, error) {
	release, err := b.hold()
	if err != nil {
		return nil, err
	}
	defer release()
	b.loads++
	all := make(map[string]balancer.Record)
	for name := range maps.Keys(b.off) {
		all[name] = balancer.Record{Off: b.off[name]}
	}
	for name, c := range b.cools {
		r := all[name]
		if c.For = time.Until(b.ends[name]); c.For > 0 {
			r.Cooldown = c
		}
		all[name] = r
	}
	if provider != "claude" {
		return nil, errors.New("unknown provider")
	}
	b.mu.Unlock()
	time.Sleep(b.slow)
	b.mu.Lock()
	return all, nil
}

func (b *board) Cool(_ context.Context, _, account string, c balancer.Cooldown) error {
	release, err := b.hold()
	if err != nil {
		return err
	}
	defer release()
	if end := time.Now().Add(c.For); end.After(b.ends[account]) {
		b.cools[account], b.ends[account] = c, end
	}
	return nil
}

func (b *board) Switch(_ context.Context, _, account string, on bool) error {
	release, err := b.hold()
	if err != nil {
		return err
	}
	defer release()
	b.off[account] = !on
	if on {
		delete(b.cools, account)
		delete(b.ends, account)
	}
	return nil
}

func (b *board) setAway(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
}

// service provides the state as a plugin does.
type service struct{ state balancer.State }

func (s service) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide(balancer.StateService, s.state)
}
func (service) Shutdown(context.Context) error { return nil }

func sharing(state balancer.State) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "shared", Provides: []string{balancer.StateService}},
		func() ccproxy.Plugin { return service{state} })
}

// What one proxy learns of an account the other knows a second later, and one that starts at once.
func TestShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		one := start(t, []string{"a", "b"}, nil, sharing(b))
		two := start(t, []string{"a", "b"}, nil, sharing(b))
		defer one.stop(t)
		defer two.stop(t)
		two.ask(t)
		one.reply("a", refusal(429, "Retry-After", "30"))
		one.ask(t)
		time.Sleep(time.Second)
		two.asked()
		if two.ask(t); two.asked() != "b" {
			t.Error("the other proxy used an account that cools down")
		}
		three := start(t, []string{"a", "b"}, nil, sharing(b))
		defer three.stop(t)
		if three.ask(t); three.asked() != "b" {
			t.Error("a new proxy used an account that cools down")
		}
		if s := three.states(t); s[0].State != "cooling" || s[0].Reason != "rate limit" {
			t.Errorf("states: %+v", s)
		}
		// Switching it on at one ends the cooldown at all.
		if w := two.call(t, http.MethodPost, "/balancer/claude/a/enable", ""); w.Code != http.StatusOK {
			t.Fatal(w.Code)
		}
		if w := two.call(t, http.MethodPost, "/balancer/claude/b/disable", ""); w.Code != http.StatusOK {
			t.Fatal(w.Code)
		}
		time.Sleep(time.Second)
		one.reply("a", nil)
		one.asked()
		if one.ask(t); one.asked() != "a" {
			t.Error("an account that was switched on was not used")
		}
		if s := one.states(t); s[1].State != "off" {
			t.Errorf("states: %+v", s)
		}
	})
}

// The shared state is looked at once a second at most, however many requests there are.
func TestLoadsAreRare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		r := start(t, []string{"a"}, nil, sharing(b))
		defer r.stop(t)
		for range 100 {
			r.ask(t)
			time.Sleep(20 * time.Millisecond)
		}
		if b.loads > 3 {
			t.Errorf("%d looks in two seconds", b.loads)
		}
	})
}

// While nobody shares, proxies go on by what they know, and what they have learned meanwhile is told afterwards.
func TestStateAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		r := start(t, []string{"a", "b", "c"}, nil, sharing(b))
		defer r.stop(t)
		b.setAway(true)
		r.reply("a", refusal(429, "Retry-After", "60"))
		if w := r.ask(t); w.Code != http.StatusOK || r.asked() != "a b" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := r.call(t, http.MethodPost, "/balancer/claude/b/disable", ""); w.Code != http.StatusServiceUnavailable {
			t.Errorf("disable: %d %s, want 503: the others do not know", w.Code, w.Body)
		}
		if w := r.ask(t); w.Code != http.StatusOK || r.asked() != "c" {
			t.Errorf("%d: not by what is known", w.Code)
		}
		if h := r.health(t); h != "unknown" {
			t.Errorf("health: %+v", h)
		}
		b.setAway(false)
		b.off["c"] = true // by somebody else
		time.Sleep(6 * time.Second)
		r.reply("c", refusal(500))
		r.ask(t)
		if !b.off["b"] || b.cools["a"].Reason != "rate limit" || b.off["a"] {
			t.Errorf("the others were not told: %v %v", b.off, b.cools)
		}
		if s := r.states(t); s[0].State != "cooling" || s[1].State != "off" || s[2].State != "off" {
			t.Errorf("states: %+v", s)
		}
		if h := r.health(t); h != "unknown" {
			t.Errorf("health: %+v: no account can be used", h)
		}
	})
}

// What is learned while the shared state is being looked at is newer than it.
func TestSlowState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		r := start(t, []string{"a", "b"}, nil, sharing(b))
		defer r.stop(t)
		b.slow = 300 * time.Millisecond
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.ask(t) // looks, and does not see what comes meanwhile
		}()
		time.Sleep(100 * time.Millisecond)
		r.reply("a", refusal(429, "Retry-After", "30"))
		r.ask(t)
		<-done
		r.asked()
		if r.ask(t); r.asked() != "b" {
			t.Error("an account was used that cools down")
		}
	})
}

// A client that leaves while the shared state is being looked at costs no account anything.
func TestDeparture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		r := start(t, []string{"a", "b"}, map[string]any{"strategy": "round_robin"}, sharing(b))
		defer r.stop(t)
		b.slow = 300 * time.Millisecond
		ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/claude/v1/messages", strings.NewReader(message))
		r.ServeHTTP(httptest.NewRecorder(), req)
		b.slow = 0
		for _, s := range r.states(t) {
			if s.Requests != 0 || s.Running != 0 {
				t.Errorf("after the client has left: %+v", s)
			}
		}
		if r.ask(t); r.asked() != "a" {
			t.Error("the next request does not begin with the first account")
		}
	})
}
