package claudeapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

func build(settings ccproxy.Settings, opts ...ccproxy.Option) (*ccproxy.Proxy, error) {
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory()); err != nil {
		return nil, err
	}
	return reg.Build(settings, opts...)
}

func table(kv ...any) ccproxy.Settings {
	t := map[string]any{"api_key": "sk-secret"}
	for i := 0; i < len(kv); i += 2 {
		t[kv[i].(string)] = kv[i+1]
	}
	return ccproxy.Settings{Plugins: map[string]map[string]any{claudeapi.Name: t}}
}

// A configuration that is wrong is refused with the full key, and without the value.
func TestConfigErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		s    ccproxy.Settings
		key  string
	}{
		{"empty base URL", table("base_url", ""), "plugins.claude_api.base_url"},
		{"relative base URL", table("base_url", "/v1"), "plugins.claude_api.base_url"},
		{"other scheme", table("base_url", "ftp://x.example"), "plugins.claude_api.base_url"},
		{"no host", table("base_url", "https://"), "plugins.claude_api.base_url"},
		{"user in the base URL", table("base_url", "https://sk-secret@x.example"), "plugins.claude_api.base_url"},
		{"query in the base URL", table("base_url", "https://x.example?k=sk-secret"), "plugins.claude_api.base_url"},
		{"fragment in the base URL", table("base_url", "https://x.example#sk-secret"), "plugins.claude_api.base_url"},
		{"base URL number", table("base_url", 5), "plugins.claude_api.base_url"},
		{"no version", table("anthropic_version", ""), "plugins.claude_api.anthropic_version"},
		{"negative marks", table("max_cache_control", -1), "plugins.claude_api.max_cache_control"},
		{"too many marks", table("max_cache_control", 65), "plugins.claude_api.max_cache_control"},
		{"marks in words", table("max_cache_control", "four"), "plugins.claude_api.max_cache_control"},
		{"empty header name", table("forward_headers", []any{"x-a", ""}), "plugins.claude_api.forward_headers[1]"},
		{"key number", table("api_key", 5), "plugins.claude_api.api_key"},
		{"unknown key", table("base_ulr", "x"), `plugins.claude_api.base_ulr`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := build(tt.s)
			if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), tt.key) || strings.Contains(err.Error(), "sk-secret") {
				t.Errorf("error = %v, want one that names %s", err, tt.key)
			}
		})
	}
}

