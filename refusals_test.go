package ccproxy_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// visionless is how vLLM refuses a prompt.
const visionless = "data: {\"error\":{\"object\":\"error\",\"message\":\"too long a prompt\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}}\n\ndata: [DONE]\n\n"

// A refusal that the client is to blame for, or a rate limit, does not open the breaker, wherever in a stream it comes.
func TestBreakerOfRefusingStreams(t *testing.T) {
	t.Parallel()
	responsesBody := `{"model":"m","stream":true,"input":"hi"}`
	messagesBody := `{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	failed := func(code string) string {
		return "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"object\":\"response\"," +
			"\"status\":\"failed\",\"error\":{\"code\":\"" + code + "\",\"message\":\"the reason\"},\"output\":[]}}\n\n"
	}
	created := "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"object\":\"response\",\"status\":\"in_progress\",\"output\":[]}}\n\n"
	for _, tt := range []struct {
		name, path, body, stream string
		format                   adapters.Format
	}{
		{"responses context first", "/v1/responses", responsesBody, failed("context_length_exceeded"), adapters.OpenAIResponses},
		{"responses context", "/v1/responses", responsesBody, created + failed("context_length_exceeded"), adapters.OpenAIResponses},
		{"responses rate limit", "/v1/responses", responsesBody, created + failed("rate_limit_exceeded"), adapters.OpenAIResponses},
		{
			"messages", "/v1/messages", messagesBody, strings.SplitAfter(spareStream, "\n\n")[0] +
				"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"the reason\"}}\n\n",
			adapters.AnthropicMessages,
		},
		{
			"messages first", "/v1/messages", messagesBody,
			"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"the reason\"}}\n\n",
			adapters.AnthropicMessages,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := spare{name: "office", format: tt.format, fail: func() (*ccproxy.Answer, error) {
					return &ccproxy.Answer{Stream: true, Body: io.NopCloser(strings.NewReader(tt.stream))}, nil
				}}
				r := newRig(t, rigSetup{
					settings: ccproxy.Settings{Breakers: ccproxy.Breakers{BreakerPolicy: ccproxy.BreakerPolicy{Failures: 3, Cooldown: time.Minute}}},
					plugins:  []ccproxy.Factory{p.factory()},
				})
				for range 3 {
					if rec := visit(r.proxy, http.MethodPost, "/office"+tt.path, tt.body); !strings.Contains(rec.Body.String(), "the reason") {
						t.Errorf("%d %s", rec.Code, rec.Body)
					}
				}
				rec := visit(r.proxy, http.MethodPost, "/office"+tt.path, tt.body)
				if rec.Code == http.StatusServiceUnavailable {
					t.Errorf("the breaker is open: %s", rec.Body)
				}
			})
		})
	}
}

// A budget that is not zero comes back.
func TestTinyBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := retriesOf(1)
		s.Retries.Budget = 0.0005
		r := newRig(t, rigSetup{settings: s, quiet: true})
		for range 10 {
			r.upstream.Enqueue(refusal(429), nil)
			if rec := r.post(t, wholeBody); rec.Code != 200 {
				t.Fatal(rec.Code)
			}
		}
		for range 2500 {
			r.post(t, wholeBody)
		}
		r.upstream.Enqueue(refusal(429))
		if rec := r.post(t, wholeBody); rec.Code != 200 {
			t.Errorf("after 2500 successes at 0.0005 each there is no retry: %d", rec.Code)
		}
	})
}

// A call whose failure opens the breaker is not held for a retry that the breaker refuses; its client gets the
// upstream's answer.
func TestRetryBehindOwnBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := retriesOf(2)
		s.Breakers = ccproxy.Breakers{BreakerPolicy: ccproxy.BreakerPolicy{Failures: 1, Cooldown: 5 * time.Minute}}
		r := newRig(t, rigSetup{settings: s, quiet: true})
		h := http.Header{}
		h.Set("Retry-After", "3")
		r.upstream.Enqueue(providertest.Error(529, "overloaded_error", "the reason", h))
		begun := time.Now()
		rec := r.post(t, wholeBody)
		if rec.Code != 529 || !strings.Contains(rec.Body.String(), "the reason") || rec.Header().Get("Retry-After") != "3" {
			t.Errorf("after %v: %d Retry-After %q %s", time.Since(begun), rec.Code, rec.Header().Get("Retry-After"), rec.Body)
		}
		if n := len(r.upstream.Requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// A probe that hangs does not keep the provider from all others for as long as its client has patience.
func TestProbeHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := ccproxy.Settings{Breakers: ccproxy.Breakers{BreakerPolicy: ccproxy.BreakerPolicy{Failures: 1, Cooldown: 30 * time.Second}}}
		r := newRig(t, rigSetup{settings: s, quiet: true})
		r.upstream.Enqueue(refusal(500))
		r.post(t, wholeBody)
		time.Sleep(31 * time.Second)
		r.upstream.Enqueue(providertest.Stall(nil, nil)) // a connection that is lost
		ctx, leave := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, messagesPath, strings.NewReader(wholeBody))
		done := make(chan struct{})
		go func() { send(r, req); close(done) }()
		time.Sleep(2 * time.Hour)
		if rec := r.post(t, wholeBody); rec.Code != 200 {
			t.Errorf("two hours after the breaker may be probed: %d %s", rec.Code, rec.Body)
		}
		leave()
		<-done
	})
}

// The provider that a balanced fallback has put first is the one that hooks are told of.
func TestBalanceTellsHooks(t *testing.T) {
	t.Parallel()
	second, third := spare{}, spare{name: "third"}
	var told []string
	h := hooks.Observe("who", func(_ context.Context, hc *hooks.Context) error {
		told = append(told, hc.Provider)
		return nil
	}, hooks.EventProviderResponseReceived)
	r := newRig(t, rigSetup{
		settings: balanced("sticky"), plugins: []ccproxy.Factory{second.factory(), third.factory()}, hooks: []hooks.Hook{h},
	})
	wrong := 0
	for _, session := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		rec := r.do(t, http.MethodPost, messagesPath, http.Header{"Session-Id": {session}}, strings.NewReader(wholeBody))
		end := r.completed(t)
		by := answeredBy(rec)
		if got := end.Provider + "/" + end.UpstreamModel; got != by {
			wrong++
			t.Errorf("session %s: answered by %s, request.completed says provider %q model %q", session, by, end.Provider, end.UpstreamModel)
		}
	}
	_ = r.proxy.Shutdown(context.Background())
	t.Log(wrong, told)
}

// vLLM and others send numeric codes in the first event of a stream.
func TestNumericCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, event string
		status      int
	}{
		{"vllm 400", visionless, 400},
		{"429", "data: {\"error\":{\"message\":\"slow\",\"code\":429}}\n\n", 429},
		{"429 string", "data: {\"error\":{\"message\":\"slow\",\"type\":\"None\",\"code\":\"429\"}}\n\n", 429},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				local := spare{name: "local", format: adapters.OpenAIChatCompletions, fail: func() (*ccproxy.Answer, error) {
					return &ccproxy.Answer{Stream: true, Body: io.NopCloser(strings.NewReader(tt.event))}, nil
				}}
				r := newRig(t, rigSetup{
					settings: ccproxy.Settings{
						Breakers: ccproxy.Breakers{BreakerPolicy: ccproxy.BreakerPolicy{Failures: 2, Cooldown: time.Minute}},
					},
					plugins: []ccproxy.Factory{local.factory()},
				})
				body := `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
				for range 3 {
					rec := visit(r.proxy, http.MethodPost, "/local/v1/chat/completions", body)
					if rec.Code != tt.status {
						t.Errorf("status %d, want %d: %s", rec.Code, tt.status, rec.Body)
					}
				}
			})
		})
	}
}

