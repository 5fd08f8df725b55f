package budgets_test

import (
	"context"
	"encoding/json"
	"maps"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/budgets"
	"github.com/ccproxy-go/ccproxy/system/pricing"
)

// start runs a proxy of the plugin, pricing and the providers of a fake upstream.
func start(t *testing.T, rt http.RoundTripper, cfg budgets.Config, opts ...ccproxy.Option) *ccproxy.Proxy {
	t.Helper()
	proxy, err := build(t, rt, cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return proxy
}

func build(t *testing.T, rt http.RoundTripper, cfg budgets.Config, opts ...ccproxy.Option) (*ccproxy.Proxy, error) {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(append(factories(), budgets.Factory(), pricing.Factory())...); err != nil {
		t.Fatal(err)
	}
	s := ccproxy.Settings{Plugins: map[string]map[string]any{budgets.Name: {"enabled": true}}}
	opts = append([]ccproxy.Option{
		ccproxy.WithTransport(rt), ccproxy.WithStrictStart(), ccproxy.WithPluginConfig(budgets.Name, cfg),
	}, opts...)
	return reg.Build(s, opts...)
}

func config(limits ...budgets.Limit) budgets.Config {
	cfg := budgets.DefaultConfig()
	cfg.Limits = limits
	return *cfg
}

func stop(t *testing.T, proxy *ccproxy.Proxy) {
	t.Helper()
	if err := proxy.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// rates are picodollars for a token, written down apart from the code under test.
type rates struct{ input, output, read, write, hour int64 }

func (r rates) cost(u used) *big.Int {
	sum := new(big.Int)
	for _, part := range [][2]int64{
		{u.input, r.input}, {u.output, r.output}, {u.read, r.read}, {u.write - u.hour, r.write}, {u.hour, r.hour},
	} {
		sum.Add(sum, new(big.Int).Mul(big.NewInt(part[0]), big.NewInt(part[1])))
	}
	return sum
}

// pricesOf are those of the models that the test calls, of which one costs more above 200,000 tokens.
func pricesOf(format string, u used) rates {
	switch {
	case format == "messages" && u.input+u.read+u.write > 200_000:
		return rates{6_000_000, 22_500_000, 600_000, 7_500_000, 12_000_000}
	case format == "messages":
		return rates{3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000}
	case format == "completions":
		return rates{1_250_000, 10_000_000, 125_000, 1_250_000, 1_250_000}
	}
	if tierOf(u) == "flex" {
		return rates{1_000_000, 4_000_000, 250_000, 1_000_000, 1_000_000}
	}
	return rates{2_000_000, 8_000_000, 500_000, 2_000_000, 2_000_000}
}

// account is what the upstream has declared.
type account struct {
	Tokens, Requests int64
	Cost             *big.Int
}

type shown struct {
	Name, Caller, State, Period, Resets string
	Cost                                string `json:"cost_usd"`
	EstimatedCost                       string `json:"estimated_cost_usd"`
	Tokens                              int64
	EstimatedTokens                     int64 `json:"estimated_tokens"`
	ReservedTokens                      int64 `json:"reserved_tokens"`
	Requests                            int64
	Unpriced                            int64 `json:"unpriced_requests"`
}

// show asks for /budgets.
func show(t *testing.T, proxy *ccproxy.Proxy, caller string) []shown {
	t.Helper()
	ctx := t.Context()
	if caller != "" {
		ctx = ccproxy.ContextWithCaller(ctx, ccproxy.Caller{ID: caller})
	}
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/budgets", http.NoBody))
	var body struct{ Budgets []shown }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK {
		t.Fatalf("GET /budgets: %d %s: %v", w.Code, w.Body, err)
	}
	return body.Budgets
}

// TestLedger sends requests of three dialects to upstreams of three dialects, of which some fail, break off or are left by
// their clients, and compares what was counted with what the upstreams have declared, to the last digit.
func TestLedger(t *testing.T) {
	t.Parallel()
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	declared := map[string]account{}
	up := &upstream{declared: func(format string, _ *plan, u used) {
		a := declared[format]
		if a.Cost == nil {
			a.Cost = new(big.Int)
		}
		a.Tokens, a.Requests = a.Tokens+u.tokens(), a.Requests+1
		a.Cost.Add(a.Cost, pricesOf(format, u).cost(u))
		declared[format] = a
	}}
	names := map[string]string{"claude-sonnet-4-5*": "messages", "gpt-5.1": "completions", "o3": "responses"}
	var limits []budgets.Limit
	for models, format := range names {
		limits = append(limits, budgets.Limit{
			Name: format, Models: []string{models}, Shared: true, Period: "month", CostUSD: "9000000",
		})
	}
	store := new(budgets.Memory)
	cfg := config(limits...)
	cfg.Store = store
	proxy := start(t, up, cfg)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(worker), 1))
			for range n / 8 {
				send(t, proxy, rnd)
			}
		})
	}
	wg.Wait()
	stop(t, proxy) // with it all events are told
	for _, format := range names {
		entries, err := store.List(t.Context(), format, time.Now().UTC().Format("2006-01"), 2)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%s: entries %v, %v", format, entries, err)
		}
		got := entries[0].Spent
		want := declared[format]
		t.Logf("%s: %d requests, %d tokens, %d picodollars; estimated %d tokens",
			format, got.Requests, got.Tokens, got.Cost, got.EstimatedTokens)
		if got.Tokens != want.Tokens || want.Cost.Cmp(big.NewInt(got.Cost)) != 0 || got.Unpriced != 0 {
			t.Errorf("%s: counted %+v, declared %+v", format, got, want)
		}
		if want.Tokens == 0 || got.EstimatedTokens == 0 {
			t.Errorf("%s: nothing was declared, or nothing estimated: %+v", format, got)
		}
	}
}

// send sends one random request, and answers it with what is planned for it.
func send(t *testing.T, proxy *ccproxy.Proxy, rnd *rand.Rand) {
	t.Helper()
	provider, model := "a", "claude-sonnet-4-5-20250929"
	switch rnd.IntN(3) {
	case 1:
		provider, model = "c", "gpt-5.1"
	case 2:
		provider, model = "r", "o3"
	}
	p := &plan{model: model, fate: fate(rnd.IntN(int(fates))), after: 1 + rnd.IntN(5)}
	p.used = used{input: rnd.Int64N(90_000), output: rnd.Int64N(64_000), read: rnd.Int64N(150_000)}
	if provider == "a" {
		p.used.write = rnd.Int64N(50_000)
		p.used.hour = rnd.Int64N(p.used.write + 1)
	}
	ctx, leave := context.WithCancel(context.WithValue(t.Context(), planKey{}, p))
	defer leave()
	p.leave = leave
	paths := slices.Sorted(maps.Keys(bodies("", false)))
	path := paths[rnd.IntN(len(paths))]
	body := bodies(model, rnd.IntN(2) == 0)[path]
	w := httptest.NewRecorder()
	defer func() { _ = recover() }() // of http.ErrAbortHandler, which breaks a connection off
	proxy.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/"+provider+path, strings.NewReader(body)))
	if p.fate == whole && w.Code != http.StatusOK {
		t.Errorf("%s from %s: %d %s", path, provider, w.Code, w.Body)
	}
}
