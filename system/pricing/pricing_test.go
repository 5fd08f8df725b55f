package pricing_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/system/pricing"
)

func newPrices(t *testing.T, change func(*pricing.Config)) *pricing.Prices {
	t.Helper()
	cfg := pricing.DefaultConfig()
	if change != nil {
		change(cfg)
	}
	p, err := pricing.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestNames finds models by the names that clients, gateways and vendors have for them.
func TestNames(t *testing.T) {
	t.Parallel()
	p := newPrices(t, func(c *pricing.Config) { c.Aliases = map[string]string{"Fast-One": "claude-haiku-4-5"} })
	tests := map[string]string{
		"claude-sonnet-4-5":                                 "claude-sonnet-4-5",
		"Claude-Sonnet-4-5":                                 "claude-sonnet-4-5",
		"claude-sonnet-4-5-20250929":                        "claude-sonnet-4-5",
		"claude-sonnet-4-5-latest":                          "claude-sonnet-4-5",
		"claude-sonnet-4-5[1m]":                             "claude-sonnet-4-5",
		"claude-sonnet-4-5@20250929":                        "claude-sonnet-4-5",
		"anthropic/claude-sonnet-4.5":                       "claude-sonnet-4-5",
		"openrouter/anthropic/claude-sonnet-4.5":            "claude-sonnet-4-5",
		"anthropic.claude-sonnet-4-5-20250929-v1:0":         "claude-sonnet-4-5",
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0":      "claude-sonnet-4-5",
		"global.anthropic.claude-opus-4-6-v1":               "claude-opus-4-6",
		"bedrock/eu.anthropic.claude-3-haiku-20240307-v1:0": "claude-3-haiku",
		"claude-sonnet-4-20250514":                          "claude-sonnet-4",
		"claude-3-5-haiku-latest":                           "claude-3-5-haiku",
		"gpt-5-codex":                                       "gpt-5",
		"gpt-5.1-2025-11-13":                                "gpt-5.1",
		"openai/gpt-4o":                                     "gpt-4o",
		"gpt-4o-2024-08-06":                                 "gpt-4o",
		"gpt-4o-2024-05-13":                                 "gpt-4o-2024-05-13", // has a price of its own
		"fast-one":                                          "claude-haiku-4-5",
		"claude-sonnet-4-5:free":                            "",
		"claude-sonnet-9":                                   "",
		"gpt-4o-audio":                                      "",
		"":                                                  "",
		strings.Repeat("x", 1000):                           "",
	}
	for name, want := range tests {
		got, err := p.Lookup(name)
		if got.Model != want || (err == nil) != (want != "") {
			t.Errorf("Lookup(%.60q) = %q, %v, want %q", name, got.Model, err, want)
		}
	}
}

func TestUnknownModel(t *testing.T) {
	t.Parallel()
	p := newPrices(t, nil)
	cost, err := p.Cost(&hooks.Usage{InputTokens: 1, Model: "claude-sonet-4-5"}, "", "also-unknown-here")
	e, ok := errors.AsType[*pricing.UnknownModelError](err)
	if !ok || !errors.Is(err, pricing.ErrUnknownModel) || cost != 0 || e.Model != "also-unknown-here" {
		t.Errorf("Cost = %d, %v", cost, err)
	}
	_, err = p.Lookup("anthropic/claude-sonet-4-5-20250929")
	if e, ok = errors.AsType[*pricing.UnknownModelError](err); !ok || len(e.Nearest) == 0 || e.Nearest[0] != "claude-sonnet-4-5" {
		t.Errorf("Lookup: %v", err)
	}
}

// TestCost holds sums that were computed by hand.
func TestCost(t *testing.T) {
	t.Parallel()
	const sonnet, gpt = "claude-sonnet-4-5", "gpt-5.4"
	tests := []struct {
		name  string
		usage hooks.Usage
		want  string // dollars
	}{
		{"nothing", hooks.Usage{Model: sonnet}, "0"},
		{"one token", hooks.Usage{Model: sonnet, InputTokens: 1}, "0.000003"},
		{"in and out", hooks.Usage{Model: sonnet, InputTokens: 1000, OutputTokens: 500}, "0.0105"},
		{
			"caches on top",
			hooks.Usage{
				Model: sonnet, InputTokens: 10, CacheReadInputTokens: 100_000, CacheCreationInputTokens: 3000,
				CacheCreation1hInputTokens: 1000, ServiceTier: "standard",
			},
			"0.04353", // 0.00003 + 0.03 + 2000 × 0.00000375 + 1000 × 0.000006
		},
		{
			"caches in the input",
			hooks.Usage{Model: gpt, InputTokens: 100_010, CacheReadInputTokens: 100_000, OutputTokens: 1, CacheInInput: true},
			"0.02504",
		},
		{"200,000 tokens", hooks.Usage{Model: sonnet, InputTokens: 150_000, CacheReadInputTokens: 50_000}, "0.465"},
		{"one more", hooks.Usage{Model: sonnet, InputTokens: 150_001, CacheReadInputTokens: 50_000}, "0.930006"},
		{"output of a long prompt", hooks.Usage{Model: sonnet, InputTokens: 200_001, OutputTokens: 1000}, "1.222506"},
		{"batch", hooks.Usage{Model: sonnet, InputTokens: 1000, OutputTokens: 1000, ServiceTier: "batch"}, "0.009"},
		{"long batch", hooks.Usage{Model: sonnet, InputTokens: 300_000, ServiceTier: "batch"}, "0.9"},
		{"priority", hooks.Usage{Model: gpt, InputTokens: 1000, ServiceTier: "priority", CacheInInput: true}, "0.005"},
		{"flex", hooks.Usage{Model: gpt, InputTokens: 1000, ServiceTier: "flex", CacheInInput: true}, "0.00125"},
		{"default tier", hooks.Usage{Model: gpt, InputTokens: 1000, ServiceTier: "default", CacheInInput: true}, "0.0025"},
		{"negative", hooks.Usage{Model: sonnet, InputTokens: -5, OutputTokens: -5, CacheReadInputTokens: -1}, "0"},
		{"as the provider says", hooks.Usage{Model: "unheard-of", InputTokens: 1000, CostUSD: 0.1234567890126}, "0.123456789013"},
		{"as a provider says that says nonsense", hooks.Usage{Model: "unheard-of", CostUSD: math.Inf(1)}, "100000"},
		{"as a provider does not say", hooks.Usage{Model: sonnet, InputTokens: 1, CostUSD: math.NaN()}, "0.000003"},
		{"as no provider can say", hooks.Usage{Model: sonnet, InputTokens: 1, CostUSD: -1}, "0.000003"},
		{"more than all money", hooks.Usage{Model: sonnet, InputTokens: math.MaxInt64, OutputTokens: 1}, "9223372.036854775807"},
	}
	p := newPrices(t, nil)
	for _, tt := range tests {
		got, err := p.Cost(&tt.usage)
		if pricing.Amount(got).String() != tt.want || err != nil {
			t.Errorf("%s: %s, %v, want %s", tt.name, pricing.Amount(got), err, tt.want)
		}
	}
	if _, err := p.Cost(&hooks.Usage{Model: sonnet, InputTokens: 1, ServiceTier: "priority"}); !errors.Is(err, pricing.ErrUnknownTier) {
		t.Errorf("tier without a price: %v", err)
	}
	if got, err := p.Cost(&hooks.Usage{Model: "unheard-of", InputTokens: 1}, "", sonnet); got != 3_000_000 || err != nil {
		t.Errorf("by the second name: %d, %v", got, err)
	}
}

// TestEmbedded holds what every price of the list has to keep.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	p := newPrices(t, nil)
	source, date := p.Source()
	if source == "" || date.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("source %q of %v", source, date)
	}
	for _, m := range p.All() {
		r := m.Rates
		if r.Input <= 0 || r.CacheRead > r.Input || r.CacheWrite5m < r.Input || r.CacheWrite1h < r.CacheWrite5m || r.CacheRead == 0 {
			t.Errorf("%s: %+v", m.Model, r)
		}
		if b, ok := m.Tiers["batch"]; ok && b.Input*2 != r.Input {
			t.Errorf("%s: a batch costs %+v, not half of %+v", m.Model, b, r)
		}
		if l := m.LongContext; l != nil && l.Rates.Input <= r.Input {
			t.Errorf("%s: long prompts cost %+v", m.Model, l.Rates)
		}
		for _, name := range append(m.Aliases, m.Model) {
			if found, err := p.Lookup(name); err != nil || found.Model != m.Model {
				t.Errorf("%s finds %s: %v", name, found.Model, err)
			}
		}
	}
}

