package analytics_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/analytics"
)

// build makes a proxy of the plugin and echo.
func build(
	t *testing.T, table map[string]any, s ccproxy.Settings, more ...ccproxy.Factory,
) (*ccproxy.Proxy, error) {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(append(more, analytics.Factory(), echo.Factory())...); err != nil {
		t.Fatal(err)
	}
	table["enabled"] = true
	s.Plugins = map[string]map[string]any{analytics.Name: table}
	return reg.Build(s, ccproxy.WithStrictStart())
}

func start(t *testing.T, table map[string]any, s ccproxy.Settings, more ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	proxy, err := build(t, table, s, more...)
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return proxy
}

// generate sends a request of a dialect to echo, for a model.
func generate(proxy http.Handler, path, model string) {
	body := fmt.Sprintf(`{"model":%q,"max_tokens":9,"messages":[{"role":"user","content":"Hello you"}]}`, model)
	if strings.HasSuffix(path, "/responses") {
		body = fmt.Sprintf(`{"model":%q,"input":"Hello you"}`, model)
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer s3Qy-9wPz-Lm4v-Rt7x")
	proxy.ServeHTTP(httptest.NewRecorder(), r)
}

// call asks a route and decodes its JSON.
func call(t *testing.T, proxy http.Handler, method, target string) (status int, answer map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, http.NoBody)
	r.Header.Set("Authorization", "Bearer s3Qy-9wPz-Lm4v-Rt7x")
	proxy.ServeHTTP(w, r)
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s %s: %v in %s", method, target, err, w.Body)
		}
	}
	return w.Code, answer
}

// recorded waits until there are n records.
func recorded(t *testing.T, proxy http.Handler, n int) {
	t.Helper()
	for {
		status, answer := call(t, proxy, "GET", "/logs/query?limit=10000")
		if count, _ := answer["count"].(float64); status == 200 && int(count) >= n {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal("records do not come")
		case <-time.After(10 * time.Millisecond): // batches are written when their time has come
		}
	}
}

