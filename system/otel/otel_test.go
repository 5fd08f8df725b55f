package otel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/otel"
)

func TestPlugin(t *testing.T) { //nolint:paralleltest // it counts goroutines
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	plugintest.TestFactory(t, otel.Factory(), plugintest.Table(map[string]any{"endpoint": collector.URL}))
}

// rig is a proxy of Claude with the plugin, and what that has recorded.
type rig struct {
	*ccproxy.Proxy

	t      *testing.T
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
	stop   func()
}

func start(t *testing.T, tr http.RoundTripper, change func(*otel.Config)) *rig {
	t.Helper()
	retries := ccproxy.Retries{RetryPolicy: ccproxy.RetryPolicy{Max: 1}}
	return startWith(t, tr, ccproxy.Settings{Retries: retries}, change)
}

// startWith is start with settings, and with more plugins.
func startWith(
	t *testing.T, tr http.RoundTripper, settings ccproxy.Settings, change func(*otel.Config), more ...ccproxy.Factory,
) *rig {
	t.Helper()
	r := &rig{t: t, spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	cfg := otel.DefaultConfig()
	cfg.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans))
	cfg.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	if change != nil {
		change(cfg)
	}
	var reg ccproxy.Registry
	if err := reg.Register(append(more, otel.Factory(), claudeapi.Factory())...); err != nil {
		t.Fatal(err)
	}
	plugins := map[string]map[string]any{
		otel.Name: {"enabled": true}, claudeapi.Name: {"api_key": "upstream-canary-1234"},
	}
	maps.Copy(plugins, settings.Plugins)
	settings.Plugins = plugins
	var err error
	r.Proxy, err = reg.Build(settings, ccproxy.WithTransport(tr), ccproxy.WithStrictStart(), ccproxy.WithPluginConfig(otel.Name, *cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.stop = sync.OnceFunc(func() {
		if err := r.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

const traceID, parentID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

func (r *rig) ask(ctx context.Context, path, body string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Traceparent", "00-"+traceID+"-"+parentID+"-01")
	req.Header.Set("Tracestate", "vendor=1")
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

// of returns the spans of a kind. The proxy has to be stopped.
func (r *rig) of(kind trace.SpanKind) (found []tracetest.SpanStub) {
	for _, s := range r.spans.GetSpans() {
		if s.SpanKind == kind {
			found = append(found, s)
		}
	}
	return found
}

func attr(s tracetest.SpanStub, key string) string {
	for _, kv := range s.Attributes {
		if string(kv.Key) == key {
			return kv.Value.String()
		}
	}
	return ""
}

// dialects are what clients speak.
var dialects = []struct{ name, path, body string }{
	{"messages", "/v1/messages", `{"model":%q,"stream":%t,"max_tokens":9,"messages":[{"role":"user","content":"a question"}]}`},
	{"chat", "/v1/chat/completions", `{"model":%q,"stream":%t,"messages":[{"role":"user","content":"a question"}]}`},
	{"responses", "/v1/responses", `{"model":%q,"stream":%t,"input":"a question"}`},
}

// seen remembers the headers that an upstream was sent.
type seen struct {
	http.RoundTripper

	mu      sync.Mutex
	headers []http.Header
}

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.headers = append(s.headers, r.Header.Clone())
	s.mu.Unlock()
	return s.RoundTripper.RoundTrip(r)
}

func TestSpansOfARequest(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(d.name, stream), func(t *testing.T) {
				t.Parallel()
				up := &seen{RoundTripper: &ledger{}}
				r := start(t, up, nil)
				w := r.ask(t.Context(), "/claude"+d.path, fmt.Sprintf(d.body, "claude-x", stream))
				r.stop()
				servers, clients := r.of(trace.SpanKindServer), r.of(trace.SpanKindClient)
				if w.Code != http.StatusOK || len(servers) != 1 || len(clients) != 1 {
					t.Fatalf("%d, %d and %d spans", w.Code, len(servers), len(clients))
				}
				server, client := servers[0], clients[0]
				if server.Parent.SpanID().String() != parentID || server.SpanContext.TraceID().String() != traceID ||
					client.Parent.SpanID() != server.SpanContext.SpanID() {
					t.Errorf("parents: %v of %v", server.Parent, client.Parent)
				}
				want := "00-" + traceID + "-" + client.SpanContext.SpanID().String() + "-01"
				if got := up.headers[0].Get("Traceparent"); got != want {
					t.Errorf("the upstream was sent %q, want %q", got, want)
				}
				if server.Name != "POST /claude"+d.path || client.Name != "chat claude-x" {
					t.Errorf("names %q, %q", server.Name, client.Name)
				}
				got := map[string]string{}
				for _, kv := range client.Attributes {
					got[string(kv.Key)] = kv.Value.String()
				}
				delete(got, "gen_ai.response.time_to_first_chunk")
				tokens := map[bool]string{true: "9", false: "32000"}[d.name == "messages"] // Claude has to be told a number
				if diff := cmp.Diff(map[string]string{
					"gen_ai.request.max_tokens": tokens,
					"gen_ai.operation.name":     "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-x",
					"gen_ai.request.stream": fmt.Sprint(stream), "ccproxy.provider": "claude",
					"server.address": "api.anthropic.com", "server.port": "443", "http.response.status_code": "200",
					"gen_ai.usage.input_tokens": "8", "gen_ai.usage.output_tokens": "3", "gen_ai.response.model": "claude-x",
					"gen_ai.usage.cache_read.input_tokens": "1", "gen_ai.usage.cache_creation.input_tokens": "1",
				}, got); diff != "" {
					t.Errorf("attributes (-want +got):\n%s", diff)
				}
				if client.Status.Code != codes.Unset || server.Status.Code != codes.Unset {
					t.Errorf("status %v, %v", server.Status, client.Status)
				}
				if client.EndTime.After(server.EndTime) || client.StartTime.Before(server.StartTime) {
					t.Error("the call is not within the request")
				}
			})
		}
	}
}

// ledger is an upstream that says how many tokens each answer cost, and adds them up.
type ledger struct {
	n                               int
	input, output, failed, answered int64
}

// RoundTrip answers each fifth request with an error, and cuts each seventh stream.
func (l *ledger) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct{ Stream bool }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	l.n++
	if l.n%5 == 0 {
		l.failed++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.WriteString(`{"type":"error","error":{"type":"invalid_request_error","message":"no"}}`)
		return w.Result(), nil
	}
	in, out, read, write := int64(l.n*5+1), int64(l.n*2+1), int64(l.n%4), int64(l.n%3)
	l.input += in + read + write
	usage := fmt.Sprintf(`"input_tokens":%d,"cache_read_input_tokens":%d,"cache_creation_input_tokens":%d`, in, read, write)
	if !asked.Stream {
		l.output += out
		l.answered++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"m","type":"message","role":"assistant","model":"claude-x","stop_reason":"end_turn",`+
			`"content":[{"type":"text","text":"an answer"}],"usage":{%s,"output_tokens":%d}}`, usage, out)
		return w.Result(), nil
	}
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(kind, rest string) { fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, rest) }
	event("message_start", fmt.Sprintf(`,"message":{"id":"m","type":"message","role":"assistant","model":"claude-x",`+
		`"content":[],"usage":{%s,"output_tokens":1}}`, usage))
	event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"an answer"}`)
	if l.n%7 == 0 {
		l.failed++
		l.output++ // as far as it said
		return w.Result(), nil
	}
	event("content_block_stop", `,"index":0`)
	event("message_delta", fmt.Sprintf(`,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":%d}`, out))
	event("message_stop", "")
	l.output += out
	l.answered++
	return w.Result(), nil
}

