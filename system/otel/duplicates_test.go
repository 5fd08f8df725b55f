package otel_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// meeting is an upstream that answers two calls once it has both.
type meeting struct {
	ledger

	mu   sync.Mutex
	both sync.WaitGroup
}

func (m *meeting) RoundTrip(r *http.Request) (*http.Response, error) {
	m.both.Done()
	m.both.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ledger.RoundTrip(r)
}

// TestDuplicateIDs holds that two requests at once with the id that their clients chose keep their spans apart: each
// call is in the trace of its own request, and tokens of one are not on a span of the other.
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
		// Events are told apart by the id alone, so none of them is believed.
		for _, key := range []string{"gen_ai.usage.input_tokens", "gen_ai.response.model", "http.route"} {
			if got := attr(client, key) + attr(server, key); got != "" {
				t.Errorf("trace %d has %s = %s, which may be the other's", n, key, got)
			}
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
