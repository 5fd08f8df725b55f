package balancer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/balancer"
)

// The rules of the table hold for every provider, unless there are some for it alone.
func TestTable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		table map[string]any
		asked string // with four requests, of which the first account refuses all with 404
	}{
		{"defaults", map[string]any{}, "a a a a"},
		{"all", map[string]any{"strategy": "round_robin"}, "a b a b"},
		{
			"one",
			map[string]any{"providers": map[string]any{"claude": map[string]any{"strategy": "round_robin"}}},
			"a b a b",
		},
		{
			"another",
			map[string]any{"providers": map[string]any{"other": map[string]any{"strategy": "round_robin"}}},
			"a a a a",
		},
		{
			"both",
			map[string]any{
				"failure_status_codes": []any{404}, "max_failures_before_disable": 1,
				"providers": map[string]any{"claude": map[string]any{"strategy": "failover"}},
			},
			"a b b b b",
		},
		{"cooldown", map[string]any{"failure_status_codes": []any{404}, "cooldown": 1}, "a b a b b b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := start(t, []string{"a", "b"}, tt.table)
				defer r.stop(t)
				r.reply("a", refusal(http.StatusNotFound))
				for range 4 {
					r.ask(t)
				}
				if asked := r.asked(); asked != tt.asked {
					t.Errorf("asked %q, want %q", asked, tt.asked)
				}
			})
		})
	}
}

// Without accounts in any table the plugin does nothing but show that there are none.
func TestHarmless(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(bundled.Factories()...); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer proxy.Shutdown(context.Background())
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/balancer", nil))
	if got := strings.TrimSpace(w.Body.String()); got != `{"providers":[],"shared":false}` {
		t.Errorf("GET /balancer: %d %s", w.Code, got)
	}
}

// The table of the other name switches the plugin on by that name, and its rules are those that count.
func TestAlias(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up providertest.Upstream
		defer func() {
			if err := up.Close(); err != nil {
				t.Error(err)
			}
		}()
		var reg ccproxy.Registry
		if err := reg.Register(bundled.Factories()...); err != nil {
			t.Fatal(err)
		}
		proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
			claudeapi.Name: {"base_url": "https://api.test", "accounts": []any{
				map[string]any{"name": "a", "api_key": key("a")}, map[string]any{"name": "b", "api_key": key("b")},
			}},
			balancer.Alias: {"enabled": true, "strategy": "round_robin"},
			balancer.Name:  {"strategy": "failover"},
		}}, ccproxy.WithTransport(up.Transport()))
		if err != nil {
			t.Fatal(err)
		}
		if err := proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer proxy.Shutdown(context.Background())
		ask := func(method, path, body string) string {
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
			return w.Body.String()
		}
		for range 2 {
			ask(http.MethodPost, "/claude/v1/messages", message)
		}
		asked := up.Requests()
		if len(asked) != 2 || asked[0].Header.Get("X-Api-Key") != key("a") || asked[1].Header.Get("X-Api-Key") != key("b") {
			t.Errorf("%d requests, not one with each key", len(asked))
		}
		if got := ask(http.MethodGet, "/credential_balancer", ""); !strings.Contains(got, `"name":"b"`) {
			t.Errorf("GET /credential_balancer: %s", got)
		}
	})
}

// Two keys of one API: what the first is refused, the second answers.
func Example() {
	var api providertest.Upstream // in the place of Anthropic's
	defer api.Close()
	api.Enqueue(providertest.Error(http.StatusTooManyRequests, "rate_limit_error", "Slow down", nil))

	var reg ccproxy.Registry
	if err := reg.Register(balancer.Factory(), claudeapi.Factory()); err != nil {
		fmt.Println(err)
		return
	}
	cfg := claudeapi.DefaultConfig()
	cfg.Accounts = providers.AccountConfigs{
		{Name: "team", APIKey: ccproxy.NewSecret("the-key-of-the-team")},
		{Name: "spare", APIKey: ccproxy.NewSecret("the-key-for-bad-days")},
	}
	proxy, err := reg.Build(ccproxy.Settings{},
		ccproxy.WithPluginConfig(claudeapi.Name, *cfg), ccproxy.WithTransport(api.Transport()))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := proxy.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = proxy.Shutdown(ctx) }()
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/claude/v1/messages", strings.NewReader(message)))
	fmt.Println(w.Code)
	for _, r := range api.Requests() {
		fmt.Println(r.Header.Get("X-Api-Key"))
	}
	// Output:
	// 200
	// the-key-of-the-team
	// the-key-for-bad-days
}
