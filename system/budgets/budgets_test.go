package budgets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/system/budgets"
	"github.com/ccproxy-go/ccproxy/system/pricing"
)

const million = 1_000_000

// ask sends a request to the provider of Anthropic's dialect, as a caller.
func ask(t *testing.T, proxy *ccproxy.Proxy, caller, path string, p *plan) *httptest.ResponseRecorder {
	t.Helper()
	ctx := context.WithValue(t.Context(), planKey{}, p)
	if caller != "" {
		ctx = ccproxy.ContextWithCaller(ctx, ccproxy.Caller{ID: caller})
	}
	model := "claude-haiku-4-5"
	if p != nil {
		model = p.model
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/a"+path, strings.NewReader(bodies(model, false)[path]))
	proxy.ServeHTTP(w, r)
	synctest.Wait() // for the event of its end
	return w
}

func haiku(input, output int64) *plan {
	return &plan{model: "claude-haiku-4-5", used: used{input: input, output: output}}
}

// TestRefusals shows what a caller over budget gets, in its dialect.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const message = `budget "daily" of this day is used up; it begins anew at 2000-01-02T00:00:00Z`
	tests := []struct {
		path   string
		status int
		want   map[string]any
	}{
		{"/v1/messages", 429, map[string]any{"type": "rate_limit_error", "message": message}},
		{"/v1/messages", 403, map[string]any{"type": "permission_error", "message": message}},
		{"/v1/chat/completions", 429, map[string]any{"code": "insufficient_quota", "message": message}},
		{"/v1/responses", 429, map[string]any{"code": "insufficient_quota", "message": message}},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				up := new(upstream)
				cfg := config(budgets.Limit{Name: "daily", Period: "day", CostUSD: "0.01"})
				cfg.Status = tt.status
				proxy := start(t, up, cfg)
				defer stop(t, proxy)
				if w := ask(t, proxy, "", tt.path, haiku(5000, 1000)); w.Code != http.StatusOK { // costs exactly one cent
					t.Fatalf("within budget: %d %s", w.Code, w.Body)
				}
				time.Sleep(time.Hour)
				w := ask(t, proxy, "", tt.path, haiku(1, 1))
				var body struct{ Error map[string]any }
				if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
					t.Fatal(err)
				}
				got := map[string]any{}
				for key := range tt.want {
					got[key] = body.Error[key]
				}
				if diff := cmp.Diff(tt.want, got); diff != "" || w.Code != tt.status {
					t.Errorf("over budget: %d (-want +got):\n%s", w.Code, diff)
				}
				header := map[string]string{}
				for _, name := range []string{"Retry-After", "X-Should-Retry", budgets.HeaderBudget, budgets.HeaderReset} {
					header[name] = w.Header().Get(name)
				}
				if diff := cmp.Diff(map[string]string{
					"Retry-After": "82800", "X-Should-Retry": "false",
					budgets.HeaderBudget: "daily", budgets.HeaderReset: "2000-01-02T00:00:00Z",
				}, header); diff != "" {
					t.Errorf("header (-want +got):\n%s", diff)
				}
				if n := len(up.requests); n != 1 {
					t.Errorf("the upstream got %d requests, want 1", n)
				}
			})
		})
	}
}

// TestRefusalsHarmNobodyElse holds that refusing one caller again and again does not keep the others out.
func TestRefusalsHarmNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := start(t, new(upstream), config(budgets.Limit{Name: "x", Callers: []string{"poor"}, Period: "day", CostUSD: "0"}))
		defer stop(t, proxy)
		for range 20 {
			if w := ask(t, proxy, "poor", "/v1/messages", haiku(1, 1)); w.Code != http.StatusTooManyRequests {
				t.Fatalf("poor: %d %s", w.Code, w.Body)
			}
		}
		if w := ask(t, proxy, "rich", "/v1/messages", haiku(1, 1)); w.Code != http.StatusOK {
			t.Errorf("rich: %d %s", w.Code, w.Body)
		}
	})
}

