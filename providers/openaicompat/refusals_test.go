package openaicompat_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/system/balancer"
)

// A stream that begins with an error whose code is the status is an account's refusal like any other.
func TestNumericCodeOfAnAccount(t *testing.T) {
	t.Parallel()
	for _, event := range []string{
		`{"error":{"message":"Rate limit exceeded","code":429}}`,
		`{"error":{"message":"Rate limit exceeded","type":"throttling_error","param":null,"code":"429"}}`,
		`{"error":{"message":"Rate limit exceeded","type":"rate_limit_error","code":429}}`, // this one goes on
	} {
		var sent []string
		up := answers(func(r *http.Request) *http.Response {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", "text/event-stream")
			_ = r.Body.Close()
			who := r.Header.Get("Authorization")
			sent = append(sent, who[len(who)-3:])
			if strings.HasSuffix(who, "-one") {
				_, _ = w.WriteString("data: " + event + "\n\ndata: [DONE]\n\n")
			} else {
				_, _ = w.WriteString(`data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n")
			}
			return w.Result()
		})
		var reg ccproxy.Registry
		if err := reg.Register(openaicompat.Factory(), balancer.Factory()); err != nil {
			t.Fatal(err)
		}
		proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
			openaicompat.Name: {"instances": map[string]any{"acme": map[string]any{"base_url": "https://acme.test", "models": []any{"m"}, "accounts": []any{
				map[string]any{"name": "one", "api_key": "key-of-acme-one"},
				map[string]any{"name": "two", "api_key": "key-of-acme-two"},
			}}}},
		}}, ccproxy.WithTransport(up), ccproxy.WithStrictStart())
		if err != nil {
			t.Fatal(err)
		}
		if err := proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/acme/v1/chat/completions",
				strings.NewReader(`{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}`)))
			if w.Code != http.StatusOK {
				t.Errorf("%s:\n  %d %s (asked %v)", event, w.Code, w.Body, sent)
			}
		}
		_ = proxy.Shutdown(context.Background())
	}
}
