package metrics_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/metrics"
)

func TestPlugin(t *testing.T) { //nolint:paralleltest // it counts goroutines
	plugintest.TestFactory(t, metrics.Factory())
}

// start runs a proxy of the plugin with others.
func start(t *testing.T, tables map[string]map[string]any, opts []ccproxy.Option, more ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	return run(t, ccproxy.Settings{Plugins: tables}, opts, more...)
}

// run is start with settings.
func run(t *testing.T, s ccproxy.Settings, opts []ccproxy.Option, more ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(append(more, metrics.Factory())...); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{metrics.Name: {"enabled": true}}
	maps.Copy(all, s.Plugins)
	s.Plugins = all
	proxy, err := reg.Build(s, append(opts, ccproxy.WithStrictStart())...)
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

func ask(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return w
}

// scrape returns the samples of /metrics by name and labels.
func scrape(t *testing.T, h http.Handler) map[string]float64 {
	t.Helper()
	synctest.Wait() // every event so far has been counted
	w := ask(t, h, http.MethodGet, "/metrics", "")
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics: %d %s", w.Code, w.Body)
	}
	samples := make(map[string]float64)
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		if i := strings.LastIndex(line, "} "); i >= 0 {
			name, value = line[:i+1], line[i+2:]
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		samples[name] = v
	}
	return samples
}

// sum adds up the samples of a metric whose labels hold a text.
func sum(samples map[string]float64, metric, with string) (total float64) {
	for name, v := range samples {
		if strings.HasPrefix(name, metric+"{") && strings.Contains(name, with) {
			total += v
		}
	}
	return total
}

// dialects are what clients speak.
var dialects = []struct{ path, body string }{
	{"/v1/messages", `{"model":%q,"stream":%t,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`},
	{"/v1/chat/completions", `{"model":%q,"stream":%t,"messages":[{"role":"user","content":"hi"}]}`},
	{"/v1/responses", `{"model":%q,"stream":%t,"input":"hi"}`},
}

// ledger is an upstream that says how many tokens each answer cost, and adds them up.
type ledger struct {
	n                               int
	input, output, read, write, bad float64
}

// RoundTrip answers each fifth request with an error, and cuts each seventh stream.
func (l *ledger) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct{ Stream bool }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	time.Sleep(100 * time.Millisecond) // of the bubble
	w := httptest.NewRecorder()
	l.n++
	if l.n%5 == 0 {
		l.bad++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.WriteString(`{"type":"error","error":{"type":"invalid_request_error","message":"no"}}`)
		return w.Result(), nil
	}
	in, out, read, write := l.n*3+1, l.n*2+1, l.n%4, l.n%3
	l.input, l.read, l.write = l.input+float64(in), l.read+float64(read), l.write+float64(write)
	usage := fmt.Sprintf(`"input_tokens":%d,"cache_read_input_tokens":%d,"cache_creation_input_tokens":%d`, in, read, write)
	if !asked.Stream {
		l.output += float64(out)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"m","type":"message","role":"assistant","model":"claude-x","stop_reason":"end_turn",`+
			`"content":[{"type":"text","text":"hello"}],"usage":{%s,"output_tokens":%d}}`, usage, out)
		return w.Result(), nil
	}
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(kind, rest string) { fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, rest) }
	event("message_start", fmt.Sprintf(`,"message":{"id":"m","type":"message","role":"assistant","model":"claude-x",`+
		`"content":[],"usage":{%s,"output_tokens":1}}`, usage))
	event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"hello"}`)
	if l.n%7 == 0 {
		l.bad++
		l.output++ // as far as it said
		return w.Result(), nil
	}
	event("content_block_stop", `,"index":0`)
	event("message_delta", fmt.Sprintf(`,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":%d}`, out))
	event("message_stop", "")
	l.output += float64(out)
	return w.Result(), nil
}