// TestPeriods turns days and months, in a time zone that changes its clocks.
func TestPeriods(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, period, zone string
		spend, open        time.Duration // after 2000-01-01T00:00Z
	}{
		{"day", "day", "UTC", time.Hour, 24 * time.Hour},
		{"month", "month", "UTC", 30 * 24 * time.Hour, 31 * 24 * time.Hour},
		{"leap month", "month", "UTC", 31 * 24 * time.Hour, 60 * 24 * time.Hour},
		{"day elsewhere", "day", "America/New_York", time.Hour, 5 * time.Hour},
		{"day of 23 hours", "day", "Europe/Berlin", 85*24*time.Hour - time.Hour, 85*24*time.Hour + 22*time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := config(budgets.Limit{Name: "b", Period: tt.period, Tokens: 1000})
				cfg.TimeZone = tt.zone
				proxy := start(t, new(upstream), cfg)
				defer stop(t, proxy)
				begun := time.Now()
				time.Sleep(tt.spend)
				if w := ask(t, proxy, "", "/v1/messages", haiku(900, 100)); w.Code != http.StatusOK {
					t.Fatalf("first: %d %s", w.Code, w.Body)
				}
				time.Sleep(time.Until(begun.Add(tt.open - time.Second)))
				if w := ask(t, proxy, "", "/v1/messages", haiku(1, 1)); w.Code != http.StatusTooManyRequests {
					t.Errorf("before the turn: %d %s", w.Code, w.Body)
				}
				time.Sleep(time.Second)
				if w := ask(t, proxy, "", "/v1/messages", haiku(1, 1)); w.Code != http.StatusOK {
					t.Errorf("after the turn: %d %s", w.Code, w.Body)
				}
			})
		})
	}
}

// TestWhom shows whose requests for what count where.
func TestWhom(t *testing.T) {
	t.Parallel()
	type request struct{ caller, model string }
	tests := []struct {
		name  string
		limit budgets.Limit
		spent request
		want  map[request]int // status
	}{
		{
			name: "each for itself", limit: budgets.Limit{Callers: []string{"team-*"}}, spent: request{"team-a", "claude-haiku-4-5"},
			want: map[request]int{{"team-a", "claude-opus-4-6"}: 429, {"team-b", "claude-haiku-4-5"}: 200, {"x", "claude-haiku-4-5"}: 200},
		},
		{
			name: "shared", limit: budgets.Limit{Callers: []string{"team-*"}, Shared: true}, spent: request{"team-a", "claude-haiku-4-5"},
			want: map[request]int{{"team-b", "claude-haiku-4-5"}: 429, {"x", "claude-haiku-4-5"}: 200},
		},
		{
			name: "models", limit: budgets.Limit{Models: []string{"*-haiku-*"}}, spent: request{"a", "claude-haiku-4-5"},
			want: map[request]int{{"a", "claude-haiku-4-5"}: 429, {"a", "claude-opus-4-6"}: 200, {"b", "claude-haiku-4-5"}: 200},
		},
		{
			name: "provider", limit: budgets.Limit{Models: []string{"a/*"}}, spent: request{"", "claude-haiku-4-5"},
			want: map[request]int{{"", "claude-opus-4-6"}: 429},
		},
		{
			name: "another provider", limit: budgets.Limit{Models: []string{"c/*"}}, spent: request{"", "claude-haiku-4-5"},
			want: map[request]int{{"", "claude-haiku-4-5"}: 200},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.limit.Name, tt.limit.Period, tt.limit.Tokens = "b", "day", 1000
				proxy := start(t, new(upstream), config(tt.limit))
				defer stop(t, proxy)
				ask(t, proxy, tt.spent.caller, "/v1/messages", &plan{model: tt.spent.model, used: used{input: 990, output: 10}})
				for r, want := range tt.want {
					if w := ask(t, proxy, r.caller, "/v1/messages", &plan{model: r.model}); w.Code != want {
						t.Errorf("%+v: %d %s, want %d", r, w.Code, w.Body, want)
					}
				}
			})
		})
	}
}

