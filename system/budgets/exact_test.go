package budgets_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/system/budgets"
)

// remote is a store whose answers take a while, as over a network. While it is away it takes nothing.
type remote struct {
	budgets.Memory

	lookup, adding time.Duration

	mu   sync.Mutex
	away bool
}

func (s *remote) Spent(ctx context.Context, keys []budgets.Key) ([]budgets.Spent, error) {
	time.Sleep(s.lookup)
	return s.Memory.Spent(ctx, keys)
}

func (s *remote) Add(ctx context.Context, keys []budgets.Key, spent budgets.Spent) error {
	s.mu.Lock()
	away := s.away
	s.mu.Unlock()
	if away {
		return errAway
	}
	time.Sleep(s.adding)
	return s.Memory.Add(ctx, keys, spent)
}

func (s *remote) goAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// TestReservationsLeaveNothingBehind holds that requests which are refused take nothing from anybody, however much they
// would have reserved together.
func TestReservationsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config(budgets.Limit{Name: "b", Period: "day", CostUSD: "100", Shared: true})
		cfg.Store, cfg.ReserveOutput = &remote{lookup: 10 * time.Millisecond}, -1
		proxy := start(t, new(upstream), cfg)
		defer stop(t, proxy)
		const body = `{"model":"claude-opus-4-5","max_tokens":2147483647,"messages":[{"role":"user","content":"%d"}]}`
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				ctx := ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: "greedy"})
				r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/a/v1/messages", strings.NewReader(fmt.Sprintf(body, i)))
				w := httptest.NewRecorder()
				if proxy.ServeHTTP(w, r); w.Code != http.StatusTooManyRequests {
					t.Errorf("%d for more than the budget", w.Code)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if w := ask(t, proxy, "other", "/v1/messages", haiku(10, 5)); w.Code != http.StatusOK {
			t.Errorf("when nothing runs and nothing is spent: %d %s", w.Code, w.Body)
		}
	})
}

// TestUnsavedCountsWhileItIsStored holds that what a store has not taken counts, in all of the time until it is there.
func TestUnsavedCountsWhileItIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &remote{adding: time.Second, away: true}
		cfg := config(budgets.Limit{Name: "b", Period: "day", Tokens: 1000, SoftTokens: 800})
		cfg.Store = store
		proxy := start(t, new(upstream), cfg)
		defer stop(t, proxy)
		ask(t, proxy, "", "/v1/messages", haiku(890, 5))
		refused := func(when string) {
			t.Helper()
			w := ask(t, proxy, "", "/v1/messages", haiku(800, 5))
			if w.Code != http.StatusTooManyRequests {
				t.Errorf("%s: %d, want 429", when, w.Code)
			}
		}
		refused("while the store is away")
		if w := ask(t, proxy, "", "/v1/messages", haiku(1, 1)); w.Header().Get(budgets.HeaderWarning) == "" {
			t.Error("a soft limit was passed while the store was away, and nobody is warned")
		}
		store.goAway(false)
		ctx := context.WithValue(t.Context(), planKey{}, haiku(1, 1))
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/a/v1/messages",
			strings.NewReader(`{"max_tokens":1,"messages":[],"model":"claude-haiku-4-5"}`))
		proxy.ServeHTTP(httptest.NewRecorder(), r) // its end has the store take what was kept
		time.Sleep(500 * time.Millisecond)
		refused("while it is being stored")
		time.Sleep(time.Minute)
		refused("when it is stored")
		if all := show(t, proxy, ""); len(all) != 1 || all[0].Tokens != 895+2 {
			t.Errorf("%+v, want 897 tokens, each counted once", all)
		}
	})
}

// spareOnly is an upstream of which only the provider spare answers.
type spareOnly struct{ upstream }

func (f *spareOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "spare.test" {
		return reply(r, http.StatusServiceUnavailable, "application/json", strings.NewReader("{}")), nil
	}
	return f.upstream.RoundTrip(r)
}

// TestFallbackOutOfABudget holds that a budget of one provider does not count what another has answered in its place.
func TestFallbackOutOfABudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg ccproxy.Registry
		spare := providers.New(ccproxy.Manifest{Name: "spare"}, providers.Upstream{
			BaseURL: "https://spare.test", Formats: []adapters.Format{adapters.AnthropicMessages}, ModelsPath: "-",
		})
		if err := reg.Register(append(factories(), spare, budgets.Factory())...); err != nil {
			t.Fatal(err)
		}
		proxy, err := reg.Build(ccproxy.Settings{
			Plugins:   map[string]map[string]any{budgets.Name: {"enabled": true}},
			Fallbacks: []ccproxy.Fallback{{Match: "claude-opus-", Kind: "prefix", Targets: []string{"spare/claude-haiku-4-5"}}},
		}, ccproxy.WithTransport(new(spareOnly)), ccproxy.WithStrictStart(), ccproxy.WithPluginConfig(budgets.Name, config(
			budgets.Limit{Name: "of a", Models: []string{"a/*"}, Period: "day", Tokens: 1000},
		)))
		if err != nil {
			t.Fatal(err)
		}
		if err := proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer stop(t, proxy)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/a/v1/messages",
			strings.NewReader(bodies("claude-opus-4-5", false)["/v1/messages"]))
		w := httptest.NewRecorder()
		if proxy.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		synctest.Wait()
		for _, b := range show(t, proxy, "") {
			if b.Tokens != 0 || b.EstimatedTokens != 0 || b.ReservedTokens != 0 {
				t.Errorf("%+v: what another provider has answered counts", b)
			}
		}
	})
}

// TestEmptyLists holds that a budget for nobody, or for no model, is a mistake.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	for key, limit := range map[string]budgets.Limit{
		"callers": {Name: "b", Period: "day", Tokens: 1, Callers: []string{}},
		"models":  {Name: "b", Period: "day", Tokens: 1, Models: []string{}},
	} {
		_, err := build(t, new(upstream), config(limit))
		if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s = []: %v, want ErrConfig that names it", key, err)
		}
	}
}
