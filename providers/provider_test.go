package providers_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

const (
	key  = "acme-key-0123456789"
	body = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`
)

// start runs a proxy with one provider "acme" in front of up.
func start(t *testing.T, up *providertest.Upstream, u providers.Upstream, opts ...ccproxy.Option) *ccproxy.Proxy {
	t.Helper()
	if u.BaseURL == "" {
		u.BaseURL = "https://acme.example"
	}
	if u.Formats == nil {
		u.Formats = []adapters.Format{adapters.AnthropicMessages}
	}
	if u.Credentials == nil {
		u.Credentials = providers.BearerKey(ccproxy.NewSecret(key))
	}
	var reg ccproxy.Registry
	if err := reg.Register(providers.New(ccproxy.Manifest{Name: "acme"}, u)); err != nil {
		t.Fatal(err)
	}
	options := []ccproxy.Option{ccproxy.WithTransport(up.Transport()), ccproxy.WithStrictStart()}
	p, err := reg.Build(ccproxy.Settings{}, append(options, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Shutdown(context.Background()), up.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func call(t *testing.T, p http.Handler, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body)))
	return rec
}

// The operation's path stands behind the base URL's, whose own spelling is kept.
func TestBaseURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://acme.example":              "acme.example/v1/messages",
		"https://acme.example/":             "acme.example/v1/messages",
		"https://acme.example:8443/a/b":     "acme.example:8443/a/b/v1/messages",
		"http://acme.example/a/b///":        "acme.example/a/b/v1/messages",
		"http://acme.example/a%2Fb":         "acme.example/a%2Fb/v1/messages",
		"http://acme.example/a%2Fb/":        "acme.example/a%2Fb/v1/messages",
		"http://acme.example/a%20b":         "acme.example/a%20b/v1/messages",
		"http://[::1]:1234/%C3%BC":          "[::1]:1234/%C3%BC/v1/messages",
		"https://gateway.example/v1/acme/x": "gateway.example/v1/acme/x/v1/messages",
	} {
		up := new(providertest.Upstream)
		up.Handler = func(providertest.Request) providertest.Reply { return providertest.Message("x") }
		p := start(t, up, providers.Upstream{BaseURL: base})
		for _, query := range []string{"", "?beta=true&x=%2f"} {
			if rec := call(t, p, http.MethodPost, "/acme/v1/messages"+query, body); rec.Code != http.StatusOK {
				t.Errorf("%s: %d %s", base, rec.Code, rec.Body)
			}
			got, _ := up.Last()
			if got.Host+got.Path != want || got.RawQuery != strings.TrimPrefix(query, "?") {
				t.Errorf("%s: asked for %s%s?%s", base, got.Host, got.Path, got.RawQuery)
			}
		}
	}
}

func TestBadBaseURLs(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"", "acme.example", "/v1", "ftp://acme.example", "https://", "https://user:secret@acme.example", "https://acme.example?x=1",
		"https://acme.example#x", "https://acme.example/%zz", "mailto:a@b",
	} {
		var reg ccproxy.Registry
		if err := reg.Register(providers.New(ccproxy.Manifest{Name: "acme"}, providers.Upstream{
			BaseURL: base, Formats: []adapters.Format{adapters.AnthropicMessages},
		})); err != nil {
			t.Fatal(err)
		}
		p, err := reg.Build(ccproxy.Settings{}, ccproxy.WithStrictStart())
		if err == nil {
			err = p.Start(t.Context())
		}
		if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), "base URL") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// Fixed headers win over the client's, defaults stand in for what is missing, transformers and paths apply.
func TestUpstreamRequest(t *testing.T) {
	t.Parallel()
	up := new(providertest.Upstream)
	up.Handler = func(providertest.Request) providertest.Reply { return providertest.Message("x") }
	p := start(t, up, providers.Upstream{
		Header:        http.Header{"User-Agent": {"fixed"}},
		DefaultHeader: http.Header{"Anthropic-Version": {"default"}, "Anthropic-Beta": {"default"}},
		Transformers: []providers.Transformer{
			providers.TransformerFunc(func(_ context.Context, req *providers.Request) error {
				if req.Header.Get("Authorization") != "" || req.Call.Model != "m" {
					t.Errorf("transformer sees %v and model %q", req.Header, req.Call.Model)
				}
				req.Body = append([]byte(" "), req.Body...)
				req.Query += "&added=1"
				req.Header.Set("X-Added", "1")
				return nil
			}),
			providers.TransformerFunc(func(_ context.Context, req *providers.Request) error {
				req.Body = append([]byte("\n"), req.Body...)
				return nil
			}),
		},
		Path: func(op ccproxy.Operation, _ adapters.Format) string {
			if op == ccproxy.OpCountTokens {
				return ""
			}
			return "/custom"
		},
	})
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/acme/v1/messages?q=1", strings.NewReader(body))
	req.Header.Set("User-Agent", "client")
	req.Header.Set("Anthropic-Beta", "client")
	p.ServeHTTP(httptest.NewRecorder(), req)
	got, _ := up.Last()
	want := http.Header{
		"User-Agent": {"fixed"}, "Anthropic-Version": {"default"}, "Anthropic-Beta": {"client"}, "X-Added": {"1"},
		"Content-Type": {"application/json"}, "Accept-Encoding": {"identity"}, "Authorization": {"Bearer " + key},
		"Content-Length": {strconv.Itoa(len(body) + 2)},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" || got.Path != "/custom" || got.RawQuery != "q=1&added=1" || string(got.Body) != "\n "+body {
		t.Errorf("upstream got %s?%s %q, header (-want +got):\n%s", got.Path, got.RawQuery, got.Body, diff)
	}
	rec := call(t, p, http.MethodPost, "/acme/v1/messages/count_tokens", body)
	if rec.Header().Get("X-CCProxy-Estimated") != "tokens" || len(up.Requests()) != 1 {
		t.Errorf("an operation that the API has not: %d %s", rec.Code, rec.Body)
	}
}

// What a transformer or credentials say of a failure is what the client gets.
func TestFailuresBeforeSending(t *testing.T) {
	t.Parallel()
	refusal := &ccproxy.Error{Status: http.StatusUnauthorized, Message: "log in first"}
	tests := map[string]providers.Upstream{
		"credentials": {Credentials: providers.CredentialsFunc(func(context.Context, http.Header) error { return refusal })},
		"transformer": {Transformers: []providers.Transformer{
			providers.TransformerFunc(func(context.Context, *providers.Request) error { return refusal }),
		}},
	}
	for name, u := range tests {
		up := new(providertest.Upstream)
		rec := call(t, start(t, up, u), http.MethodPost, "/acme/v1/messages", body)
		if rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), "log in first") || len(up.Requests()) != 0 {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}

// A compression that nobody asked for is undone; one that is unknown or broken is an error.
func TestCompressedAnswers(t *testing.T) {
	t.Parallel()
	const answer = `{"type":"message","content":[]}`
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte(answer))
	_ = w.Close()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zst := string(e.EncodeAll([]byte(answer), nil))
	tests := []struct {
		name, encoding, body string
		want                 int
	}{
		{"gzip", "gzip", z.String(), 200},
		{"zstd", "zstd", zst, 200},
		{"identity", "identity", answer, 200},
		{"capitals", "GZIP", z.String(), 200},
		{"brotli", "br", answer, 502},
		{"not gzip", "gzip", answer, 502},
		{"gzip cut", "gzip", z.String()[:20], 502},
		{"zstd cut", "zstd", zst[:len(zst)-3], 502},
		{"not zstd", "zstd", answer, 502},
	}
	up := new(providertest.Upstream)
	p := start(t, up, providers.Upstream{})
	for _, tt := range tests {
		for _, status := range []int{200, 429} {
			up.Enqueue(providertest.Raw(status, http.Header{"Content-Encoding": {tt.encoding}, "Content-Type": {"application/json"}}, tt.body))
			rec := call(t, p, http.MethodPost, "/acme/v1/messages", body)
			switch {
			case status == 429 && rec.Code != 429:
				t.Errorf("%s: an error lost its status: %d %s", tt.name, rec.Code, rec.Body)
			case status == 200 && rec.Code != tt.want:
				t.Errorf("%s: %d %s", tt.name, rec.Code, rec.Body)
			case status == 200 && tt.want == 200 && rec.Body.String() != answer:
				t.Errorf("%s: body %q", tt.name, rec.Body)
			case rec.Header().Get("Content-Encoding") != "":
				t.Errorf("%s: the client is told of an encoding that was undone", tt.name)
			}
		}
	}
}

func listed(t *testing.T, p http.Handler) []map[string]any {
	t.Helper()
	rec := call(t, p, http.MethodGet, "/acme/v1/models", "")
	var list struct{ Data []map[string]any }
	if err := json.Unmarshal(rec.Body.Bytes(), &list); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("models: %d %s", rec.Code, rec.Body)
	}
	return list.Data
}

// Both shapes of lists are read, and what is in them beyond the common members is kept.
func TestModelShapes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, upstream, want string }{
		{
			"anthropic", `{"data":[{"type":"model","id":"c","display_name":"C","created_at":"2025-02-03T00:00:00Z","max":5}],"has_more":false}`,
			`[{"type":"model","object":"model","id":"c","display_name":"C","created_at":"2025-02-03T00:00:00Z","created":1738540800,"owned_by":"acme","max":5}]`,
		},
		{
			"openai", `{"object":"list","data":[{"id":"g","object":"model","created":1738540800,"owned_by":"o","permission":[{"a":1}]}]}`,
			`[{"type":"model","object":"model","id":"g","display_name":"g","created_at":"2025-02-03T00:00:00Z","created":1738540800,"owned_by":"o","permission":[{"a":1}]}]`,
		},
		{
			"sparse and odd", `{"data":[{"id":"s"},{"object":"model"},{"id":5},{"id":"d","created":"soon"}]}`,
			`[{"type":"model","object":"model","id":"s","display_name":"s","created_at":"1970-01-01T00:00:00Z","created":0,"owned_by":"acme"},
			  {"type":"model","object":"model","id":"d","display_name":"d","created_at":"1970-01-01T00:00:00Z","created":0,"owned_by":"acme"}]`,
		},
		{"empty", `{"data":[]}`, `[]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := new(providertest.Upstream)
			up.Handler = func(providertest.Request) providertest.Reply { return providertest.Raw(200, nil, tt.upstream) }
			var want []map[string]any
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, listed(t, start(t, up, providers.Upstream{}))); diff != "" {
				t.Errorf("models (-want +got):\n%s", diff)
			}
			got, _ := up.Last()
			if got.Path != "/v1/models" || got.RawQuery != "limit=1000" || got.Header.Get("Authorization") != "Bearer "+key {
				t.Errorf("asked %s?%s with %v", got.Path, got.RawQuery, got.Header)
			}
		})
	}
}