// What the upstream declared is what is counted, in every dialect, whole and streamed, well and not.
func TestTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := &ledger{}
		proxy := start(t, map[string]map[string]any{claudeapi.Name: {"api_key": "k"}},
			[]ccproxy.Option{ccproxy.WithTransport(up)}, claudeapi.Factory())
		const rounds = 100
		for n := range rounds {
			for _, d := range dialects {
				ask(t, proxy, http.MethodPost, "/claude"+d.path, fmt.Sprintf(d.body, "claude-x", n%2 == 0))
			}
		}
		got := scrape(t, proxy)
		const who = `model="claude-x",service_type="claude"`
		want := map[string]float64{"input": up.input, "output": up.output, "cache_read": up.read, "cache_write": up.write}
		counted := make(map[string]float64)
		for kind := range want {
			counted[kind] = sum(got, "ccproxy_tokens_total", fmt.Sprintf(`model="claude-x",service_type="claude",type=%q`, kind))
		}
		if diff := cmp.Diff(want, counted); diff != "" {
			t.Errorf("tokens (-declared +counted):\n%s", diff)
		}
		if n := sum(got, "ccproxy_requests_total", `service_type="claude"`); n != rounds*3 || up.n != rounds*3 {
			t.Errorf("%v requests, the upstream saw %d", n, up.n)
		}
		if n := sum(got, "ccproxy_errors_total", ""); n != up.bad {
			t.Errorf("%v errors, want %v", n, up.bad)
		}
		for metric, n := range map[string]float64{
			"ccproxy_response_duration_seconds_count": rounds * 3, "ccproxy_upstream_latency_seconds_count": rounds * 3,
		} {
			if got := sum(got, metric, `service_type="claude"`); got != n {
				t.Errorf("%s = %v, want %v", metric, got, n)
			}
		}
		if sum(got, "ccproxy_time_to_first_token_seconds_count", who) == 0 || sum(got, "ccproxy_inter_token_gap_seconds_count", "") == 0 {
			t.Error("no time to the first token, or between tokens")
		}
		if got["ccproxy_active_streams"] != 0 || got["ccproxy_active_requests"] != 1 { // the one that asks
			t.Errorf("%v streams, %v requests are under way", got["ccproxy_active_streams"], got["ccproxy_active_requests"])
		}
	})
}

// Clients that make up paths and models make no series.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	requests := 100_000
	if testing.Short() || raceDetector {
		requests = 5_000 // the bound is reached long before
	}
	synctest.Test(t, func(t *testing.T) {
		proxy := start(t, nil, nil, echo.Factory())
		for n := range requests {
			switch d := dialects[n%3]; n % 4 {
			case 0:
				ask(t, proxy, fmt.Sprint("M", n), fmt.Sprintf("/%d/%d?x=%d", n, n%7, n), "")
			case 1:
				ask(t, proxy, http.MethodGet, fmt.Sprint("/echo/v1/", n), "")
			default:
				mount := [2]string{"/echo", ""}[n/12%2] // its own routes, and those of all providers
				ask(t, proxy, http.MethodPost, mount+d.path, fmt.Sprintf(d.body, fmt.Sprint("model-", n), n%2 == 0))
			}
			if n%1000 == 0 {
				synctest.Wait()
			}
		}
		got := scrape(t, proxy)
		models := make(map[string]bool)
		for name := range got {
			if _, rest, ok := strings.Cut(name, `model="`); ok {
				model, _, _ := strings.Cut(rest, `"`)
				models[model] = true
			}
		}
		t.Logf("%d series of %d models after %d requests", len(got), len(models), requests)
		if len(got) >= 2000 || len(models) != 10+len([]string{"other", "none"}) {
			t.Errorf("models: %v", slices.Sorted(maps.Keys(models)))
		}
		if n := sum(got, "ccproxy_requests_total", ""); n != float64(requests) {
			t.Errorf("%v requests were counted, want %d", n, requests)
		}
		if n := got[`ccproxy_hook_drops_total{plugin="metrics"}`]; n != 0 {
			t.Errorf("%v events were dropped", n)
		}
	})
}

// As many models as have series, asked for in every way, stay within what the package promises.
func TestSeriesOfEveryWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := start(t, nil, nil, echo.Factory())
		for n := range 12 {
			for _, d := range dialects {
				for _, mount := range []string{"/echo", ""} {
					for _, stream := range []bool{true, false} {
						ask(t, proxy, http.MethodPost, mount+d.path, fmt.Sprintf(d.body, fmt.Sprint("model-", n), stream))
					}
				}
			}
		}
		if n := len(scrape(t, proxy)); n >= 2000 {
			t.Errorf("%d series, want less than 2000", n)
		} else {
			t.Log(n, "series")
		}
	})
}

