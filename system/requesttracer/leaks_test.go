package requesttracer_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
	"github.com/ccproxy-go/ccproxy/system/requesttracer"
)

func wantNoSecret(t *testing.T, dir, secret string) {
	t.Helper()
	for name, text := range traces(t, dir) {
		if at := providertest.FindSecret(text, secret); at != "" {
			i := strings.Index(text, secret)
			t.Errorf("%s has a secret (%s): …%s…", name, at, text[max(0, i-60):min(len(text), i+60)])
		}
	}
}

func TestRequestSecrets(t *testing.T) {
	t.Parallel()
	const canary = "other-canary-5544332211"
	for name, prepare := range map[string]func(r *http.Request){
		"control": func(r *http.Request) { r.Header.Set("X-Api-Key", canary) },
		"query":   func(r *http.Request) { r.URL.RawQuery = "api_key=" + canary },
		"cookie":  func(r *http.Request) { r.Header.Set("Cookie", "session="+canary+"; theme=dark") },
		"cookie2": func(r *http.Request) { r.Header.Set("Cookie", "theme=dark; session="+canary) },
		"header":  func(r *http.Request) { r.Header.Set("X-Api-Key", canary); r.Header.Set("X-Debug", "key "+canary) },
		"path":    func(r *http.Request) { r.Header.Set("X-Api-Key", canary); r.URL.Path += "/" + canary },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var up providertest.Upstream
			defer up.Close()
			up.Enqueue(providertest.Message("you sent " + canary))
			dir := filepath.Join(t.TempDir(), "traces")
			p, stop := start(t, up.Transport(), requesttracer.Name, map[string]any{"log_dir": dir})
			body := `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"why is ` + canary + ` wrong?"}]}`
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/claude/v1/messages", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			prepare(r)
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			stop()
			t.Log(w.Code)
			wantNoSecret(t, dir, canary)
		})
	}
}

// The way that the Realtime API's clients in browsers send their keys.
func TestWebSocketProtocol(t *testing.T) {
	t.Parallel()
	const canary = "sk-proj-canary5544332211"
	var up providertest.Upstream
	defer up.Close()
	dir := filepath.Join(t.TempDir(), "traces")
	p, stop := start(t, up.Transport(), requesttracer.Name, map[string]any{"log_dir": dir})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/claude/v1/realtime?model=x", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key."+canary)
	p.ServeHTTP(httptest.NewRecorder(), r)
	stop()
	wantNoSecret(t, dir, canary)
}

func TestURLBelowAMount(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.Message("hi"))
	dir := filepath.Join(t.TempDir(), "traces")
	p, stop := start(t, up.Transport(), requesttracer.Name, map[string]any{"log_dir": dir})
	w := ask(t, p.Mount("/llm"), "http://host.test/llm/claude/v1/messages", hello)
	stop()
	if w.Code != 200 {
		t.Fatal(w.Code)
	}
	found := traces(t, dir)
	if d := read(t, found["client_request.json"]); d.URL != "http://host.test/llm/claude/v1/messages" {
		t.Errorf("url %s", d.URL)
	}
}

// A small request that is nested deeply, which the proxy refuses.
func TestNestedBody(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	dir := filepath.Join(t.TempDir(), "traces")
	p, stop := start(t, up.Transport(), requesttracer.Name, map[string]any{"log_dir": dir, "max_memory": 1 << 20, "raw_http_enabled": false})
	const depth = 2000
	body := `{"model":"m","x":` + strings.Repeat("[", depth) + strings.Repeat("0,", 14000) + "0" + strings.Repeat("]", depth) + "}"
	w := ask(t, p, "/claude/v1/messages", body)
	stop()
	size := len(traces(t, dir)["client_request.json"])
	if size > 20*len(body) {
		t.Errorf("a request of %d bytes, answered with %d, makes a document of %d bytes", len(body), w.Code, size)
	}
}

