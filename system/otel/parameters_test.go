package otel_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/otel"
)

// parametersOf returns the attributes of parameters after a request to a provider that speaks all dialects.
func parametersOf(t *testing.T, path, body string) map[string]string {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	cfg := otel.DefaultConfig()
	cfg.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	var reg ccproxy.Registry
	if err := reg.Register(otel.Factory(), echo.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{EnabledPlugins: []string{otel.Name, echo.Name}},
		ccproxy.WithStrictStart(), ccproxy.WithPluginConfig(otel.Name, *cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
	if err := proxy.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got := make(map[string]string)
	for _, s := range spans.GetSpans() {
		for _, kv := range s.Attributes {
			key := string(kv.Key)
			named := strings.HasPrefix(key, "gen_ai.request.") || key == "gen_ai.output.type" ||
				strings.HasPrefix(key, "openai.")
			if s.SpanKind == trace.SpanKindClient && named {
				got[strings.TrimPrefix(key, "gen_ai.")] = kv.Value.String()
			}
		}
	}
	delete(got, "request.model")
	delete(got, "request.stream")
	return got
}

// TestParameters holds that spans have what a request sets, in each dialect, and nothing that it does not set.
func TestParameters(t *testing.T) {
	t.Parallel()
	const chat, messages, responses = "/echo/v1/chat/completions", "/echo/v1/messages", "/echo/v1/responses"
	const words = `"model":"echo-1","messages":[{"role":"user","content":"hi"}]`
	tests := []struct {
		name, path, body string
		want             map[string]string
	}{
		{
			"messages", messages, `{` + words + `,"max_tokens":9,"temperature":0,"top_p":0.5,"top_k":4,
				"stop_sequences":["a","b"],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`,
			map[string]string{
				"request.max_tokens": "9", "request.temperature": "0", "request.top_p": "0.5", "request.top_k": "4",
				"request.stop_sequences": `["a","b"]`, "output.type": "json",
			},
		},
		{
			"chat", chat, `{` + words + `,"max_completion_tokens":7,"temperature":1.5,"top_p":1,"stop":"end","seed":-3,
				"n":2,"frequency_penalty":0.25,"presence_penalty":-1,"response_format":{"type":"json_object"},
				"service_tier":"flex"}`,
			map[string]string{
				"request.max_tokens": "7", "request.temperature": "1.5", "request.top_p": "1",
				"request.stop_sequences": `["end"]`, "request.seed": "-3", "request.choice.count": "2",
				"request.frequency_penalty": "0.25", "request.presence_penalty": "-1", "output.type": "json",
				"openai.request.service_tier": "flex",
			},
		},
		{
			"responses", responses, `{"model":"echo-1","input":"hi","max_output_tokens":50,"temperature":0.5,"top_p":0.9,
				"text":{"format":{"type":"text"}},"service_tier":"auto"}`,
			map[string]string{
				"request.max_tokens": "50", "request.temperature": "0.5", "request.top_p": "0.9", "output.type": "text",
				"openai.request.service_tier": "auto",
			},
		},
		{"nothing set", chat, `{` + words + `}`, map[string]string{}},
		{"null and one choice", chat, `{` + words + `,"temperature":null,"seed":null,"n":1}`, map[string]string{}},
		{
			"long stop", messages,
			`{` + words + `,"max_tokens":9,"stop_sequences":["` + strings.Repeat("x", 65) + `"]}`,
			map[string]string{"request.max_tokens": "9"},
		},
		{
			"many stops", messages,
			`{` + words + `,"max_tokens":9,"stop_sequences":["a"` + strings.Repeat(`,"a"`, 16) + `]}`,
			map[string]string{"request.max_tokens": "9"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, parametersOf(t, tt.path, tt.body)); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}