func TestOwnPrices(t *testing.T) {
	t.Parallel()
	p := newPrices(t, func(c *pricing.Config) {
		c.Models = []pricing.Model{
			{Model: "house", Aliases: []string{"home"}, Input: "0.2", Output: "0.8", MaxOutputTokens: 100},
			{Model: "gpt-4o", Input: "1", Output: "2", CacheRead: "0"},
			{Model: "gpt-5-codex", Input: "7", Output: "7"}, // an alias in the list
		}
	})
	for name, want := range map[string]string{"home": "0.2", "openai/gpt-4o": "1", "gpt-5-codex": "7", "gpt-5": "1.25"} {
		cost, err := p.Cost(&hooks.Usage{Model: name, InputTokens: 1_000_000})
		if got := pricing.Amount(cost).String(); got != want || err != nil {
			t.Errorf("a million tokens for %s cost %s, %v, want %s", name, got, err, want)
		}
	}
	if n, ok := p.OutputLimit("house"); n != 100 || !ok {
		t.Errorf("OutputLimit = %d, %t", n, ok)
	}
	if _, ok := p.OutputLimit("gpt-5-codex"); ok {
		t.Error("a limit that nobody has set")
	}
	if cost, err := p.Cost(&hooks.Usage{Model: "gpt-4o", CacheReadInputTokens: 5}); cost != 0 || err != nil {
		t.Errorf("free cache: %d, %v", cost, err)
	}
}

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		keys map[string]any
		want string
	}{
		{"no number", map[string]any{"models": []any{map[string]any{"model": "m", "input": "cheap", "output": "1"}}}, "models"},
		{"no output", map[string]any{"models": []any{map[string]any{"model": "m", "input": "1"}}}, "output"},
		{"alias of nothing", map[string]any{"aliases": map[string]any{"a": "claude-nothing"}}, "aliases"},
		{"source", map[string]any{"source_url": "file:///etc/passwd"}, "source_url"},
		{"often", map[string]any{"refresh_interval": "1h"}, "refresh_interval"},
	}
	for _, tt := range tests {
		var reg ccproxy.Registry
		if err := reg.Register(pricing.Factory()); err != nil {
			t.Fatal(err)
		}
		_, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{pricing.Name: tt.keys}})
		if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	get := func(keys map[string]any, path string) (int, map[string]any) {
		proxy := start(t, keys, nil)
		defer stop(t, proxy)
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Code, body
	}
	if code, _ := get(nil, "/pricing"); code != http.StatusNotFound {
		t.Errorf("without routes = true: %d", code)
	}
	open := map[string]any{"routes": true}
	code, body := get(open, "/pricing")
	if models, _ := body["models"].([]any); code != http.StatusOK || len(models) < 40 || body["date"] != "2026-10-07" {
		t.Errorf("GET /pricing: %d, %d models of %v", code, len(models), body["date"])
	}
	code, body = get(open, "/pricing/lookup?model=anthropic/claude-sonnet-4.5")
	want := map[string]any{"input": "3", "output": "15", "cache_read": "0.3", "cache_write_5m": "3.75", "cache_write_1h": "6"}
	if diff := cmp.Diff(want, body["usd_per_million"]); diff != "" || code != http.StatusOK {
		t.Errorf("lookup: %d (-want +got):\n%s", code, diff)
	}
	for path, want := range map[string]int{"?model=claude-sonet-4-5": 404, "?model=": 400, "": 400} {
		if code, body = get(open, "/pricing/lookup"+path); code != want || body["error"] == nil {
			t.Errorf("lookup%s: %d %v", path, code, body)
		}
	}
}

func TestConformance(t *testing.T) { //nolint:paralleltest // the suite counts goroutines
	plugintest.TestFactory(t, pricing.Factory(), plugintest.Table(map[string]any{"routes": true}))
}

func TestConformanceWithSource(t *testing.T) { //nolint:paralleltest // the suite counts goroutines
	src := &source{reply: func(r *http.Request) *http.Response { return answer(r, 200, `{"m":{"input_cost_per_token":1}}`, "") }}
	plugintest.TestFactory(t, pricing.Factory(), plugintest.Build(ccproxy.WithTransport(src)),
		plugintest.Table(map[string]any{"source_url": "https://prices.test/list.json"}))
}
