package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// answers is a provider's Do.
type answers func(context.Context, *ccproxy.Call) (*ccproxy.Answer, error)

func (a answers) Do(ctx context.Context, c *ccproxy.Call) (*ccproxy.Answer, error) { return a(ctx, c) }

func (answers) Models(context.Context) ([]ccproxy.Model, error) {
	return []ccproxy.Model{{ID: "m"}}, nil
}

// provider makes a plugin of it.
func provider(name string, f adapters.Format, do answers) ccproxy.Factory {
	plugin := strings.ReplaceAll(name, "/", "_")
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: plugin, Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
			Name: name, Formats: []adapters.Format{f},
			New: func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return do, nil },
		}},
	}, nil)
}

// refuses is a provider that answers with an error.
func refuses(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
	return nil, &ccproxy.Error{Status: http.StatusServiceUnavailable, Message: "no"}
}

func streams(text string) *ccproxy.Answer {
	return &ccproxy.Answer{
		Stream: true, Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body: io.NopCloser(strings.NewReader(text)),
	}
}

// unreachable is a transport that leads nowhere.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

func message(stream bool) string { return fmt.Sprintf(dialects[0].body, "m", stream) }

// want compares the values of one metric.
func want(t *testing.T, got map[string]float64, metric string, values map[string]float64) {
	t.Helper()
	n := 0
	for name, value := range got {
		labels, ok := strings.CutPrefix(name, metric)
		if !ok {
			continue
		}
		n++
		if values[labels] != value {
			t.Errorf("%s is %v, want %v", name, value, values[labels])
		}
	}
	if n != len(values) {
		t.Errorf("%s has %d series, want %d", metric, n, len(values))
	}
}

const failedCalls = "ccproxy_upstream_errors_total"

// An upstream that does not answer has no status.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := ccproxy.Settings{Plugins: map[string]map[string]any{claudeapi.Name: {"api_key": "k"}}}
		proxy := run(t, s, []ccproxy.Option{ccproxy.WithTransport(unreachable{})}, claudeapi.Factory())
		ask(t, proxy, http.MethodPost, "/claude/v1/messages", message(false))
		want(t, scrape(t, proxy), failedCalls, map[string]float64{`{service_type="claude",status="none"}`: 1})
	})
}

// While a breaker is open nobody is called, and so nobody fails.
func TestOpenBreakerIsNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		policy := ccproxy.BreakerPolicy{Failures: 2, Cooldown: time.Hour}
		proxy := run(t, ccproxy.Settings{Breakers: ccproxy.Breakers{BreakerPolicy: policy}}, nil,
			provider("up", adapters.AnthropicMessages, refuses))
		for range 50 {
			ask(t, proxy, http.MethodPost, "/up/v1/messages", message(false))
		}
		want(t, scrape(t, proxy), failedCalls, map[string]float64{`{service_type="up",status="503"}`: 2})
	})
}

// A client that leaves is nothing that the provider has failed at.
func TestClientGoneIsNoFailedCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := run(t, ccproxy.Settings{}, nil, provider("up", adapters.AnthropicMessages,
			func(ctx context.Context, _ *ccproxy.Call) (*ccproxy.Answer, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		body := strings.NewReader(message(false))
		proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/up/v1/messages", body))
		got := scrape(t, proxy)
		want(t, got, failedCalls, nil)
		if n := sum(got, "ccproxy_errors_total", `error_type="client_gone"`); n != 1 {
			t.Errorf("%v clients are gone, want 1", n)
		}
	})
}

// Responses tells of one error twice.
func TestErrorOfStreamCountsOnce(t *testing.T) {
	t.Parallel()
	const stream = `event: response.created
data: {"type":"response.created","response":{"id":"r","status":"in_progress"}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","delta":"x"}

event: error
data: {"type":"error","code":"server_error","message":"no"}

event: response.failed
data: {"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error","message":"no"}}}

`
	synctest.Test(t, func(t *testing.T) {
		proxy := run(t, ccproxy.Settings{}, nil, provider("up", adapters.OpenAIResponses,
			func(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) { return streams(stream), nil }))
		ask(t, proxy, http.MethodPost, "/up/v1/responses", fmt.Sprintf(dialects[2].body, "m", true))
		want(t, scrape(t, proxy), failedCalls, map[string]float64{`{service_type="up",status="200"}`: 1})
	})
}