// What the upstream declared is what is measured, in every dialect, whole and streamed, well and not.
func TestLedger(t *testing.T) {
	t.Parallel()
	up := &ledger{}
	r := start(t, up, nil)
	const rounds = 60
	for n := range rounds {
		for _, d := range dialects {
			r.ask(t.Context(), "/claude"+d.path, fmt.Sprintf(d.body, "claude-x", n%2 == 0))
		}
	}
	r.stop()
	var input, output, spanInput, spanOutput, failed, bad int64
	for _, p := range histogram[int64](r, "gen_ai.client.token.usage") {
		switch kind, _ := p.Attributes.Value("gen_ai.token.type"); kind.AsString() {
		case "input":
			input += p.Sum
		case "output":
			output += p.Sum
		}
	}
	clients := r.of(trace.SpanKindClient)
	for _, s := range clients {
		for _, kv := range s.Attributes {
			switch kv.Key {
			case "gen_ai.usage.input_tokens":
				spanInput += kv.Value.AsInt64()
			case "gen_ai.usage.output_tokens":
				spanOutput += kv.Value.AsInt64()
			}
		}
		if s.Status.Code == codes.Error && attr(s, "error.type") != "" {
			failed++
		}
	}
	var calls uint64
	for _, p := range histogram[float64](r, "gen_ai.client.operation.duration") {
		calls += p.Count
		if p.Attributes.HasValue("error.type") {
			bad += int64(p.Count)
		}
	}
	type sums struct{ Input, Output, SpanInput, SpanOutput, Failed, Bad, Calls, Spans, Requests int64 }
	want := sums{
		up.input, up.output, up.input, up.output, up.failed, up.failed, int64(up.n), int64(up.n), rounds * 3,
	}
	got := sums{
		input, output, spanInput, spanOutput, failed, bad, int64(calls), int64(len(clients)),
		int64(len(r.of(trace.SpanKindServer))),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-declared +measured):\n%s", diff)
	}
}

