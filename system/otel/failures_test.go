package otel_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	global "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/system/balancer"
	"github.com/ccproxy-go/ccproxy/system/otel"
)

// upstream answers calls.
type upstream func(*http.Request) (*http.Response, error)

func (u upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return u(r)
}

func answer(status int, body string) *http.Response {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.WriteString(body)
	return w.Result()
}

const (
	refusal = `{"type":"error","error":{"type":"caf` + "\xe9" + `","message":"caf` + "\xe9" + `"}}`
	chat    = `{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop",` +
		`"message":{"role":"assistant","content":"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`
)

// A provider that has several accounts calls its upstream by itself: each call has its span, and its own end.
func TestAccountsInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := startWith(t, upstream(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("Authorization"), "-one") {
				time.Sleep(time.Second)
				return answer(http.StatusTooManyRequests, `{"error":{"message":"slow down"}}`), nil
			}
			time.Sleep(3 * time.Second)
			return answer(http.StatusOK, chat), nil
		}), ccproxy.Settings{Plugins: map[string]map[string]any{
			openaicompat.Name: {"instances": map[string]any{"acme": map[string]any{
				"base_url": "https://acme.test", "models": []any{"m"}, "accounts": []any{
					map[string]any{"name": "one", "api_key": "key-one"}, map[string]any{"name": "two", "api_key": "key-two"},
				},
			}}},
		}}, nil, openaicompat.Factory(), balancer.Factory())
		w := r.ask(t.Context(), "/acme/v1/chat/completions", fmt.Sprintf(dialects[1].body, "m", false))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		r.stop()
		calls := r.of(trace.SpanKindClient)
		if len(calls) != 2 {
			t.Fatalf("%d spans of two calls", len(calls))
		}
		for i, want := range []struct {
			status, kind, tokens, resend string
			code                         codes.Code
			took                         time.Duration
		}{
			{"429", "429", "", "", codes.Error, time.Second},
			{"200", "", "4", "1", codes.Unset, 3 * time.Second},
		} {
			s := calls[i]
			if attr(s, "http.response.status_code") != want.status || attr(s, "error.type") != want.kind ||
				attr(s, "gen_ai.usage.output_tokens") != want.tokens || s.Status.Code != want.code ||
				attr(s, "http.request.resend_count") != want.resend || s.EndTime.Sub(s.StartTime) != want.took {
				t.Errorf("call %d took %v, %v: %v", i+1, s.EndTime.Sub(s.StartTime), s.Status, s.Attributes)
			}
		}
	})
}

// The time to the first event begins with the call, also where the upstream's header comes with that event.
func TestTimeToFirstChunk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, upstream(func(r *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Second)
			return long{3}.RoundTrip(r)
		}), nil)
		r.ask(t.Context(), "/claude/v1/messages", fmt.Sprintf(dialects[0].body, "claude-x", true))
		r.stop()
		points := histogram[float64](r, "gen_ai.client.operation.time_to_first_chunk")
		if len(points) != 1 || points[0].Sum != 5 {
			t.Errorf("time to the first chunk: %+v, want 5 s", points)
		}
		if s := r.of(trace.SpanKindClient); attr(s[0], "gen_ai.response.time_to_first_chunk") != "5" {
			t.Errorf("attributes %v", s[0].Attributes)
		}
	})
}

// A client that leaves while the upstream thinks has no status of the upstream's.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := startWith(t, upstream(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("connection refused")
		}), ccproxy.Settings{}, nil)
		r.ask(t.Context(), "/claude/v1/messages", fmt.Sprintf(dialects[0].body, "claude-x", false))
		r.stop()
		s := r.of(trace.SpanKindClient)[0]
		if attr(s, "http.response.status_code") != "" || s.Status.Code != codes.Error || attr(s, "error.type") == "502" {
			t.Errorf("%v: %v", s.Status, s.Attributes)
		}
	})
}

// What is no UTF-8 does not cost others their spans: a collector takes a message as a whole.
func TestTextsReachTheCollector(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	spans := 0
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var req collect.ExportTraceServiceRequest
		if r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &req) != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range req.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				spans += len(scope.GetSpans())
			}
		}
	}))
	defer collector.Close()
	turn := 0
	r := startWith(t, upstream(func(*http.Request) (*http.Response, error) {
		turn++
		switch turn {
		case 1:
			return answer(http.StatusBadRequest, refusal), nil
		case 2:
			return nil, errors.New("caf\xe9")
		}
		return answer(http.StatusOK, `{"id":"m","type":"message","role":"assistant","model":"caf`+"\xe9"+`","content":[],`+
			`"usage":{"input_tokens":1,"output_tokens":1}}`), nil
	}), ccproxy.Settings{}, func(c *otel.Config) {
		c.TracerProvider, c.MeterProvider = nil, nil
		c.Endpoint = ccproxy.NewSecret(collector.URL)
	})
	for range 3 {
		body := strings.NewReader(fmt.Sprintf(dialects[0].body, "claude-x", false))
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/claude/v1/messages", body)
		req.Header.Set("User-Agent", "caf\xe9/1.0")
		req.Header.Set("Session-Id", "caf\xe9")
		r.ServeHTTP(httptest.NewRecorder(), req)
	}
	r.stop()
	mu.Lock()
	defer mu.Unlock()
	if spans != 6 {
		t.Errorf("the collector has %d spans, want 6", spans)
	}
}