// The promised headers come while the next attempt's request is being converted: nothing of the attempt that has failed
// is to reach the client before the answer of the next.
func TestPromiseWhileConverting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		text := providertest.TextEvents("claude-fake", "One two.")
		second := spare{format: adapters.OpenAIChatCompletions, fail: func() (*ccproxy.Answer, error) {
			return &ccproxy.Answer{Stream: true, Body: io.NopCloser(strings.NewReader(
				`data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"From the spare."}}]}` + "\n\n" +
					`data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"))}, nil
		}}
		slow := plain(ccproxy.Manifest{Name: "slow", FormatAdapters: []ccproxy.FormatAdapterSpec{{
			From: adapters.AnthropicMessages, To: adapters.OpenAIChatCompletions,
			New: func(*ccproxy.PluginContext) (adapters.FormatAdapter, error) {
				return adapters.Funcs{Name: "slow", Request: func(_ context.Context, in map[string]any) (map[string]any, error) {
					time.Sleep(2 * time.Second)
					return in, nil
				}}, nil
			},
		}}})
		r := newRig(t, rigSetup{
			settings: ccproxy.Settings{Fallbacks: toSpare(), Streams: ccproxy.Streams{CommitAfter: 4 * time.Second}},
			plugins:  []ccproxy.Factory{second.factory(), slow},
		})
		r.upstream.Enqueue(later(3*time.Second, providertest.Stream(text[0])))
		s := newHost(t, r.proxy, false)
		resp, got := clientKinds()[0].stream(t, s)
		if n := strings.Count(got, "event: message_start"); n != 1 {
			t.Errorf("%d message_start in %d\n%s", n, resp.StatusCode, got)
		}
		if resp.StatusCode != http.StatusOK {
			t.Error(resp.StatusCode)
		}
	})
}