func dig(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

//nolint:paralleltest,tparallel // its parts come one after the other, on the same records
func TestRoutes(t *testing.T) {
	t.Parallel()
	proxy := start(t, map[string]any{"reset_enabled": true, "flush_interval": "20ms"}, ccproxy.Settings{
		Security: ccproxy.Security{Keys: []ccproxy.APIKey{
			{Name: "alice", Value: ccproxy.NewSecret("s3Qy-9wPz-Lm4v-Rt7x")},
		}},
	})
	for i, path := range []string{"/echo/v1/messages", "/echo/v1/chat/completions", "/echo/v1/responses"} {
		generate(proxy, path, fmt.Sprintf("m-%d", i))
	}
	generate(proxy, "/nowhere", "m-3")
	recorded(t, proxy, 4)

	t.Run("query", func(t *testing.T) {
		status, page := call(t, proxy, "GET", "/logs/query?order=asc")
		results, _ := page["results"].([]any)
		if status != 200 || len(results) != 4 || page["has_more"] != false || page["backend"] != "memory" {
			t.Fatalf("answer = %d %v", status, page)
		}
		got := make(map[string]any)
		for _, name := range []string{
			"caller", "client_format", "endpoint", "model", "provider", "service_type", "status_code", "outcome",
			"tokens_input", "tokens_output", "cost_usd", "streaming", "method",
		} {
			got[name] = dig(results[0], name)
		}
		want := map[string]any{
			"caller": "alice", "client_format": "anthropic.messages", "endpoint": "/echo/v1/messages", "model": "m-0",
			"provider": "echo", "service_type": "echo", "status_code": 200.0, "outcome": "success", "tokens_input": 3.0,
			"tokens_output": 3.0, "cost_usd": nil, "streaming": false, "method": "POST",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
		if dig(results[3], "status_code") != 404.0 || dig(results[3], "outcome") != "error" {
			t.Errorf("record of a request for nothing = %v", results[3])
		}
	})
	t.Run("pages", func(t *testing.T) { testPages(t, proxy) })
	t.Run("filters", func(t *testing.T) {
		for query, want := range map[string]float64{
			"model=m-1": 1, "model=m-0,m-2": 2, "model=!m-0,!m-1": 2, "provider=echo": 3, "service_type=!echo": 1,
			"caller=alice": 4, "caller=bob": 0, "status=404": 1, "status=2xx": 3, "status=5xx": 0,
			"status_code_min=300": 1, "status_code_max=300": 3, "outcome=error": 1, "outcome=!error": 3,
			"start_time=4000000000": 0, "end_time=2001-01-01T00:00:00Z": 0, "start_time=1000000000.5": 4,
			"min_duration_ms=100000": 0, "max_duration_ms=100000": 4, "session=none": 0, "account=none": 0,
		} {
			if _, page := call(t, proxy, "GET", "/logs/query?"+query); page["count"] != want {
				t.Errorf("%s finds %v, want %v", query, page["count"], want)
			}
		}
	})
	t.Run("analytics", func(t *testing.T) { testSums(t, proxy) })
	t.Run("wrong parameters", func(t *testing.T) { testWrongParameters(t, proxy) })
	t.Run("reset", func(t *testing.T) {
		generate(proxy, "/echo/v1/messages", "m-5")
		recorded(t, proxy, 5)
		status, answer := call(t, proxy, "POST", "/logs/reset")
		if status != 200 || answer["status"] != "success" || answer["deleted"] != 5.0 {
			t.Errorf("reset = %d %v", status, answer)
		}
		if _, page := call(t, proxy, "GET", "/logs/query"); page["count"] != 0.0 {
			t.Errorf("%v records after the reset", page["count"])
		}
	})
}

func testPages(t *testing.T, proxy http.Handler) {
	t.Helper()
	for _, order := range []string{"asc", "desc"} {
		var models []any
		target := "/logs/query?limit=1&order=" + order
		next := ""
		for range 10 {
			status, page := call(t, proxy, "GET", target+next)
			results, _ := page["results"].([]any)
			if status != 200 || len(results) != 1 {
				t.Fatalf("page = %d %v", status, page)
			}
			models = append(models, dig(results[0], "model"))
			cursor, more := page["next_cursor"].(string)
			if more != (page["has_more"] == true) {
				t.Errorf("has_more = %v with next_cursor %v", page["has_more"], page["next_cursor"])
			}
			if !more {
				break
			}
			next = "&cursor=" + url.QueryEscape(cursor)
		}
		want := []any{"m-0", "m-1", "m-2", nil}
		if order == "desc" {
			want = []any{nil, "m-2", "m-1", "m-0"}
		}
		if diff := cmp.Diff(want, models); diff != "" {
			t.Errorf("pages, %s (-want +got):\n%s", order, diff)
		}
	}
}

func testSums(t *testing.T, proxy http.Handler) {
	t.Helper()
	status, sums := call(t, proxy, "GET", "/logs/analytics?group_by=model,outcome")
	for path, want := range map[string]any{
		"summary total_requests": 4.0, "summary total_successful_requests": 3.0, "summary total_error_requests": 1.0,
		"summary total_tokens_input": 9.0, "summary total_tokens_output": 9.0, "summary total_tokens_all": 18.0,
		"summary total_cost_usd": 0.0, "summary cost_unknown_requests": 3.0,
		"token_analytics total_tokens": 18.0, "token_analytics unknown_requests": 1.0,
		"request_analytics success_rate": 75.0, "request_analytics error_rate": 25.0,
		"service_type_breakdown echo request_count": 3.0, "service_type_breakdown echo success_rate": 100.0,
		"query_params hours": 24.0, "backend": "memory",
	} {
		if got := dig(sums, strings.Fields(path)...); status != 200 || got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	groups, _ := sums["groups"].([]any)
	if len(groups) != 4 || dig(groups[1], "model") != "m-0" || dig(groups[0], "outcome") != "error" {
		t.Errorf("groups = %v", groups)
	}
	if _, sums = call(t, proxy, "GET", "/logs/analytics?model=m-1&hours=1"); dig(sums, "summary", "total_requests") != 1.0 {
		t.Errorf("sums of one model = %v", sums)
	}
	if _, sums = call(t, proxy, "GET", "/logs/analytics?end_time=1000000000"); dig(sums, "summary", "total_requests") != 0.0 {
		t.Errorf("sums of another day = %v", sums)
	}
}

func testWrongParameters(t *testing.T, proxy http.Handler) {
	t.Helper()
	for target, param := range map[string]string{
		"query?limit=0": "limit", "query?limit=10001": "limit", "query?limit=x": "limit", "query?order=up": "order",
		"query?cursor=x": "cursor", "query?cursor=AAAA": "cursor", "query?start_time=yesterday": "start_time",
		"query?start_time=-1": "start_time", "query?end_time=NaN": "end_time", "query?status=abc": "status",
		"query?status_code_min=1000": "status_code_min", "query?min_duration_ms=x": "min_duration_ms",
		"query?limit=1&limit=2": "limit", "query?modell=x": "query", "query?model=%zz": "query", "analytics?model=a;b": "query", "analytics?hours=0": "hours",
		"analytics?hours=169": "hours", "analytics?group_by=weekday": "group_by", "analytics?group_by=hour,day": "group_by",
		"analytics?group_by=model,model": "group_by", "stream?status=x": "status",
		"query?model=" + strings.Repeat("a,", 60): "model",
	} {
		status, answer := call(t, proxy, "GET", "/logs/"+target)
		message, _ := dig(answer, "error", "message").(string)
		if status != 400 || !strings.HasPrefix(message, param+":") {
			t.Errorf("%s = %d %v, want 400 that names %s", target, status, answer, param)
		}
	}
	// A cursor of the other order would show a page again.
	_, page := call(t, proxy, "GET", "/logs/query?limit=1")
	cursor, _ := page["next_cursor"].(string)
	if status, _ := call(t, proxy, "GET", "/logs/query?order=asc&cursor="+cursor); status != 400 {
		t.Errorf("a cursor of the other order = %d, want 400", status)
	}
}

func TestRoutesNeedAKey(t *testing.T) {
	t.Parallel()
	proxy := start(t, map[string]any{"reset_enabled": true}, ccproxy.Settings{
		Security: ccproxy.Security{Keys: []ccproxy.APIKey{
			{Name: "alice", Value: ccproxy.NewSecret("Zk8d-Wq2n-Bv6c-Hj5f")},
		}},
	})
	for _, route := range []string{"GET /logs/query", "GET /logs/analytics", "GET /logs/stream", "POST /logs/reset"} {
		method, target, _ := strings.Cut(route, " ")
		if status, _ := call(t, proxy, method, target); status != 401 {
			t.Errorf("%s without the key = %d, want 401", route, status)
		}
	}
}

// What waits anywhere when everything is deleted does not come afterwards.
func TestResetIsWhole(t *testing.T) {
	t.Parallel()
	proxy := start(t, map[string]any{"reset_enabled": true, "flush_interval": "20ms"}, ccproxy.Settings{})
	for round := range 5 {
		for range 20 {
			generate(proxy, "/echo/v1/messages", "before")
		}
		if status, answer := call(t, proxy, "POST", "/logs/reset"); status != 200 {
			t.Fatalf("reset = %d %v", status, answer)
		}
		after := fmt.Sprint("after-", round)
		generate(proxy, "/echo/v1/messages", after) // events come in their order
		for {
			if _, page := call(t, proxy, "GET", "/logs/query?model="+after); page["count"] == 1.0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if _, page := call(t, proxy, "GET", "/logs/query?model=before"); page["count"] != 0.0 {
			t.Fatalf("%v requests of before the reset have come after it", page["count"])
		}
	}
}

// A provider that says itself what a call cost is believed, as on the dashboard.
func TestCostThatTheProviderTells(t *testing.T) {
	t.Parallel()
	proxy := start(t, map[string]any{"flush_interval": "20ms"}, ccproxy.Settings{}, costly())
	generate(proxy, "/costly/v1/messages", "m")
	recorded(t, proxy, 1)
	if _, sums := call(t, proxy, "GET", "/logs/analytics"); dig(sums, "summary", "total_cost_usd") != 0.25 {
		t.Errorf("sums = %v", sums["summary"])
	}
}

// costly is a provider that tells the cost of its only answer.
func costly() ccproxy.Factory {
	const body = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],` +
		`"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2,"total_cost_usd":0.25}}`
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "costly", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.AnthropicMessages},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return costlyProvider(body), nil },
		}},
	}, nil)
}