// TestReservations holds that requests at the same time cannot spend the same money, and that what was reserved is given back.
func TestReservations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := &slow{wait: time.Minute}
		proxy := start(t, up, config(budgets.Limit{Name: "b", Period: "day", Tokens: 500})) // each asks for 100 of output
		defer stop(t, proxy)
		codes := make(chan int, 10)
		for range 10 {
			go func() {
				w := httptest.NewRecorder()
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/a/v1/messages",
					strings.NewReader(bodies("claude-haiku-4-5", false)["/v1/messages"]))
				r.Header.Set("X-Request-Id", "the-same") // clients choose it
				proxy.ServeHTTP(w, r)
				codes <- w.Code
			}()
		}
		count := map[int]int{}
		for range 10 {
			count[<-codes]++
		}
		if diff := cmp.Diff(map[int]int{200: 3, 429: 7}, count); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		synctest.Wait()
		got := show(t, proxy, "")
		if len(got) != 1 || got[0].Tokens != 3*15 || got[0].ReservedTokens != 0 || got[0].State != "ok" {
			t.Errorf("afterwards: %+v", got)
		}
	})
}

// slow answers after a while.
type slow struct {
	upstream

	wait time.Duration
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(s.wait)
	return s.upstream.RoundTrip(r)
}

// TestSoftLimit shows all that tells of one.
func TestSoftLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		proxy := start(t, new(upstream), config(budgets.Limit{Name: "monthly", Period: "month", SoftCostUSD: "0.0105"}),
			ccproxy.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		var warned []string
		for range 4 {
			w := ask(t, proxy, "team", "/v1/messages", haiku(5000, 0)) // half a cent
			if w.Code != http.StatusOK {
				t.Errorf("a soft limit refuses: %d %s", w.Code, w.Body)
			}
			warned = append(warned, w.Header().Get(budgets.HeaderWarning))
		}
		if diff := cmp.Diff([]string{"", "", "", "monthly"}, warned); diff != "" {
			t.Errorf("%s (-want +got):\n%s", budgets.HeaderWarning, diff)
		}
		if w := ask(t, proxy, "another", "/v1/messages", haiku(1, 1)); w.Header().Get(budgets.HeaderWarning) != "" {
			t.Error("another caller is warned")
		}
		if got := show(t, proxy, "team"); len(got) != 1 || got[0].State != "soft" || got[0].Cost != "0.02" {
			t.Errorf("/budgets: %+v", got)
		}
		stop(t, proxy)
		if n := strings.Count(log.String(), "budget has reached its soft limit"); n != 1 {
			t.Errorf("the log tells of it %d times, want once:\n%s", n, log.String())
		}
	})
}

// TestSoftLimitEvent has another plugin listen.
func TestSoftLimitEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var heard []budgets.Notice
		listener := ccproxy.NewFactory(ccproxy.Manifest{Name: "listener", Hooks: []ccproxy.HookSpec{{
			New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
				return hooks.On("listen", func(_ context.Context, _ *hooks.Context, c *hooks.Custom) error {
					if n, ok := c.Data.(budgets.Notice); ok && c.Name == budgets.EventSoftLimit {
						heard = append(heard, n)
					}
					return nil
				}), nil
			},
		}}}, nil)
		var reg ccproxy.Registry
		if err := reg.Register(append(factories(), budgets.Factory(), listener)...); err != nil {
			t.Fatal(err)
		}
		s := ccproxy.Settings{Plugins: map[string]map[string]any{budgets.Name: {"enabled": true, "limits": []any{
			map[string]any{"name": "b", "period": "day", "soft_tokens": 10, "shared": true},
		}}}}
		proxy, err := reg.Build(s, ccproxy.WithTransport(new(upstream)), ccproxy.WithStrictStart())
		if err != nil {
			t.Fatal(err)
		}
		if err := proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ask(t, proxy, "x", "/v1/messages", haiku(7, 8))
		ask(t, proxy, "y", "/v1/messages", haiku(7, 8))
		stop(t, proxy)
		want := []budgets.Notice{{
			Key:   budgets.Key{Budget: "b", Caller: "*", Period: "2000-01-01"},
			Spent: budgets.Spent{Tokens: 15, Requests: 1, Unpriced: 1}, Resets: time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC),
		}}
		if diff := cmp.Diff(want, heard); diff != "" {
			t.Errorf("notices (-want +got):\n%s", diff)
		}
	})
}

