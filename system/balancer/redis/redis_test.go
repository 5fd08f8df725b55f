package redis_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/balancer"
	"github.com/ccproxy-go/ccproxy/system/balancer/redis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers are those that the tests run on: one in memory, and a real one where there is one.
func servers(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"mini": "redis://" + miniredis.RunT(t).Addr()}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Log("redis-server is not installed: only the one in memory is tested")
		return all
	}
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.CommandContext(context.Background(), program,
		"--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	for range 1000 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
		if err == nil {
			_ = conn.Close()
			all["server"] = "unix://" + socket
			return all
		}
		time.Sleep(10 * time.Millisecond) // another program's start tells nothing
	}
	t.Fatal("redis-server does not answer")
	return nil
}

func newState(t *testing.T, address string) *redis.State {
	t.Helper()
	options, err := goredis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return &redis.State{Client: client}
}

// What one writes the other reads; cooldowns only grow, switching on ends them, and providers are apart.
func TestState(t *testing.T) {
	t.Parallel()
	for name, address := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, two := newState(t, address), newState(t, address)
			ctx := t.Context()
			check := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			load := func(provider string) map[string]balancer.Record {
				t.Helper()
				records, err := two.Load(ctx, provider)
				check(err)
				return records
			}
			if got := load("claude"); len(got) != 0 {
				t.Errorf("nothing is known, got %v", got)
			}
			check(one.Cool(ctx, "claude", "a", balancer.Cooldown{For: time.Hour, Reason: "rate limit"}))
			check(one.Cool(ctx, "claude", "a", balancer.Cooldown{For: time.Minute, Reason: "shorter"}))
			check(one.Cool(ctx, "claude", "a", balancer.Cooldown{For: 2 * time.Hour, Reason: "softer", LastResort: true}))
			check(one.Cool(ctx, "claude", "d", balancer.Cooldown{For: time.Hour, Reason: "softer", LastResort: true}))
			check(one.Cool(ctx, "claude", "d", balancer.Cooldown{For: time.Minute, Reason: "rate limit"}))
			check(one.Cool(ctx, "claude", "b", balancer.Cooldown{For: 80 * time.Millisecond, Reason: "upstream failing", LastResort: true}))
			check(one.Switch(ctx, "claude", "c", false))
			check(one.Cool(ctx, "other", "a", balancer.Cooldown{For: time.Hour, Reason: "x"}))
			got := load("claude")
			a := got["a"]
			if a.Off || a.Cooldown.Reason != "rate limit" || a.Cooldown.LastResort ||
				a.Cooldown.For > time.Hour || a.Cooldown.For < 59*time.Minute || !got["c"].Off {
				t.Errorf("records: %+v", got)
			}
			if d := got["d"].Cooldown; d.LastResort || d.Reason != "rate limit" || d.For > time.Minute {
				t.Errorf("a rate limit behind a longer last resort: %+v", d)
			}
			if b := got["b"]; b.Cooldown.For > 0 && (b.Cooldown.Reason != "upstream failing" || !b.Cooldown.LastResort) {
				t.Errorf("records: %+v", got)
			}
			for deadline := time.Now().Add(10 * time.Second); load("claude")["b"].Cooldown.For > 0; {
				if time.Now().After(deadline) {
					t.Fatal("a cooldown does not end")
				}
				time.Sleep(10 * time.Millisecond)
			}
			check(two.Switch(ctx, "claude", "a", true))
			check(two.Switch(ctx, "claude", "c", true))
			if got := load("claude"); got["a"] != (balancer.Record{}) || got["c"] != (balancer.Record{}) {
				t.Errorf("after switching on: %+v", got)
			}
			if got := load("other"); got["a"].Cooldown.Reason != "x" {
				t.Errorf("another provider: %+v", got)
			}
		})
	}
}

func TestAway(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	s := newState(t, "redis://"+server.Addr())
	server.SetError("LOADING it is not ready")
	if _, err := s.Load(t.Context(), "claude"); !errors.Is(err, redis.ErrUnavailable) {
		t.Errorf("Load: %v, want ErrUnavailable", err)
	}
	if err := s.Switch(t.Context(), "claude", "a", true); !errors.Is(err, redis.ErrUnavailable) {
		t.Errorf("Switch: %v, want ErrUnavailable", err)
	}
	if err := (&redis.State{}).Switch(t.Context(), "claude", "a", true); !errors.Is(err, redis.ErrUnavailable) {
		t.Errorf("Switch without a client: %v", err)
	}
}

// proxies runs a proxy with two accounts that shares their state.
func newProxy(t *testing.T, up *providertest.Upstream, address string) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(balancer.Factory(), redis.Factory(), claudeapi.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		redis.Name: {"url": address},
		claudeapi.Name: {"base_url": "https://api.test", "accounts": []any{
			map[string]any{"name": "a", "api_key": "the-first-key-4711"}, map[string]any{"name": "b", "api_key": "the-second-key-4711"},
		}},
	}}, ccproxy.WithTransport(up.Transport()), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

func ask(t *testing.T, proxy *ccproxy.Proxy) int {
	t.Helper()
	const body = `{"model":"claude-fake","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}`
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/claude/v1/messages", strings.NewReader(body)))
	return w.Code
}

// An account that one proxy was refused with is left alone by another, and by one that starts afterwards; what an
// operator has switched off stays off.
func TestTwoProxies(t *testing.T) {
	t.Parallel()
	for name, address := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := new(providertest.Upstream)
			up.Handler = func(r providertest.Request) providertest.Reply {
				if r.Header.Get("X-Api-Key") == "the-first-key-4711" {
					return providertest.Error(429, "rate_limit_error", "Slow down", http.Header{"Retry-After": {"600"}})
				}
				return nil
			}
			defer up.Close()
			if code := ask(t, newProxy(t, up, address)); code != http.StatusOK || len(up.Requests()) != 2 {
				t.Fatalf("first proxy: %d after %d requests", code, len(up.Requests()))
			}
			up.Reset()
			second := newProxy(t, up, address)
			if code := ask(t, second); code != http.StatusOK || len(up.Requests()) != 1 {
				t.Errorf("second proxy: %d after %d requests, want one", code, len(up.Requests()))
			}
			w := httptest.NewRecorder()
			second.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/balancer/claude/b/disable", nil))
			if w.Code != http.StatusOK {
				t.Fatalf("disable: %d %s", w.Code, w.Body)
			}
			up.Reset()
			if code := ask(t, newProxy(t, up, address)); code != http.StatusTooManyRequests || len(up.Requests()) != 0 {
				t.Errorf("third proxy: %d after %d requests, want 429 without any", code, len(up.Requests()))
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(redis.Factory()); err != nil {
		t.Fatal(err)
	}
	const password = "a-very-secret-word"
	_, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{redis.Name: {"url": "http://u:" + password + "@h"}}})
	if !errors.Is(err, ccproxy.ErrConfig) || strings.Contains(err.Error(), password) {
		t.Errorf("Build: %v", err)
	}
	r, err := reg.ResolveDependencies(ccproxy.Settings{})
	if err != nil || len(r.Order) != 0 || len(r.Skipped) != 1 || !errors.Is(r.Skipped[0].Reason, ccproxy.ErrSkip) {
		t.Errorf("without a url: %+v, %v", r, err)
	}
}