type costlyProvider string

func (costlyProvider) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }

func (p costlyProvider) Do(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
	return &ccproxy.Answer{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(p))),
	}, nil
}

func TestResetIsOffByDefault(t *testing.T) {
	t.Parallel()
	proxy := start(t, map[string]any{}, ccproxy.Settings{})
	if status, _ := call(t, proxy, "POST", "/logs/reset"); status != 404 {
		t.Errorf("POST /logs/reset = %d, want 404", status)
	}
}

func TestConfigurationThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, table := range map[string]map[string]any{
		"path and postgres": {"path": "a.db", "postgres": "postgres://h/d"},
		"small queue":       {"queue_size": 10, "batch_size": 11},
		"retention":         {"retention": -1},
		"exclude_paths":     {"exclude_paths": []any{"health"}},
	} {
		if _, err := build(t, table, ccproxy.Settings{}); err == nil {
			t.Errorf("%s: Build has nothing against it", name)
		}
	}
	proxy, err := build(t, map[string]any{"path": filepath.Join(t.TempDir(), "missing", "a.db")}, ccproxy.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err == nil {
		t.Error("a database in a directory that is not there opens")
	}
	_ = proxy.Shutdown(context.Background())
}

// TestStream watches over HTTP while requests come, and until the proxy drains.
func TestStream(t *testing.T) {
	t.Parallel()
	proxy := start(t, map[string]any{"stream_subscribers": 1}, ccproxy.Settings{})
	server := httptest.NewServer(proxy)
	defer server.Close()
	resp, err := server.Client().Get(server.URL + "/logs/stream?model=m-1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan() // the comment that tells that it watches
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") || lines.Text()[0] != ':' {
		t.Fatalf("stream begins with %q of type %s", lines.Text(), got)
	}
	if status, answer := call(t, proxy, "GET", "/logs/stream"); status != 503 {
		t.Errorf("a client too many = %d %v, want 503", status, answer)
	}
	for _, m := range []string{"m-0", "m-1", "m-2"} {
		generate(proxy, "/echo/v1/messages", m)
	}
	var event []string
	for len(event) < 2 && lines.Scan() {
		if lines.Text() != "" {
			event = append(event, lines.Text())
		}
	}
	data, ok := strings.CutPrefix(event[1], "data: ")
	var record map[string]any
	if err := json.Unmarshal([]byte(data), &record); !ok || event[0] != "event: log" || err != nil {
		t.Fatalf("event = %q, %v", event, err)
	}
	if record["model"] != "m-1" || record["tokens_input"] != 3.0 {
		t.Errorf("record = %v", record)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := proxy.Drain(ctx); err != nil {
		t.Errorf("Drain waits for a client that watches: %v", err)
	}
}

// TestRetention has records grow old.
func TestRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := start(t, map[string]any{"retention": "24h"}, ccproxy.Settings{})
		generate(proxy, "/echo/v1/messages", "old")
		time.Sleep(23 * time.Hour)
		generate(proxy, "/echo/v1/messages", "new")
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, page := call(t, proxy, "GET", "/logs/query"); page["count"] != 2.0 {
			t.Errorf("%v records within the time, want 2", page["count"])
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		_, page := call(t, proxy, "GET", "/logs/query")
		results, _ := page["results"].([]any)
		if len(results) != 1 || dig(results[0], "model") != "new" {
			t.Errorf("records = %v, want the new one alone", results)
		}
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestExcludedPaths(t *testing.T) {
	t.Parallel()
	proxy := start(t, map[string]any{"flush_interval": "20ms"}, ccproxy.Settings{})
	for _, path := range []string{"/health", "/health/live", "/logs/query", "/dashboard/stream", "/permissions/stream", "/healthy"} {
		call(t, proxy, "GET", path)
	}
	recorded(t, proxy, 1)
	_, page := call(t, proxy, "GET", "/logs/query")
	results, _ := page["results"].([]any)
	if len(results) != 1 || dig(results[0], "path") != "/healthy" {
		t.Errorf("records = %v, want that of /healthy alone", results)
	}
}

// TestHealthTells holds that what is written and dropped is to be seen.
func TestHealthTells(t *testing.T) {
	t.Parallel()
	proxy := start(t, map[string]any{"flush_interval": "20ms"}, ccproxy.Settings{})
	generate(proxy, "/echo/v1/messages", "m")
	recorded(t, proxy, 1)
	_, answer := call(t, proxy, "GET", "/plugins/analytics/health")
	for name, want := range map[string]any{"backend": "memory", "written": 1.0, "dropped": 0.0, "pending": 0.0} {
		if got := dig(answer, "details", name); got != want {
			t.Errorf("%s = %v, want %v in %v", name, got, want, answer)
		}
	}
}