func TestUnknownPrice(t *testing.T) {
	t.Parallel()
	for mode, want := range map[budgets.UnknownPrice]int{budgets.UnknownBlock: 403, budgets.UnknownTokens: 200} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := config(budgets.Limit{Name: "b", Period: "day", CostUSD: "1", Tokens: million})
				cfg.UnknownPrice = mode
				proxy := start(t, new(upstream), cfg)
				defer stop(t, proxy)
				w := ask(t, proxy, "", "/v1/messages", &plan{model: "nobody-knows", used: used{input: 3, output: 4}})
				if w.Code != want {
					t.Errorf("%d %s, want %d", w.Code, w.Body, want)
				}
				if got := show(t, proxy, ""); want == 200 && (len(got) != 1 || got[0].Unpriced != 1 || got[0].Tokens != 7) {
					t.Errorf("/budgets: %+v", got)
				}
			})
		})
	}
}

// TestUnreported shows what counts of a stream that ends without a word on usage: what was reserved, kept apart.
func TestUnreported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := start(t, new(upstream), config(budgets.Limit{Name: "b", Period: "day", CostUSD: "1"}))
		defer stop(t, proxy)
		p := &plan{model: "gpt-5.1", fate: cut, after: 2}
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequestWithContext(context.WithValue(t.Context(), planKey{}, p), http.MethodPost,
			"/c/v1/chat/completions", strings.NewReader(bodies("gpt-5.1", true)["/v1/chat/completions"])))
		synctest.Wait()
		got := show(t, proxy, "")
		if len(got) != 1 || got[0].Tokens != 0 || got[0].EstimatedTokens < 100 || got[0].EstimatedCost == "0" {
			t.Errorf("/budgets: %+v", got)
		}
	})
}

// TestPrivacy shows whose budgets a caller sees.
func TestPrivacy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config(
			budgets.Limit{Name: "each", Period: "day", Tokens: million},
			budgets.Limit{Name: "theirs", Callers: []string{"b"}, Period: "day", Tokens: million},
		)
		cfg.Admins = []string{"boss"}
		proxy := start(t, new(upstream), cfg)
		defer stop(t, proxy)
		ask(t, proxy, "a", "/v1/messages", haiku(1, 1))
		ask(t, proxy, "b", "/v1/messages", haiku(2, 2))
		seen := func(caller string) string {
			var out []string
			for _, u := range show(t, proxy, caller) {
				out = append(out, u.Name+":"+u.Caller)
			}
			return strings.Join(out, " ")
		}
		for caller, want := range map[string]string{
			"a": "each:a", "b": "each:b theirs:b", "boss": "each:a each:b theirs:b", "": "each:a each:b theirs:b",
		} {
			if got := seen(caller); got != want {
				t.Errorf("%q sees %q, want %q", caller, got, want)
			}
		}
	})
}

// sick is a store that can be away.
type sick struct {
	budgets.Memory

	away bool
}

var errAway = errors.New("away")

func (s *sick) Spent(ctx context.Context, keys []budgets.Key) ([]budgets.Spent, error) {
	if s.away {
		return nil, errAway
	}
	return s.Memory.Spent(ctx, keys)
}

func (s *sick) Add(ctx context.Context, keys []budgets.Key, spent budgets.Spent) error {
	if s.away {
		return errAway
	}
	return s.Memory.Add(ctx, keys, spent)
}

func TestStoreAway(t *testing.T) {
	t.Parallel()
	for open, want := range map[bool]int{true: 200, false: 503} {
		t.Run(http.StatusText(want), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := new(sick)
				cfg := config(budgets.Limit{Name: "b", Period: "day", Tokens: million})
				cfg.Store, cfg.FailOpen = store, open
				proxy := start(t, new(upstream), cfg)
				store.away = true
				if w := ask(t, proxy, "", "/v1/messages", haiku(10, 20)); w.Code != want {
					t.Errorf("%d %s, want %d", w.Code, w.Body, want)
				}
				store.away = false
				ask(t, proxy, "", "/v1/messages", haiku(1, 2))
				tokens := map[int]int64{200: 33, 503: 3}[want]
				if got := show(t, proxy, ""); len(got) != 1 || got[0].Tokens != tokens {
					t.Errorf("once it is back: %+v, want %d tokens", got, tokens)
				}
				stop(t, proxy)
			})
		})
	}
}

// flaky answers every second request with 503.
type flaky struct {
	upstream

	n int
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.n++; f.n%2 == 1 {
		return reply(r, http.StatusServiceUnavailable, "application/json", strings.NewReader("{}")), nil
	}
	return f.upstream.RoundTrip(r)
}