// Nobody makes spans long by long names.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	r := start(t, upstream(func(*http.Request) (*http.Response, error) {
		return answer(http.StatusNotFound, `{"type":"error","error":{"type":"not_found_error","message":"no"}}`), nil
	}), nil)
	name := strings.Repeat("x", 1<<20)
	body := strings.Replace(fmt.Sprintf(dialects[0].body, name, false), "{", `{"metadata":{"user_id":"`+name+`"},`, 1)
	r.ask(t.Context(), "/claude/v1/messages", body)
	r.stop()
	for _, s := range r.spans.GetSpans() {
		if len(s.Name) > 2<<10 {
			t.Errorf("a name has %d bytes", len(s.Name))
		}
		for _, kv := range s.Attributes {
			if n := len(kv.Value.String()); n > 2<<10 {
				t.Errorf("%s has %d bytes", kv.Key, n)
			}
		}
	}
}

// A collector that is down is told to the proxy's log, and to nobody else; its address to nobody at all.
func TestCollectorIsDown(t *testing.T) { //nolint:paralleltest // it looks at what is global
	var handled []error
	before := global.GetErrorHandler()
	global.SetErrorHandler(global.ErrorHandlerFunc(func(err error) { handled = append(handled, err) }))
	defer global.SetErrorHandler(before)
	var log bytes.Buffer
	var reg ccproxy.Registry
	if err := reg.Register(otel.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		otel.Name: {"enabled": true, "endpoint": "http://canary-user:canary-word@127.0.0.1:1/canary-path"},
	}}, ccproxy.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/nowhere", http.NoBody))
	err = proxy.Shutdown(t.Context())
	if err == nil || !strings.Contains(err.Error(), "collector") || strings.Contains(err.Error(), "canary") {
		t.Errorf("Shutdown = %v, want that the collector did not take all", err)
	}
	if len(handled) > 0 {
		t.Errorf("the global handler was given %v", handled)
	}
	if text := log.String(); strings.Count(text, "collector does not take") != 2 || strings.Contains(text, "canary") {
		t.Errorf("want a line for spans and one for metrics, and no address in:\n%s", text)
	}
}

// What the address says of who asks reaches the collector.
func TestCollectorPassword(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	known := make(map[string]bool)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		mu.Lock()
		defer mu.Unlock()
		known[user+" "+password] = true
	}))
	defer collector.Close()
	r := start(t, &ledger{}, func(c *otel.Config) {
		c.TracerProvider, c.MeterProvider = nil, nil
		c.Endpoint = ccproxy.NewSecret(strings.Replace(collector.URL, "http://", "http://me:p%40ss@", 1))
	})
	r.ask(t.Context(), "/claude/v1/messages", fmt.Sprintf(dialects[0].body, "claude-x", false))
	r.stop()
	mu.Lock()
	defer mu.Unlock()
	if len(known) != 1 || !known["me p@ss"] {
		t.Errorf("the collector was asked by %v", known)
	}
}

// Vertex AI has a host for each region.
func TestVertexAI(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"us-central1-aiplatform.googleapis.com": "gcp.vertex_ai", "aiplatform.googleapis.com": "gcp.vertex_ai",
		"generativelanguage.googleapis.com": "gcp.gemini", "my-openai.com": "openai", "api.x.ai": "x_ai",
		"notx.ai": "openai",
	} {
		r := startWith(t, upstream(func(*http.Request) (*http.Response, error) {
			return answer(http.StatusOK, chat), nil
		}), ccproxy.Settings{Plugins: map[string]map[string]any{
			openaicompat.Name: {"instances": map[string]any{"acme": map[string]any{
				"base_url": "https://" + host, "api_key": "k", "models": []any{"m"},
			}}},
		}}, nil, openaicompat.Factory())
		r.ask(t.Context(), "/acme/v1/chat/completions", fmt.Sprintf(dialects[1].body, "m", false))
		r.stop()
		if got := attr(r.of(trace.SpanKindClient)[0], "gen_ai.provider.name"); got != want {
			t.Errorf("%s is %s, want %s", host, got, want)
		}
	}
}
