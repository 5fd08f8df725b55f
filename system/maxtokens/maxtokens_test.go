package maxtokens_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/maxtokens"
	"github.com/ccproxy-go/ccproxy/system/pricing"
)

// upstream remembers what it was sent.
type upstream struct{ body string }

func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	u.body = string(b)
	return &http.Response{
		StatusCode: http.StatusTeapot, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader("{}")),
	}, err
}

const (
	messages    = "/v1/messages"
	completions = "/v1/chat/completions"
	responses   = "/v1/responses"
)

func factories() []ccproxy.Factory {
	out := []ccproxy.Factory{maxtokens.Factory(), pricing.Factory(), echo.Factory()}
	for name, format := range map[string]adapters.Format{
		"a": adapters.AnthropicMessages, "c": adapters.OpenAIChatCompletions, "r": adapters.OpenAIResponses,
		"codex": adapters.OpenAIResponses,
	} {
		out = append(out, providers.New(ccproxy.Manifest{Name: name}, providers.Upstream{
			BaseURL: "https://upstream.test", Formats: []adapters.Format{format}, ModelsPath: "-",
		}))
	}
	return out
}

func start(t *testing.T, up http.RoundTripper, cfg maxtokens.Config, log *slog.Logger, more ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(append(factories(), more...)...); err != nil {
		t.Fatal(err)
	}
	s := ccproxy.Settings{Plugins: map[string]map[string]any{maxtokens.Name: {"enabled": true}}}
	proxy, err := reg.Build(s, ccproxy.WithTransport(up), ccproxy.WithStrictStart(), ccproxy.WithLogger(log),
		ccproxy.WithPluginConfig(maxtokens.Name, cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return proxy
}

func send(t *testing.T, proxy *ccproxy.Proxy, path, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
}

// TestRequests compares what upstreams get with what clients sent, byte by byte.
func TestRequests(t *testing.T) {
	t.Parallel()
	limits := func(c *maxtokens.Config) {
		c.Limits = map[string]int64{"house-*": 1000, "house-x*": 2000, "house-exact": 3000, "c/house-*": 500, "*/b": 7}
	}
	all := func(c *maxtokens.Config) { limits(c); c.Fill = maxtokens.FillAlways }
	enforce := func(c *maxtokens.Config) { limits(c); c.EnforceMode = true }
	roomy := func(c *maxtokens.Config) { c.Limits = map[string]int64{"house-*": 8192, "small-*": 1100} }
	const odd = "{ \"messages\" : [ ],\n\t\"x\":1.0, \"temperature\":1e0"
	tests := []struct {
		name       string
		change     func(*maxtokens.Config)
		path       string
		body, want string // want is empty for the body itself
	}{
		{"within", limits, "/a" + messages, `{"max_tokens":1000,"model":"house-a"}`, ""},
		{"exceeded", limits, "/a" + messages, odd + `,"max_tokens": 1001 ,"model":"house-a"}`, odd + `,"max_tokens": 1000 ,"model":"house-a"}`},
		{"longer pattern", limits, "/a" + messages, `{"max_tokens":9999,"model":"house-x1"}`, `{"max_tokens":2000,"model":"house-x1"}`},
		{"name before patterns", limits, "/a" + messages, `{"max_tokens":9999,"model":"house-exact"}`, `{"max_tokens":3000,"model":"house-exact"}`},
		{"provider first", limits, "/c" + completions, `{"max_tokens":9999,"model":"house-a"}`, `{"max_tokens":500,"model":"house-a"}`},
		{
			"by the price list", nil, "/a" + messages, `{"max_tokens":99999999,"model":"claude-3-haiku-20240307"}`,
			`{"max_tokens":4096,"model":"claude-3-haiku-20240307"}`,
		},
		{"unknown model", nil, "/a" + messages, `{"max_tokens":99999999,"model":"who"}`, ""},
		{"missing", limits, "/a" + messages, `{"model":"house-a"}`, `{"max_tokens":1000,"model":"house-a"}`},
		{"null", limits, "/a" + messages, `{"model":"house-a","max_tokens":null}`, `{"model":"house-a","max_tokens":1000}`},
		{"missing, unknown model", nil, "/a" + messages, `{"model":"who"}`, `{"max_tokens":4096,"model":"who"}`},
		{
			"missing, with thinking", nil, "/a" + messages, `{"model":"who","thinking":{"type":"enabled","budget_tokens":10000}}`,
			`{"max_tokens":14096,"model":"who","thinking":{"type":"enabled","budget_tokens":10000}}`,
		},
		{
			"thinking beyond the limit", roomy, "/a" + messages,
			`{"max_tokens":32000,"model":"house-a","thinking":{ "type":"enabled","budget_tokens": 16000 },"messages":[]}`,
			`{"max_tokens":8192,"model":"house-a","thinking":{ "type":"enabled","budget_tokens": 4096 },"messages":[]}`,
		},
		{
			"thinking within the limit", roomy, "/a" + messages,
			`{"max_tokens":32000,"model":"house-a","thinking":{"type":"enabled","budget_tokens":8191}}`,
			`{"max_tokens":8192,"model":"house-a","thinking":{"type":"enabled","budget_tokens":8191}}`,
		},
		{
			"thinking beyond a limit that was missing", roomy, "/a" + messages,
			`{"model":"house-a","thinking":{"type":"enabled","budget_tokens":16000}}`,
			`{"max_tokens":8192,"model":"house-a","thinking":{"type":"enabled","budget_tokens":4096}}`,
		},
		{
			"thinking at its least", roomy, "/a" + messages,
			`{"max_tokens":99999,"model":"small-a","thinking":{"type":"enabled","budget_tokens":5000}}`,
			`{"max_tokens":1100,"model":"small-a","thinking":{"type":"enabled","budget_tokens":1024}}`,
		},
		{
			"no room for thinking", limits, "/a" + messages,
			`{"max_tokens":5000,"model":"house-a","thinking":{"type":"enabled","budget_tokens":2000}}`,
			`{"max_tokens":1000,"model":"house-a","thinking":{"type":"disabled"}}`,
		},
		{"never filled", func(c *maxtokens.Config) { c.Fill = maxtokens.FillNever }, "/a" + messages, `{"model":"who"}`, ""},
		{"missing, not required", limits, "/c" + completions, `{"model":"house-a"}`, ""},
		{"missing, filled always", all, "/c" + completions, `{"model":"house-a"}`, `{"max_completion_tokens":500,"model":"house-a"}`},
		{"current name", limits, "/c" + completions, `{"model":"house-a","max_completion_tokens":501}`, `{"model":"house-a","max_completion_tokens":500}`},
		{
			"both names", limits, "/c" + completions, `{"model":"house-a","max_tokens":9,"max_completion_tokens":501}`,
			`{"model":"house-a","max_tokens":9,"max_completion_tokens":500}`,
		},
		{
			"both names exceeded", limits, "/c" + completions, `{"model":"house-a","max_tokens":9999,"max_completion_tokens":501}`,
			`{"model":"house-a","max_tokens":500,"max_completion_tokens":500}`,
		},
		{
			"old name exceeded beside the current", limits, "/c" + completions,
			`{"model":"house-a","max_completion_tokens":5,"max_tokens":9999}`, `{"model":"house-a","max_completion_tokens":5,"max_tokens":500}`,
		},
		{
			"one of both is no limit", limits, "/c" + completions, `{"model":"house-a","max_tokens":"x","max_completion_tokens":501}`,
			`{"model":"house-a","max_tokens":"x","max_completion_tokens":500}`,
		},
		{
			"both names enforced", enforce, "/c" + completions, `{"model":"house-a","max_tokens":9,"max_completion_tokens":null}`,
			`{"model":"house-a","max_tokens":500,"max_completion_tokens":null}`,
		},
		{
			"the name of Responses in Chat", all, "/c" + completions, `{"model":"house-a","max_output_tokens":501}`,
			`{"model":"house-a","max_output_tokens":500}`,
		},
		{
			"names of Chat in Responses", limits, "/r" + responses, `{"model":"house-a","max_output_tokens":1001,"max_tokens":2000}`,
			`{"model":"house-a","max_output_tokens":1000,"max_tokens":1000}`,
		},
		{"responses", limits, "/r" + responses, `{"model":"house-a","max_output_tokens":1001}`, `{"model":"house-a","max_output_tokens":1000}`},
		{"responses, filled always", all, "/r" + responses, `{"model":"house-a"}`, `{"max_output_tokens":1000,"model":"house-a"}`},
		{"codex", all, "/codex" + responses, `{"model":"house-a","max_output_tokens":99999}`, ""},
		{"enforced", enforce, "/a" + messages, `{"max_tokens":5,"model":"house-a"}`, `{"max_tokens":1000,"model":"house-a"}`},
		{"enforced, unknown model", enforce, "/a" + messages, `{"max_tokens":5,"model":"who"}`, ""},
		{
			"not a target", func(c *maxtokens.Config) { limits(c); c.TargetProviders = []string{"c"} }, "/a" + messages,
			`{"max_tokens":9999,"model":"house-a"}`, "",
		},
		{"no number", limits, "/a" + messages, `{"max_tokens":"9999","model":"house-a"}`, ""},
		{
			"another number", limits, "/a" + messages, `{"max_tokens":9999.0,"model":"house-a"}`,
			`{"max_tokens":1000,"model":"house-a"}`,
		},
		{"and another", limits, "/a" + messages, `{"max_tokens":1e30,"model":"house-a"}`, `{"max_tokens":1000,"model":"house-a"}`},
		{"a fraction", limits, "/a" + messages, `{"max_tokens":9999.5,"model":"house-a"}`, ""},
		{"below zero", limits, "/a" + messages, `{"max_tokens":-1,"model":"house-a"}`, ""},
		{"counting", limits, "/a" + messages + "/count_tokens", `{"model":"house-a"}`, ""},
		{"embeddings", all, "/c/v1/embeddings", `{"model":"house-a","input":"x"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := maxtokens.DefaultConfig()
			if tt.change != nil {
				tt.change(cfg)
			}
			up := new(upstream)
			proxy := start(t, up, *cfg, slog.New(slog.DiscardHandler))
			send(t, proxy, tt.path, tt.body)
			if err := proxy.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			want := tt.want
			if want == "" {
				want = tt.body
			}
			if diff := cmp.Diff(want, up.body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// TestConverted holds that a request is looked at in the dialect of the upstream, not in the client's.
func TestConverted(t *testing.T) {
	t.Parallel()
	up := new(upstream)
	proxy := start(t, up, *maxtokens.DefaultConfig(), slog.New(slog.DiscardHandler))
	send(t, proxy, "/a"+completions, `{"model":"claude-3-haiku","max_tokens":9999,"messages":[{"role":"user","content":"x"}]}`)
	if !strings.Contains(up.body, `"max_tokens":4096`) {
		t.Errorf("the upstream got %s", up.body)
	}
	send(t, proxy, "/r"+messages, `{"model":"gpt-4o","max_tokens":99999,"messages":[{"role":"user","content":"x"}]}`)
	if !strings.Contains(up.body, `"max_output_tokens":16384`) || strings.Contains(up.body, `"max_tokens"`) {
		t.Errorf("the upstream got %s", up.body)
	}
	if err := proxy.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestChanges shows what tells of a change.
func TestChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var heard []maxtokens.Change
		listener := ccproxy.NewFactory(ccproxy.Manifest{Name: "listener", Hooks: []ccproxy.HookSpec{{
			New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
				return hooks.On("listen", func(_ context.Context, _ *hooks.Context, c *hooks.Custom) error {
					change, ok := c.Data.(maxtokens.Change)
					if ok && c.Name == "max_tokens.changed" {
						change.RequestID = ""
						heard = append(heard, change)
					}
					return nil
				}), nil
			},
		}}}, nil)
		proxy := start(t, new(upstream), *maxtokens.DefaultConfig(), slog.New(slog.NewTextHandler(&log, nil)), listener)
		send(t, proxy, "/a"+messages, `{"max_tokens":5000,"model":"claude-3-haiku"}`)
		send(t, proxy, "/a"+messages, `{"model":"claude-3-haiku"}`)
		send(t, proxy, "/a"+messages, `{"max_tokens":1,"model":"claude-3-haiku"}`)
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		change := maxtokens.Change{Provider: "a", Model: "claude-3-haiku", Field: "max_tokens", Reason: "exceeded", From: 5000, To: 4096}
		missing := change
		missing.Reason, missing.From = "missing", 0
		if diff := cmp.Diff([]maxtokens.Change{change, missing}, heard); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if n := strings.Count(log.String(), "token limit changed"); n != 2 {
			t.Errorf("the log tells of %d changes:\n%s", n, log.String())
		}
	})
}

func TestConformance(t *testing.T) { //nolint:paralleltest // the suite counts goroutines
	plugintest.TestFactory(t, maxtokens.Factory())
	plugintest.TestFactory(t, maxtokens.Factory(), plugintest.Plugins(pricing.Factory()))
}