// TestAttempts holds that a request that is tried again reserves once: two reservations would be over the budget.
func TestAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg ccproxy.Registry
		if err := reg.Register(append(factories(), budgets.Factory())...); err != nil {
			t.Fatal(err)
		}
		s := ccproxy.Settings{Plugins: map[string]map[string]any{budgets.Name: {"enabled": true}}}
		s.Retries.Max = 1
		up := new(flaky)
		proxy, err := reg.Build(s, ccproxy.WithTransport(up), ccproxy.WithStrictStart(),
			ccproxy.WithPluginConfig(budgets.Name, config(budgets.Limit{Name: "b", Period: "day", Tokens: 200})))
		if err != nil {
			t.Fatal(err)
		}
		if err := proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer stop(t, proxy)
		if w := ask(t, proxy, "", "/v1/messages", haiku(10, 5)); w.Code != http.StatusOK || up.n != 2 {
			t.Errorf("%d %s after %d attempts", w.Code, w.Body, up.n)
		}
		if got := show(t, proxy, ""); len(got) != 1 || got[0].Tokens != 15 || got[0].ReservedTokens != 0 {
			t.Errorf("/budgets: %+v", got)
		}
	})
}

// TestFile carries counts over a restart.
func TestFile(t *testing.T) {
	t.Parallel()
	cfg := config(budgets.Limit{Name: "b", Period: "day", Tokens: 1000})
	cfg.File = filepath.Join(t.TempDir(), "budgets.json")
	for i, want := range []int{200, 429} {
		synctest.Test(t, func(t *testing.T) {
			proxy := start(t, new(upstream), cfg)
			defer stop(t, proxy)
			if w := ask(t, proxy, "", "/v1/messages", haiku(900, 100)); w.Code != want {
				t.Errorf("start %d: %d %s, want %d", i, w.Code, w.Body, want)
			}
			time.Sleep(time.Second) // save_interval
			synctest.Wait()
			text, err := os.ReadFile(cfg.File)
			if err != nil || !strings.Contains(string(text), `"tokens":1000`) {
				t.Errorf("file: %s, %v", text, err)
			}
		})
	}
	if info, err := os.Stat(cfg.File); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("file: %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(cfg.File), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestFileIsHandedOver has one proxy take the place of another while that one is answering still, as a swap does.
func TestFileIsHandedOver(t *testing.T) {
	t.Parallel()
	cfg := config(budgets.Limit{Name: "b", Period: "day", Tokens: 1000})
	cfg.File = filepath.Join(t.TempDir(), "budgets.json")
	synctest.Test(t, func(t *testing.T) {
		proxies := []*ccproxy.Proxy{start(t, new(upstream), cfg), start(t, new(upstream), cfg)}
		for i, proxy := range proxies {
			if w := ask(t, proxy, "", "/v1/messages", haiku(500, 100)); w.Code != 200 {
				t.Errorf("proxy %d: %d %s", i, w.Code, w.Body)
			}
		}
		stop(t, proxies[0])
		time.Sleep(time.Second) // save_interval
		synctest.Wait()
		text, err := os.ReadFile(cfg.File)
		if err != nil || !strings.Contains(string(text), `"tokens":1200`) {
			t.Errorf("file: %s, %v", text, err)
		}
		if w := ask(t, proxies[1], "", "/v1/messages", haiku(500, 100)); w.Code != 429 {
			t.Errorf("with 1200 of 1000 tokens spent by both: %d %s", w.Code, w.Body)
		}
		stop(t, proxies[1])
	})
}

// TestBrokenFile holds that a file that cannot be read gives nothing away: the plugin does not start.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	cfg := config(budgets.Limit{Name: "b", Period: "day", Tokens: 1000})
	cfg.File = filepath.Join(t.TempDir(), "budgets.json")
	if err := os.WriteFile(cfg.File, []byte(`{"entries":[{`), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy, err := build(t, new(upstream), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err == nil {
		t.Error("it starts")
	}
	stop(t, proxy)
}

// TestLostEnd holds that a reservation whose request is never heard of again counts in the end.
func TestLostEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := start(t, new(upstream), config(budgets.Limit{Name: "b", Period: "month", Tokens: million}))
		defer stop(t, proxy)
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { // runs longer than anything does
			defer close(ended)
			p := &plan{model: "claude-haiku-4-5", fate: cancels, leave: func() { time.Sleep(48 * time.Hour) }}
			proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.WithValue(ctx, planKey{}, p),
				http.MethodPost, "/a/v1/messages", strings.NewReader(bodies("claude-haiku-4-5", false)["/v1/messages"])))
		}()
		time.Sleep(25 * time.Hour)
		ask(t, proxy, "", "/v1/messages", haiku(1, 1))
		got := show(t, proxy, "")
		if len(got) != 1 || got[0].Tokens != 2 || got[0].EstimatedTokens < 100 || got[0].ReservedTokens != 0 {
			t.Errorf("/budgets: %+v", got)
		}
		leave()
		<-ended
	})
}