// histogram are the points of a metric.
func histogram[N int64 | float64](r *rig, name string) []metricdata.HistogramDataPoint[N] {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		r.t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[N]); ok && m.Name == name {
				return h.DataPoints
			}
		}
	}
	return nil
}

func TestStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		gone           bool
		up             func(*providertest.Upstream)
		stream         bool
		server, client codes.Code
		serverKind     string
		clientKind     string
	}{
		{
			name: "bad request", up: func(u *providertest.Upstream) {
				u.Enqueue(providertest.Error(400, "invalid_request_error", "no", nil))
			},
			server: codes.Unset, client: codes.Error, serverKind: "invalid_request_error", clientKind: "400",
		},
		{
			name: "overloaded", up: func(u *providertest.Upstream) {
				for range 10 {
					u.Enqueue(providertest.Error(529, "overloaded_error", "no", nil))
				}
			},
			server: codes.Error, client: codes.Error, serverKind: "overloaded_error", clientKind: "529",
		},
		{
			name: "cut", stream: true, up: func(u *providertest.Upstream) {
				u.Enqueue(providertest.CutAfter(450, providertest.Message("an answer that is cut off somewhere")))
			},
			server: codes.Error, client: codes.Error, serverKind: "*", clientKind: "*",
		},
		{
			name: "client gone", gone: true, up: func(*providertest.Upstream) {},
			server: codes.Unset, client: codes.Error, serverKind: "client_gone", clientKind: "*",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var up providertest.Upstream
			defer up.Close()
			tt.up(&up)
			tr := up.Transport()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.gone {
				tr = hanging{cancel}
			}
			r := start(t, tr, nil)
			r.ask(ctx, "/claude/v1/messages", fmt.Sprintf(dialects[0].body, "claude-x", tt.stream))
			r.stop()
			servers, clients := r.of(trace.SpanKindServer), r.of(trace.SpanKindClient)
			if len(servers) != 1 || len(clients) == 0 {
				t.Fatalf("%d and %d spans", len(servers), len(clients))
			}
			server, client := servers[0], clients[len(clients)-1]
			if server.Status.Code != tt.server || client.Status.Code != tt.client {
				t.Errorf("status %v and %v", server.Status, client.Status)
			}
			for kind, got := range map[string]string{
				tt.serverKind: attr(server, "error.type"), tt.clientKind: attr(client, "error.type"),
			} {
				if got != kind && (kind != "*" || got == "") {
					t.Errorf("error.type %q, want %q", got, kind)
				}
			}
		})
	}
}

// TestRetries holds that each call has a span of its own, which the upstream is told.
func TestRetries(t *testing.T) {
	t.Parallel()
	var fake providertest.Upstream
	defer fake.Close()
	fake.Enqueue(providertest.Error(529, "overloaded_error", "no", nil), providertest.Message("an answer"))
	up := &seen{RoundTripper: fake.Transport()}
	r := start(t, up, nil)
	w := r.ask(t.Context(), "/claude/v1/messages", fmt.Sprintf(dialects[0].body, "claude-x", false))
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r.stop()
	clients := r.of(trace.SpanKindClient)
	if len(clients) != 2 || clients[0].Status.Code != codes.Error || clients[1].Status.Code != codes.Unset {
		t.Fatalf("%d spans: %v", len(clients), clients)
	}
	for i, s := range clients {
		if got := up.headers[i].Get("Traceparent"); !strings.Contains(got, s.SpanContext.SpanID().String()) {
			t.Errorf("call %d was sent %q, want its own span", i+1, got)
		}
	}
	if attr(clients[0], "error.type") != "529" || attr(clients[1], "http.request.resend_count") != "1" ||
		attr(clients[0], "gen_ai.usage.input_tokens") != "" {
		t.Errorf("attributes %v\nand %v", clients[0].Attributes, clients[1].Attributes)
	}
}

// hanging is an upstream whose client goes away while it thinks.
type hanging struct{ leave func() }

func (h hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	h.leave()
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func TestContentIsOffByDefault(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		for _, stream := range []bool{false, true} {
			for _, limit := range []int{0, 64, 4096} { // 0 is off
				t.Run(fmt.Sprint(d.name, stream, limit), func(t *testing.T) {
					t.Parallel()
					r := start(t, &ledger{}, func(c *otel.Config) {
						if limit > 0 {
							c.CaptureContent, c.MaxContentSize = true, limit
						}
					})
					r.ask(t.Context(), "/claude"+d.path, fmt.Sprintf(d.body, "claude-x", stream))
					r.stop()
					client := r.of(trace.SpanKindClient)[0]
					input, output := attr(client, "gen_ai.input.messages"), attr(client, "gen_ai.output.messages")
					wantInput, wantOutput := "", ""
					if limit == 4096 {
						wantInput = `[{"role":"user","parts":[{"type":"text","content":"a question"}]}]`
						wantOutput = `[{"role":"assistant","parts":[{"type":"text","content":"an answer"}],"finish_reason":"stop"}]`
					}
					if input != wantInput || output != wantOutput {
						t.Errorf("input %q, output %q", input, output)
					}
					text := fmt.Sprint(r.spans.GetSpans())
					if limit == 0 && (strings.Contains(text, "a question") || strings.Contains(text, "an answer")) {
						t.Errorf("content in %s", text)
					}
					if at := providertest.FindSecret(text, "upstream-canary-1234"); at != "" {
						t.Errorf("a secret (%s) in %s", at, text)
					}
				})
			}
		}
	}
}