// Without a key the plugin stays away by its own decision.
func TestNoKeyOptsOut(t *testing.T) {
	t.Parallel()
	for _, s := range []ccproxy.Settings{{}, table("api_key", "")} {
		p, err := build(s, ccproxy.WithStrictStart())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		status := p.Statuses()[0]
		if status.State != "skipped" || !errors.Is(status.Reason, ccproxy.ErrSkip) || !strings.Contains(status.Reason.Error(), "api_key") {
			t.Errorf("status = %+v", status)
		}
		rec := httptest.NewRecorder()
		p.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/claude/v1/messages", strings.NewReader("{}")))
		if rec.Code != http.StatusNotFound {
			t.Errorf("got %d", rec.Code)
		}
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// sent returns what the API gets of body.
func sent(t *testing.T, change func(*claudeapi.Config), path, body string) string {
	t.Helper()
	up := new(providertest.Upstream)
	up.Handler = func(providertest.Request) providertest.Reply { return providertest.Raw(200, nil, "{}") }
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret("sk-secret")
	change(cfg)
	p, err := build(ccproxy.Settings{}, ccproxy.WithTransport(up.Transport()), ccproxy.WithPluginConfig(claudeapi.Name, *cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
	if err := errors.Join(p.Shutdown(context.Background()), up.Close()); err != nil {
		t.Error(err)
	}
	got, ok := up.Last()
	if !ok {
		t.Fatalf("nothing was sent: %d %s", rec.Code, rec.Body)
	}
	return string(got.Body)
}

func TestSystemPrefix(t *testing.T) {
	t.Parallel()
	const block = `{"type":"text","text":"You are \"it\".\n<b>é"}`
	tests := []struct{ name, body, want string }{
		{"none", `{ "model":"m" }`, `{"system":[` + block + `], "model":"m" }`},
		{"no members", `{}`, `{"system":[` + block + `]}`},
		{"null", `{"system": null ,"x":1e2}`, `{"system": [` + block + `] ,"x":1e2}`},
		{"string", `{"a":1, "system" : "q\u0041\/", "z":0}`, `{"a":1, "system" : [` + block + `,{"type":"text","text":"q\u0041\/"}], "z":0}`},
		{"empty list", `{"system":[ ]}`, `{"system":[` + block + `]}`},
		{
			"list", `{"system":[ {"type":"text", "text":"a","cache_control":{"type":"ephemeral"}} , {"b":[1, 2]}],"m":1}`,
			`{"system":[` + block + `,{"type":"text", "text":"a","cache_control":{"type":"ephemeral"}},{"b":[1, 2]}],"m":1}`,
		},
		{"number", `{"system":5}`, `{"system":5}`},
		{"object", `{"system":{"type":"text"}}`, `{"system":{"type":"text"}}`},
	}
	for _, tt := range tests {
		for _, path := range []string{"/claude/v1/messages", "/claude/v1/messages/count_tokens"} {
			t.Run(tt.name+path, func(t *testing.T) {
				t.Parallel()
				got := sent(t, func(c *claudeapi.Config) { c.SystemPrefix = "You are \"it\".\n<b>é" }, path, tt.body)
				if got != tt.want {
					t.Errorf("\n got %s\nwant %s", got, tt.want)
				}
			})
		}
	}
}

// Marks beyond the limit go from the smallest blocks; every other byte stays.
func TestCacheControlLimit(t *testing.T) {
	t.Parallel()
	const cc = `"cache_control":{"type":"ephemeral"}`
	text := func(n int, mark string) string {
		return `{"type":"text","text":"` + strings.Repeat("x", n) + `"` + mark + `}`
	}
	marked := func(n int) string { return text(n, ","+cc) }
	tests := []struct {
		name, body, want string
		limit            int
	}{
		{name: "off", limit: 0, body: `{"system":[` + marked(1) + `,` + marked(2) + `]}`},
		{name: "within", limit: 2, body: `{ "system" : [` + marked(1) + ` , ` + marked(2) + `] }`},
		{name: "null is no mark", limit: 1, body: `{"system":[` + text(1, `,"cache_control":null`) + `,` + marked(2) + `]}`},
		{
			name: "largest stay", limit: 2,
			body: `{"system":[` + marked(10) + `,` + marked(30) + `],"tools":[{"name":"t",` + cc + `}],"messages":[{"role":"user","content":[` + marked(99) + `]}]}`,
			want: `{"system":[` + text(10, "") + `,` + marked(30) + `],"tools":[{"name":"t"}],"messages":[{"role":"user","content":[` + marked(99) + `]}]}`,
		},
		{
			name: "equal sizes: the first stay", limit: 1,
			body: `{"messages":[{"role":"user","content":[` + marked(5) + `,` + marked(5) + `]}]}`,
			want: `{"messages":[{"role":"user","content":[` + marked(5) + `,` + text(5, "") + `]}]}`,
		},
		{
			name: "a marked block in a marked block", limit: 1,
			body: `{"messages":[{"role":"user","content":[{"type":"tool_result",` + cc + `,"content":[` + marked(3) + `]},` + marked(900) + `,` + marked(1) + `]}]}`,
			want: `{"messages":[{"role":"user","content":[{"type":"tool_result","content":[` + text(3, "") + `]},` + marked(900) + `,` + text(1, "") + `]}]}`,
		},
		{
			name: "the inner block stays", limit: 1,
			body: `{"messages":[{"role":"user","content":[{"type":"tool_result","content":[` + marked(90) + `,` + marked(2) + `]},` + marked(5) + `]}]}`,
			want: `{"messages":[{"role":"user","content":[{"type":"tool_result","content":[` + marked(90) + `,` + text(2, "") + `]},` + text(5, "") + `]}]}`,
		},
		{name: "odd shapes", limit: 1, body: `{"system":"s","tools":{"a":1},"messages":[1,null,"x",{"content":"y"},{"content":[[],5]}]}`},
		{
			name: "bytes around", limit: 1,
			body: `{"x":1e2,"system":[` + marked(3) + `,` + marked(1) + `], "y" : "\u00e9\/" ,"z":{"cache_control":{}}}`,
			want: `{"x":1e2,"system":[` + marked(3) + `,` + text(1, "") + `], "y" : "\u00e9\/" ,"z":{"cache_control":{}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := tt.want
			if want == "" {
				want = tt.body
			}
			got := sent(t, func(c *claudeapi.Config) { c.MaxCacheControl = tt.limit }, "/claude/v1/messages", tt.body)
			if got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}