// TestMemoryForgets keeps two periods, and no more keys than it may.
func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	m := budgets.Memory{MaxKeys: 4}
	add := func(period, caller string) error {
		return m.Add(t.Context(), []budgets.Key{{Budget: "b", Caller: caller, Period: period}}, budgets.Spent{Tokens: 1})
	}
	for _, period := range []string{"2026-11", "2026-11-21", "2026-11-22", "2026-11-23"} {
		if err := add(period, "a"); err != nil {
			t.Errorf("%s: %v", period, err)
		}
	}
	for period, want := range map[string]int{"2026-11": 1, "2026-11-21": 0, "2026-11-22": 1, "2026-11-23": 1} {
		if got, _ := m.List(t.Context(), "b", period, 9); len(got) != want {
			t.Errorf("%s: %d entries, want %d", period, len(got), want)
		}
	}
	if err := add("2026-11-23", "b"); err != nil {
		t.Error(err)
	}
	if err := add("2026-11-23", "c"); !errors.Is(err, budgets.ErrFull) {
		t.Errorf("a key too many: %v", err)
	}
}

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	ok := budgets.Limit{Name: "b", Period: "day", Tokens: 1}
	tests := []struct {
		name   string
		change func(*budgets.Config)
		want   string
	}{
		{"twice", func(c *budgets.Config) { c.Limits = append(c.Limits, ok) }, "limits[1]"},
		{"no bound", func(c *budgets.Config) { c.Limits[0].Tokens = 0 }, "limits nothing"},
		{"no money", func(c *budgets.Config) { c.Limits[0].CostUSD = "1e3" }, "cost_usd"},
		{"too fine", func(c *budgets.Config) { c.Limits[0].SoftCostUSD = "0.0000000000001" }, "soft_cost_usd"},
		{"time zone", func(c *budgets.Config) { c.TimeZone = "Nowhere/X" }, "time_zone"},
		{"period", func(c *budgets.Config) { c.Limits[0].Period = "year" }, "period"},
		{"status", func(c *budgets.Config) { c.Status = 500 }, "status"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(ok)
			tt.change(&cfg)
			_, err := build(t, new(upstream), cfg)
			if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Build: %v, want an ErrConfig about %s", err, tt.want)
			}
		})
	}
}

// TestMoneyNeedsPrices fails the start of a budget of money without the service.
func TestMoneyNeedsPrices(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(budgets.Factory()); err != nil {
		t.Fatal(err)
	}
	s := ccproxy.Settings{Plugins: map[string]map[string]any{budgets.Name: {"enabled": true, "limits": []any{
		map[string]any{"name": "b", "period": "day", "cost_usd": "1"},
	}}}}
	proxy, err := reg.Build(s, ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); !errors.Is(err, ccproxy.ErrMissingDependency) {
		t.Errorf("Start: %v, want ErrMissingDependency", err)
	}
	stop(t, proxy)
}

func TestConformance(t *testing.T) { //nolint:paralleltest // the suite counts goroutines
	limit := map[string]any{"name": "b", "period": "month", "cost_usd": "12.50"}
	plugintest.TestFactory(t, budgets.Factory(), plugintest.Plugins(pricing.Factory()),
		plugintest.Table(map[string]any{"limits": []any{limit}, "file": filepath.Join(t.TempDir(), "b.json")}))
}