// A list is kept for its time; a failure keeps the last one and is not repeated at once.
func TestModelCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(providertest.Upstream)
		up.Models = []string{"a"}
		broken := false
		up.Handler = func(providertest.Request) providertest.Reply {
			if broken {
				return providertest.Error(500, "api_error", "no", nil)
			}
			return nil
		}
		p := start(t, up, providers.Upstream{
			ModelsTTL: time.Minute, DefaultHeader: http.Header{"Anthropic-Version": {"1"}}, Models: []ccproxy.Model{{ID: "static"}},
		})
		steps := []struct {
			name   string
			wait   time.Duration
			broken bool
			asked  int // times in all
		}{
			{"first", 0, false, 1},
			{"kept", 59 * time.Second, false, 1},
			{"asked again", 2 * time.Second, false, 2},
			{"broken", 61 * time.Second, true, 3},
			{"not repeated at once", 9 * time.Second, true, 3},
			{"repeated", 2 * time.Second, true, 4},
			{"well again", 11 * time.Second, false, 5},
			{"kept again", 59 * time.Second, false, 5},
		}
		for _, s := range steps {
			time.Sleep(s.wait)
			broken = s.broken
			if got := listed(t, p); len(got) != 1 || got[0]["id"] != "a" {
				t.Errorf("%s: %v", s.name, got)
			}
			if n := len(up.Requests()); n != s.asked {
				t.Errorf("%s: asked %d times, want %d", s.name, n, s.asked)
			}
		}
	})
}

// Without anything to fall back on, a failure is one.
func TestModelsFailure(t *testing.T) {
	t.Parallel()
	up := new(providertest.Upstream)
	up.Handler = func(providertest.Request) providertest.Reply { return providertest.Drop() }
	p := start(t, up, providers.Upstream{})
	if rec := call(t, p, http.MethodGet, "/acme/v1/models", ""); rec.Code != http.StatusBadGateway {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	static := start(t, new(providertest.Upstream), providers.Upstream{ModelsPath: "-", Models: []ccproxy.Model{{ID: "x"}, {ID: "y"}}})
	if got := listed(t, static); len(got) != 2 || got[1]["id"] != "y" {
		t.Errorf("static list: %v", got)
	}
}