// Names of providers may have slashes.
func TestFailoverNamesProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := ccproxy.Settings{Fallbacks: []ccproxy.Fallback{{Match: "m", Targets: []string{"up/sdk/m2"}}}}
		proxy := run(t, s, nil, provider("up", adapters.AnthropicMessages, refuses),
			provider("up/sdk", adapters.AnthropicMessages, refuses))
		ask(t, proxy, http.MethodPost, "/up/v1/messages", message(false))
		want(t, scrape(t, proxy), "ccproxy_failovers_total", map[string]float64{`{service_type="up",target="up/sdk"}`: 1})
	})
}

// The first event counts, and not the proxy's own sign of life before.
func TestTimeToFirstToken(t *testing.T) {
	t.Parallel()
	const stream = `event: message_start
data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[]}}

event: message_stop
data: {"type":"message_stop"}

`
	synctest.Test(t, func(t *testing.T) {
		s := ccproxy.Settings{Streams: ccproxy.Streams{CommitAfter: 2 * time.Second}}
		proxy := run(t, s, nil, provider("up", adapters.AnthropicMessages,
			func(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
				time.Sleep(50 * time.Second) // of the bubble
				return streams(stream), nil
			}))
		w := ask(t, proxy, http.MethodPost, "/up/v1/messages", message(true))
		if !strings.Contains(w.Body.String(), "message_stop") {
			t.Errorf("answer %s", w.Body)
		}
		const labels = `{model="m",service_type="up"}`
		want(t, scrape(t, proxy), "ccproxy_time_to_first_token_seconds_sum", map[string]float64{labels: 50})
	})
}

// A stream that ends in a panic is over, whoever panics.
func TestTornStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := run(t, ccproxy.Settings{}, nil, echo.Factory(), provider("torn", adapters.AnthropicMessages,
			func(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
				return &ccproxy.Answer{Events: func(func(adapters.Event, error) bool) { panic("torn") }}, nil
			}))
		tear := func(w http.ResponseWriter, path string) {
			defer func() { _ = recover() }() // as a server does
			proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(message(true))))
		}
		tear(httptest.NewRecorder(), "/torn/v1/messages")
		tear(hostPanics{httptest.NewRecorder()}, "/echo/v1/messages")
		got := scrape(t, proxy)
		if n := got["ccproxy_active_streams"]; n != 0 {
			t.Errorf("%v streams are under way, want none", n)
		}
		if n := sum(got, "ccproxy_errors_total", ""); n != 2 {
			t.Errorf("%v requests have failed, want 2", n)
		}
	})
}

type hostPanics struct{ *httptest.ResponseRecorder }

func (hostPanics) Write([]byte) (int, error) { panic(http.ErrAbortHandler) }

// Nobody makes the page long by long names.
func TestLongNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := run(t, ccproxy.Settings{}, nil, echo.Factory(), provider("up", adapters.AnthropicMessages,
			func(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
				return nil, &ccproxy.Error{Status: http.StatusBadRequest, Type: strings.Repeat("y", 1<<20)}
			}))
		for _, path := range []string{"/echo/v1/messages", "/up/v1/messages"} {
			ask(t, proxy, http.MethodPost, path, fmt.Sprintf(dialects[0].body, strings.Repeat("x", 1<<20), true))
		}
		synctest.Wait()
		if n := ask(t, proxy, http.MethodGet, "/metrics", "").Body.Len(); n > 64<<10 {
			t.Errorf("the page has %d bytes after two requests", n)
		}
		if n := sum(scrape(t, proxy), "ccproxy_requests_total", `model="other"`); n != 2 {
			t.Errorf("%v requests were for other models, want 2", n)
		}
	})
}