// Clients that make up models make no metrics; clients that reuse ids end each span once.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	r := start(t, &ledger{}, func(c *otel.Config) { c.MaxModels = 3 })
	var wg sync.WaitGroup
	var mu sync.Mutex // the upstream is not for several
	for n := range 40 {
		wg.Go(func() {
			body := fmt.Sprintf(dialects[0].body, fmt.Sprint("model-", n), n%2 == 0)
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/claude/v1/messages", strings.NewReader(body))
			req.Header.Set("X-Request-Id", "same")
			if n%4 == 0 {
				mu.Lock()
				defer mu.Unlock()
			} else {
				req.URL.Path = "/nowhere"
			}
			r.ServeHTTP(httptest.NewRecorder(), req)
		})
	}
	wg.Wait()
	r.stop()
	if n := len(r.of(trace.SpanKindServer)); n != 40 {
		t.Errorf("%d spans of requests, want 40", n)
	}
	models := make(map[attribute.Value]bool)
	for _, p := range histogram[float64](r, "gen_ai.client.operation.duration") {
		v, _ := p.Attributes.Value("gen_ai.request.model")
		models[v] = true
	}
	if len(models) > 4 {
		t.Errorf("metrics of %d models", len(models))
	}
}

// TestCollector sends both signals to a collector, and shows its address and key nowhere.
func TestCollector(t *testing.T) {
	t.Parallel()
	var traces, metrics, keys atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/base/v1/traces":
			traces.Add(1)
		case "/base/v1/metrics":
			metrics.Add(1)
		}
		if r.Header.Get("X-Key") == "collector-canary-99" {
			keys.Add(1)
		}
	}))
	defer collector.Close()
	r := start(t, &ledger{}, func(c *otel.Config) {
		c.TracerProvider, c.MeterProvider = nil, nil
		c.Endpoint = ccproxy.NewSecret(collector.URL + "/base")
		c.Headers = map[string]ccproxy.Secret{"X-Key": ccproxy.NewSecret("collector-canary-99")}
	})
	r.ask(t.Context(), "/claude/v1/messages", fmt.Sprintf(dialects[0].body, "claude-x", false))
	r.stop()
	if traces.Load() == 0 || metrics.Load() == 0 || keys.Load() != traces.Load()+metrics.Load() {
		t.Errorf("%d exports of spans, %d of metrics, %d with the key", traces.Load(), metrics.Load(), keys.Load())
	}
}

func TestBadEndpoint(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(otel.Factory()); err != nil {
		t.Fatal(err)
	}
	_, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		otel.Name: {"enabled": true, "endpoint": "ftp://canary-user@x"},
	}})
	if err == nil || !strings.Contains(err.Error(), "plugins.otel.endpoint") || strings.Contains(err.Error(), "canary") {
		t.Errorf("Build = %v, want an error that names the key and shows no address", err)
	}
}

// long is an upstream of streams with n events of text.
type long struct{ n int }

func (l long) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = w.WriteString("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\"," +
		"\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n")
	for range l.n {
		_, _ = w.WriteString("event: ping\ndata: {\"type\":\"ping\"}\n\n")
	}
	_, _ = w.WriteString("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
	return w.Result(), nil
}

// TestEventsCostNothing holds that the length of a stream makes no allocations of the plugin's.
func TestEventsCostNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun forbids it
	if testing.Short() {
		t.Skip("it measures many streams")
	}
	measure := func(n int, change func(*otel.Config)) float64 {
		r := start(t, long{n}, change)
		defer r.stop()
		body := fmt.Sprintf(dialects[0].body, "claude-x", true)
		least := 1e9
		for range 5 {
			least = min(least, testing.AllocsPerRun(5, func() { r.ask(t.Context(), "/claude/v1/messages", body) }))
		}
		return least
	}
	const events = 4000
	short, whole := measure(10, nil), measure(10+events, nil)
	if per := (whole - short) / events; per > 0.05 {
		t.Errorf("%.3f allocations for each event (%v for 10, %v for %d)", per, short, whole, 10+events)
	}
}