// An application that exposes metrics of its own gets the plugin's as well, as long as it runs.
func TestRegisterer(t *testing.T) {
	t.Parallel()
	own := prometheus.NewRegistry()
	cfg := metrics.DefaultConfig()
	cfg.Registerer, cfg.Endpoint, cfg.Namespace = own, false, "llm"
	var reg ccproxy.Registry
	if err := reg.Register(metrics.Factory()); err != nil {
		t.Fatal(err)
	}
	settings := ccproxy.Settings{Plugins: map[string]map[string]any{metrics.Name: {"enabled": true}}}
	proxy, err := reg.Build(settings, ccproxy.WithPluginConfig(metrics.Name, *cfg), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := ask(t, proxy, http.MethodGet, "/metrics", ""); w.Code != http.StatusNotFound {
		t.Errorf("/metrics: %d, want none", w.Code)
	}
	if n, err := testutil.GatherAndCount(own, "llm_up", "llm_info", "llm_plugin_up"); n != 3 || err != nil {
		t.Errorf("%d metrics, %v", n, err)
	}
	if err := proxy.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(own); n != 0 || err != nil {
		t.Errorf("after the end: %d metrics, %v", n, err)
	}
}

// A proxy that takes the place of another starts before that one ends: the application has the metrics of one of them
// at any moment.
func TestRegistererIsHandedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		own := prometheus.NewRegistry()
		cfg := metrics.DefaultConfig()
		cfg.Registerer = prometheus.WrapRegistererWith(prometheus.Labels{"proxy": "a"}, own)
		next := func() *ccproxy.Proxy {
			var reg ccproxy.Registry
			if err := reg.Register(metrics.Factory()); err != nil {
				t.Fatal(err)
			}
			settings := ccproxy.Settings{Plugins: map[string]map[string]any{metrics.Name: {"enabled": true}}}
			proxy, err := reg.Build(settings, ccproxy.WithPluginConfig(metrics.Name, *cfg), ccproxy.WithStrictStart())
			if err != nil {
				t.Fatal(err)
			}
			return proxy
		}
		var h ccproxy.Handle
		for i := range 3 {
			if err := h.Swap(t.Context(), next()); err != nil {
				t.Fatalf("swap %d: %v", i, err)
			}
			time.Sleep(time.Second)
			if n, err := testutil.GatherAndCount(own, "ccproxy_up"); n != 1 || err != nil {
				t.Errorf("after swap %d: %d metrics, %v", i, n, err)
			}
		}
		if err := h.Swap(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if n, err := testutil.GatherAndCount(own); n != 0 || err != nil {
			t.Errorf("after the end: %d metrics, %v", n, err)
		}
	})
}

// pushed is a Pushgateway.
type pushed struct {
	paths  []string
	bodies []string
	status int
}

func (p *pushed) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	p.paths, p.bodies = append(p.paths, r.Method+" "+r.URL.Path), append(p.bodies, string(body))
	w := httptest.NewRecorder()
	w.WriteHeader(p.status)
	return w.Result(), nil
}

// Figures are pushed in intervals and once more at the end; an error does not tell the address, which may hold a
// password.
func TestPush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gateway := &pushed{status: http.StatusOK}
		var reg ccproxy.Registry
		if err := reg.Register(metrics.Factory()); err != nil {
			t.Fatal(err)
		}
		settings := ccproxy.Settings{Plugins: map[string]map[string]any{metrics.Name: {
			"enabled": true, "pushgateway_url": "https://me:hidden-word@push.test", "pushgateway_push_interval": "10s",
		}}}
		proxy, err := reg.Build(settings, ccproxy.WithTransport(gateway), ccproxy.WithStrictStart())
		if err != nil {
			t.Fatal(err)
		}
		if err := proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(t, 65)
		if n := len(gateway.paths); n < 4 || n > 8 || gateway.paths[0] != "PUT /metrics/job/ccproxy" {
			t.Errorf("pushed %v", gateway.paths)
		}
		gateway.status = http.StatusInternalServerError
		err = proxy.Shutdown(t.Context())
		if err == nil || strings.Contains(err.Error(), "hidden-word") || strings.Contains(err.Error(), "push.test") {
			t.Errorf("Shutdown = %v", err)
		}
	})
}

// Mistakes are told when the proxy is built.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		table map[string]any
		want  string
	}{
		{"namespace", map[string]any{"namespace": "my metrics"}, "plugins.metrics.namespace"},
		{"order of buckets", map[string]any{"histogram_buckets": []float64{1, 0.5}}, "plugins.metrics.histogram_buckets"},
		{"equal buckets", map[string]any{"histogram_buckets": []float64{1, 1}}, "plugins.metrics.histogram_buckets"},
		{"no buckets", map[string]any{"histogram_buckets": []float64{}}, "histogram_buckets"},
		{"models", map[string]any{"max_models": -1}, "max_models"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg ccproxy.Registry
			if err := reg.Register(metrics.Factory()); err != nil {
				t.Fatal(err)
			}
			tt.table["enabled"] = true
			_, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{metrics.Name: tt.table}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Build = %v, want an error about %s", err, tt.want)
			}
		})
	}
}
