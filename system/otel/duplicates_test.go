package otel_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// meeting is an upstream that answers two calls once it has both: model-N with N+1 tokens of answer-N.
type meeting struct{ both sync.WaitGroup }

func (m *meeting) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct{ Model string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	m.both.Done()
	m.both.Wait()
	n := int(asked.Model[len(asked.Model)-1] - '0')
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id":"m","type":"message","role":"assistant","model":"answer-%d","stop_reason":"end_turn",`+
		`"content":[{"type":"text","text":"hi"}],"usage":{"input_tokens":1,"output_tokens":%d}}`, n, n+1)
	return w.Result(), nil
}

// TestDuplicateIDs holds that two requests at once with the id that their clients chose keep their spans apart: each
// call is in the trace of its own request, with the tokens that it took.
func TestDuplicateIDs(t *testing.T) {
	t.Parallel()
	up := &meeting{}
	up.both.Add(2)
	r := start(t, up, nil)
	traceOf := func(n int) string { return strings.Repeat(fmt.Sprint(n+1), 32) }
	var wg sync.WaitGroup
	for n := range 2 {
		wg.Go(func() {
			body := fmt.Sprintf(dialects[n].body, fmt.Sprint("model-", n), false)
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/claude"+dialects[n].path,
				strings.NewReader(body))
			req.Header.Set("X-Request-Id", "same")
			req.Header.Set("Traceparent", "00-"+traceOf(n)+"-"+parentID+"-01")
			r.ServeHTTP(httptest.NewRecorder(), req)
		})
	}
	wg.Wait()
	r.stop()
	servers, clients := r.of(trace.SpanKindServer), r.of(trace.SpanKindClient)
	if len(servers) != 2 || len(clients) != 2 {
		t.Fatalf("%d and %d spans, want two each", len(servers), len(clients))
	}
	for n := range 2 {
		server, client := inTrace(servers, traceOf(n)), inTrace(clients, traceOf(n))
		if attr(server, "url.path") != "/claude"+dialects[n].path || attr(server, "ccproxy.request.id") != "same" ||
			attr(client, "gen_ai.request.model") != fmt.Sprint("model-", n) ||
			client.Parent.SpanID() != server.SpanContext.SpanID() {
			t.Errorf("trace %d has the spans %v of %v", n, client.Attributes, server.Attributes)
		}
		for key, want := range map[string]string{
			"gen_ai.usage.output_tokens": fmt.Sprint(n + 1), "gen_ai.response.model": fmt.Sprint("answer-", n),
		} {
			if got := attr(client, key); got != want {
				t.Errorf("trace %d has %s = %s, want %s", n, key, got, want)
			}
		}
		if attr(server, "http.route") == "" {
			t.Errorf("trace %d has no route", n)
		}
	}
}

// inTrace returns the span that is in a trace, an empty one if none is.
func inTrace(spans []tracetest.SpanStub, id string) tracetest.SpanStub {
	for _, s := range spans {
		if s.SpanContext.TraceID().String() == id {
			return s
		}
	}
	return tracetest.SpanStub{}
}
