package providers_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A credential is known by what set it: whatever its header is called, and whatever clients may send, an upstream that
// repeats it does not get it to the client, and no hook sees it.
func TestCredentialsUnderAnyName(t *testing.T) {
	t.Parallel()
	const key = "the-upstream-key-0123456789"
	for _, name := range []string{"X-Api-Key", "X-Acme-Thing", "Ocp-Apim-Subscription-Key"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := roundTrip(func(r *http.Request) (*http.Response, error) {
				w := httptest.NewRecorder()
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Request-Id", "id of "+r.Header.Get(name))
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.WriteString(`{"type":"error","error":{"type":"x","message":"bad key ` + r.Header.Get(name) + `"}}`)
				return w.Result(), nil
			})
			seen := make(chan string, 8)
			watch := ccproxy.NewFactory(ccproxy.Manifest{Name: "watch", Hooks: []ccproxy.HookSpec{{
				New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
					return hooks.Observe("watch", func(_ context.Context, hc *hooks.Context) error {
						var b strings.Builder
						switch p := hc.Payload.(type) {
						case *hooks.HTTPRequest:
							for n, v := range p.Header.All() {
								b.WriteString(n + ": " + v + "\n")
							}
						case *hooks.HTTPResponse:
							for n, v := range p.Header.All() {
								b.WriteString(n + ": " + v + "\n")
							}
						}
						seen <- b.String()
						return nil
					}, hooks.EventHTTPRequest, hooks.EventHTTPResponse), nil
				},
			}}}, nil)
			var reg ccproxy.Registry
			err := reg.Register(watch, providers.New(ccproxy.Manifest{Name: "acme"}, providers.Upstream{
				BaseURL: "https://acme.test", Formats: []adapters.Format{adapters.AnthropicMessages},
				RequestHeaders: []string{"X-*", "Ocp-*"}, Credentials: providers.HeaderKey(name, ccproxy.NewSecret(key)),
			}))
			if err != nil {
				t.Fatal(err)
			}
			proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithTransport(up))
			if err != nil {
				t.Fatal(err)
			}
			if err := proxy.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/acme/v1/messages", strings.NewReader(`{"model":"m"}`))
			proxy.ServeHTTP(w, r)
			if err := proxy.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			close(seen)
			var all strings.Builder
			for s := range seen {
				all.WriteString(s)
			}
			body, _ := io.ReadAll(w.Body)
			if w.Code != http.StatusUnauthorized || !strings.Contains(string(body), "bad key [REDACTED]") {
				t.Errorf("%d %s", w.Code, body)
			}
			for what, text := range map[string]string{
				"the client's headers": strings.Join(w.Header()["Request-Id"], " "), "the client's body": string(body), "a hook": all.String(),
			} {
				if strings.Contains(text, key) {
					t.Errorf("%s: the key is in %q", what, text)
				}
			}
			if all.Len() == 0 {
				t.Error("the hook saw nothing")
			}
		})
	}
}