// TestHandlersWithoutAnAnswer traces routes of a plugin that panic, or say nothing.
func TestHandlersWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.HandlerFunc{
		"/panic": func(http.ResponseWriter, *http.Request) { panic("ouch") },
		"/quiet": func(http.ResponseWriter, *http.Request) {},
	}
	for path, h := range handlers {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "traces")
			var reg ccproxy.Registry
			err := reg.Register(requesttracer.Factory(), ccproxy.NewFactory(ccproxy.Manifest{
				Name: "odd", Version: "1.0.0", Routes: []ccproxy.RouteSpec{{
					Prefix: path, Endpoints: []ccproxy.Endpoint{{}},
					New: func(*ccproxy.PluginContext) (http.Handler, error) { return h, nil },
				}},
			}, nil))
			if err != nil {
				t.Fatal(err)
			}
			p, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
				requesttracer.Name: {"enabled": true, "log_dir": dir},
			}}, ccproxy.WithStrictStart())
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
			if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
			found := traces(t, dir)
			if d := read(t, found["client_response.json"]); d.Status != w.Code || w.Code == 0 {
				t.Errorf("status %d (%s), want %d; raw %q", d.Status, d.Error, w.Code, found["client_response.http"])
			}
		})
	}
}

// What an upstream's key looks like in JSON: PHP escapes slashes, Go and others escape ampersands.
func TestEscapedKey(t *testing.T) {
	t.Parallel()
	const key = "client/canary+9988&776655=="
	var up providertest.Upstream
	defer up.Close()
	for _, text := range []string{`client\/canary+9988&776655==`, `client/canary+9988\u0026776655==`} {
		up.Enqueue(providertest.Raw(400, http.Header{"Content-Type": {"application/json"}},
			`{"type":"error","error":{"type":"invalid_request_error","message":"not a key: `+text+`"}}`))
		dir := filepath.Join(t.TempDir(), "traces")
		p, stop := start(t, up.Transport(), requesttracer.Name, map[string]any{"log_dir": dir})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/claude/v1/messages", strings.NewReader(hello))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Api-Key", key)
		p.ServeHTTP(httptest.NewRecorder(), r)
		stop()
		for name, d := range traces(t, dir) {
			if strings.Contains(d, "9988") {
				t.Errorf("%s has the key:\n%s", name, d)
			}
		}
	}
}

// One request that is refused takes all other traces with it.
func TestNestedEvicts(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.Message("precious"))
	dir := filepath.Join(t.TempDir(), "traces")
	p, stop := start(t, up.Transport(), requesttracer.Name, map[string]any{"log_dir": dir, "raw_http_enabled": false, "max_total_size": 62 << 20})
	ask(t, p, "/claude/v1/messages", strings.Replace(hello, "a question", strings.Repeat("precious ", 5000), 1))
	const depth = 2000
	ask(t, p, "/claude/v1/messages", `{"model":"m","x":`+strings.Repeat("[", depth)+strings.Repeat("0,", 14000)+"0"+strings.Repeat("]", depth)+"}")
	stop()
	if !strings.Contains(traces(t, dir)["client_request.json"], "precious") {
		t.Error("the trace of another request is gone, of 62 MiB that may be kept, after two requests of some 40 KB")
	}
}

// The same figures as the access log has.
func TestUsageAsInTheLog(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "traces")
	var out bytes.Buffer
	cfg := accesslog.DefaultConfig()
	cfg.ClientEnabled, cfg.ProviderEnabled, cfg.ProviderWriter = false, true, &out
	var reg ccproxy.Registry
	if err := reg.Register(requesttracer.Factory(), claudeapi.Factory(), accesslog.Factory()); err != nil {
		t.Fatal(err)
	}
	p, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		requesttracer.Name: {"enabled": true, "log_dir": dir}, claudeapi.Name: {"api_key": upstreamKey},
	}}, ccproxy.WithTransport(cachedStream{}), ccproxy.WithStrictStart(), ccproxy.WithPluginConfig(accesslog.Name, *cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(t, p, "/claude/v1/messages", strings.Replace(hello, "{", `{"stream":true,`, 1))
	if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	d := read(t, traces(t, dir)["provider_response.json"])
	if !strings.Contains(out.String(), `"tokens_input":3,`) || d.Stream.Usage["input_tokens"] != 3 {
		t.Errorf("trace %v\nlog %s", d.Stream.Usage, &out)
	}
}

type cachedStream struct{}

func (cachedStream) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := toolStream{}.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(strings.NewReader(strings.Replace(string(text), `"usage":{"input_tokens":3,`,
		`"usage":{"input_tokens":3,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,`, 1)))
	resp.ContentLength = -1
	return resp, err
}
