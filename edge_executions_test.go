package ccproxy_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// A connection that dies with a request on it is not a reason to send the request again, since it may have been carried
// out: not even if somebody calls it idempotent, whom net/http would believe.
func TestRequestsAreExecutedOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		key := http.Header{name: {"k"}}
		hook := hooks.Mutate("key", func(_ context.Context, req *hooks.PreparedRequest) error {
			req.Header.Set(name, "k")
			return nil
		})
		tests := map[string]struct {
			client http.Header
			hooks  []hooks.Hook
			api    providers.Upstream
		}{
			"nobody":      {},
			"client":      {client: key},
			"hook":        {hooks: []hooks.Hook{hook}},
			"operator":    {api: providers.Upstream{Header: key}},
			"default":     {api: providers.Upstream{DefaultHeader: key}},
			"transformer": {api: providers.Upstream{Transformers: []providers.Transformer{setting(name)}}},
			"credentials": {api: providers.Upstream{Credentials: providers.HeaderKey(name, ccproxy.NewSecret("secret-of-the-api"))}},
		}
		for who, tt := range tests {
			for _, http2 := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " of ", who, " http2 ", http2), func(t *testing.T) {
					t.Parallel()
					up := new(providertest.Upstream)
					t.Cleanup(func() { _ = up.Close() })
					transport := up.Transport()
					if http2 {
						transport = up.HTTP2Transport()
					}
					p := proxyTo(t, tt.api, transport, tt.hooks)
					ask := func() *httptest.ResponseRecorder {
						req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/up/v1/messages", strings.NewReader(wholeBody))
						maps.Copy(req.Header, tt.client)
						rec := httptest.NewRecorder()
						p.ServeHTTP(rec, req)
						return rec
					}
					up.Enqueue(providerAnswer()) // after it the connection is one that is used again
					if rec := ask(); rec.Code != http.StatusOK {
						t.Fatalf("got %d %s", rec.Code, rec.Body)
					}
					up.Enqueue(providertest.Drop(), providerAnswer())
					wantError(t, ask(), anthropicDialect, http.StatusBadGateway, "api_error", "")
					if n := len(up.Requests()); n != 2 {
						t.Errorf("the upstream saw %d requests, want 2", n)
					}
				})
			}
		}
	}
}

func setting(name string) providers.Transformer {
	return providers.TransformerFunc(func(_ context.Context, req *providers.Request) error {
		req.Header.Set(name, "k")
		return nil
	})
}

// proxyTo is a proxy with one provider, "up", of Anthropic's format.
func proxyTo(t *testing.T, api providers.Upstream, transport http.RoundTripper, observers []hooks.Hook) *ccproxy.Proxy {
	t.Helper()
	api.BaseURL, api.Formats, api.ModelsPath = "https://up.example", []adapters.Format{adapters.AnthropicMessages}, "-"
	watcher := ccproxy.Manifest{Name: "watcher"}
	for _, h := range observers {
		watcher.Hooks = append(watcher.Hooks, ccproxy.HookSpec{
			FailClosed: true, New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return h, nil },
		})
	}
	return running(t, ccproxy.Settings{}, []ccproxy.Factory{
		ccproxy.NewFactory(watcher, nil), providers.New(ccproxy.Manifest{Name: "up"}, api),
	}, ccproxy.WithTransport(transport))
}

// Answers that only announce an answer are the connection's own, as are those to an Expect header: nothing of them
// reaches the client, whose answer is whole.
func TestInformationalAnswersStay(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	s := newHost(t, r.proxy, false)
	const head = "HTTP/1.1 103 Early Hints\r\nLink: </canary>; rel=preload\r\nX-Canary: 1\r\n\r\n" +
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nConnection: x\r\nX-Canary: 1\r\n\r\n"
	for _, body := range []string{wholeBody, streamBody} {
		content, kind := `{"type":"message"}`, "application/json"
		if body == streamBody {
			content, kind = wholeTurn, "text/event-stream"
		}
		r.upstream.Enqueue(providertest.Wire(providertest.Bytes(fmt.Sprintf(
			"%sHTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", head, kind, len(content), content))))
		answer := s.raw(t, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: p\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
			messagesPath, len(body), body))
		if strings.Count(answer, "HTTP/1.1 ") != 1 || !strings.HasPrefix(answer, "HTTP/1.1 200 OK\r\n") ||
			strings.Contains(strings.ToLower(answer), "canary") || !strings.Contains(answer, `{"type":"message`) {
			t.Errorf("got %q", answer)
		}
		r.completed(t)
	}
	// An answer that only announces one, and nothing after it, is none.
	r.upstream.Enqueue(providertest.Wire(providertest.Bytes(head)))
	wantError(t, r.post(t, wholeBody), anthropicDialect, http.StatusBadGateway, "api_error", "")
	r.failed(t)
	// Nor is one that changes the protocol, which nobody has asked for.
	r.upstream.Enqueue(providertest.Wire(providertest.Bytes("HTTP/1.1 101 Switching Protocols\r\n" +
		"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")))
	wantError(t, r.post(t, wholeBody), anthropicDialect, http.StatusBadGateway, "api_error", "")
	r.failed(t)
}
