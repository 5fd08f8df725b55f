package openaicompat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// upstream answers every request with what came in.
type upstream func(*http.Request, string) (contentType, body string)

func (u upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	w := httptest.NewRecorder()
	contentType, body := u(r, string(sent))
	w.Header().Set("Content-Type", contentType)
	_, _ = w.WriteString(body)
	return w.Result(), nil
}

// echo tells in the answer where the request went and with which key.
func echo(r *http.Request, sent string) (contentType, body string) {
	return "application/json", fmt.Sprintf(`{"to":%q,"key":%q,"referer":%q,"sent":%q}`,
		r.URL.String(), r.Header.Get("Authorization"), r.Header.Get("Http-Referer"), sent)
}

func start(t *testing.T, up upstream, instances map[string]any) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(openaicompat.Factory()); err != nil {
		t.Fatal(err)
	}
	settings := ccproxy.Settings{Plugins: map[string]map[string]any{openaicompat.Name: {"instances": instances}}}
	proxy, err := reg.Build(settings, ccproxy.WithTransport(up))
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

func ask(t *testing.T, proxy *ccproxy.Proxy, path, body string) (int, string) {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer the-client's-own")
	proxy.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestInstances(t *testing.T) {
	t.Parallel()
	proxy := start(t, echo, map[string]any{
		"openai": map[string]any{
			"base_url": "https://api.openai.test/v1", "api_key": "key-of-openai",
			"formats": []any{"openai.chat_completions", "openai.responses"},
		},
		"local": map[string]any{
			"base_url": "http://ollama.test:11434/", "headers": map[string]any{"HTTP-Referer": "https://me.test"},
		},
	})
	const body = `{ "model":"m" ,"n":1e2, "x":"\u0041" }`
	tests := []struct {
		path, to, key, referer string
	}{
		{"/openai/v1/chat/completions", "https://api.openai.test/v1/chat/completions", "Bearer key-of-openai", ""},
		{"/openai/v1/responses?a=b", "https://api.openai.test/v1/responses?a=b", "Bearer key-of-openai", ""},
		{"/openai/v1/embeddings", "https://api.openai.test/v1/embeddings", "Bearer key-of-openai", ""},
		{"/local/v1/chat/completions", "http://ollama.test:11434/v1/chat/completions", "", "https://me.test"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			status, got := ask(t, proxy, tt.path, body)
			want := fmt.Sprintf(`{"to":%q,"key":%q,"referer":%q,"sent":%q}`, tt.to, tt.key, tt.referer, body)
			if diff := cmp.Diff(want, got); diff != "" || status != http.StatusOK {
				t.Errorf("POST %s: %d (-want +got):\n%s", tt.path, status, diff)
			}
		})
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	const stream = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n"
	for name, tt := range map[string]struct{ sent, want string }{
		"whole": {stream, stream},
		"cut":   {strings.TrimSuffix(stream, "data: [DONE]\n\n"), `"error"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := start(t, func(*http.Request, string) (string, string) { return "text/event-stream", tt.sent },
				map[string]any{"up": map[string]any{"base_url": "http://up.test/v1"}})
			status, got := ask(t, proxy, "/up/v1/chat/completions", `{"model":"m","stream":true}`)
			if status != http.StatusOK || !strings.HasPrefix(got, tt.sent) || !strings.Contains(got, tt.want) {
				t.Errorf("%d %q, want %q with %s", status, got, tt.sent, tt.want)
			}
			if name == "cut" && strings.Contains(got, "[DONE]") {
				t.Error("a stream that broke off ends as if it were whole")
			}
		})
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	up := func(r *http.Request, _ string) (string, string) {
		if r.URL.String() != "http://up.test/v1/models" {
			return "application/json", "{}"
		}
		return "application/json", `{"object":"list","data":[{"id":"m1","object":"model","created":1700000000,"owned_by":"me"}]}`
	}
	proxy := start(t, up, map[string]any{
		"up":    map[string]any{"base_url": "http://up.test/v1"},
		"other": map[string]any{"base_url": "http://other.test/v1", "models": []any{"fixed"}},
	})
	for _, tt := range []struct {
		path, want string
		status     int
	}{
		// Not listed yet, and the upstream tells nothing of it.
		{"/up/v1/models/m1", `"model_not_found"`, http.StatusNotFound},
		{"/up/v1/models", `"id":"m1"`, http.StatusOK},
		{"/up/v1/models/m1", `"created":1700000000`, http.StatusOK},
		{"/other/v1/models", `"id":"fixed"`, http.StatusOK},
	} {
		if status, got := ask(t, proxy, tt.path, ""); status != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("GET %s: %d %s, want %d %s", tt.path, status, got, tt.status, tt.want)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		instances map[string]any
		want      string // in the error; empty: opts out
	}{
		{"none", nil, ""},
		{"no address", map[string]any{"a": map[string]any{}}, "plugins.openai_compat.instances[a].base_url"},
		{"bad address", map[string]any{"a": map[string]any{"base_url": "here"}}, "instances[a].base_url"},
		{"bad format", map[string]any{"a": map[string]any{"base_url": "http://x.test", "formats": []any{"x"}}}, "instances[a].formats[0]"},
		{"bad name", map[string]any{"A b": map[string]any{"base_url": "http://x.test"}}, `provider name "A b"`},
		{"unknown key", map[string]any{"a": map[string]any{"base_ulr": "http://x.test"}}, "base_ulr"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg ccproxy.Registry
			if err := reg.Register(openaicompat.Factory()); err != nil {
				t.Fatal(err)
			}
			res, err := reg.ResolveDependencies(ccproxy.Settings{
				Plugins: map[string]map[string]any{openaicompat.Name: {"instances": tt.instances}},
			})
			switch {
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one that names %s", err, tt.want)
			case tt.want == "" && (err != nil || len(res.Skipped) != 1 || !errors.Is(res.Skipped[0].Reason, ccproxy.ErrSkip)):
				t.Errorf("resolution %+v, %v, want the plugin to opt out", res, err)
			}
		})
	}
}
