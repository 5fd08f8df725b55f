package codex_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers/codex"
	"github.com/ccproxy-go/ccproxy/system/balancer"
)

// refusing answers requests whose credentials are not the good ones with a status.
type refusing struct {
	good   string
	status int
	asked  []string // host and credentials
}

func (u *refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	u.asked = append(u.asked, r.URL.Host+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Chatgpt-Account-Id"))
	if !strings.HasSuffix(r.Header.Get("Authorization"), u.good) {
		w.WriteHeader(u.status)
		_, _ = w.WriteString(`{"error":{"message":"no"}}`)
		return w.Result(), nil
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = w.WriteString("event: response.completed\ndata: " +
		`{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[]}}` + "\n\n")
	return w.Result(), nil
}

// idle is an OAuth provider of which only the name matters.
type idle struct {
	oauth.Provider

	name string
}

func (p idle) Info() oauth.Info { return oauth.Info{Name: p.name} }

// logins is a plugin with OAuth accounts.
func logins(names ...string) ccproxy.Factory {
	m := ccproxy.Manifest{Name: "logins", Kind: ccproxy.KindAuth}
	for _, name := range names {
		m.OAuthProviders = append(m.OAuthProviders, ccproxy.OAuthProviderSpec{
			Name: name, New: func(*ccproxy.PluginContext) (oauth.Provider, error) { return idle{name: name}, nil },
		})
	}
	return ccproxy.NewFactory(m, nil)
}

// Several accounts may be keys, for OpenAI's API, or logins, for ChatGPT.
func TestAccounts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		accounts []any
		good     string
		want     []string
	}{
		{
			"keys",
			[]any{
				map[string]any{"name": "one", "api_key": "sk-first-0123456789"},
				map[string]any{"name": "two", "api_key": "sk-second-0123456789"},
			},
			"sk-second-0123456789",
			[]string{"api.openai.com Bearer sk-first-0123456789 ", "api.openai.com Bearer sk-second-0123456789 "},
		},
		{
			"logins",
			[]any{
				map[string]any{"name": "nobody", "oauth": "nobody"},
				map[string]any{"name": "work", "oauth": "work"},
				map[string]any{"name": "home", "oauth": "home"},
			},
			"token-of-home",
			[]string{"chatgpt.com Bearer token-of-work id-of-work", "chatgpt.com Bearer token-of-home id-of-home"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := &refusing{good: tt.good, status: http.StatusTooManyRequests}
			var reg ccproxy.Registry
			if err := reg.Register(codex.Factory(), balancer.Factory(), logins("work", "home")); err != nil {
				t.Fatal(err)
			}
			proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
				codex.Name: {"accounts": tt.accounts},
			}}, ccproxy.WithTransport(up), ccproxy.WithStrictStart())
			if err != nil {
				t.Fatal(err)
			}
			if err := proxy.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := proxy.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			for _, name := range []string{"work", "home"} {
				err := proxy.OAuth().Login(t.Context(), name, &oauth.Credentials{
					AccessToken: oauth.NewSecret("token-of-" + name), AccountID: "id-of-" + name,
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/codex/v1/responses",
				strings.NewReader(`{"model":"gpt-5.5","stream":true,"instructions":"x","input":"Hello"}`)))
			if w.Code != http.StatusOK {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(tt.want, up.asked); diff != "" {
				t.Errorf("requests mismatch (-want +got):\n%s", diff)
			}
		})
	}
}
