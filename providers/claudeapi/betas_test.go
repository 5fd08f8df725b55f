package claudeapi_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

// upstreamHeader notes the headers of the last request.
type upstreamHeader struct{ last http.Header }

func (u *upstreamHeader) RoundTrip(req *http.Request) (*http.Response, error) {
	u.last = req.Header.Clone()
	_, _ = io.Copy(io.Discard, req.Body)
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/json")
	_, _ = rec.WriteString(`{"type":"message"}`)
	return rec.Result(), nil
}

// fixedProvider only refreshes what never ends.
type fixedProvider struct{}

func (fixedProvider) Info() oauth.Info { return oauth.Info{Name: "claude-api"} }

func (fixedProvider) AuthorizationURL(context.Context, oauth.AuthorizationRequest) (string, error) {
	return "", errors.ErrUnsupported
}

func (fixedProvider) HandleCallback(context.Context, oauth.Callback) (*oauth.Credentials, error) {
	return nil, errors.ErrUnsupported
}

func (fixedProvider) Refresh(context.Context, *oauth.Credentials) (*oauth.Credentials, error) {
	return nil, oauth.ErrNeedsLogin
}

// With an account requests have its token and the beta that Anthropic wants with it, and say nothing else of a command
// line that did not send them.
func TestOAuth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config func(*claudeapi.Config)
		client []string
		want   map[string]string
	}{
		{name: "plain", want: map[string]string{"Anthropic-Beta": "oauth-2025-04-20"}},
		{
			name: "client's betas", client: []string{"a-1, b-2", "oauth-2025-04-20"},
			want: map[string]string{"Anthropic-Beta": "a-1,b-2,oauth-2025-04-20"},
		},
		{
			name: "configured", client: []string{"a-1"},
			config: func(c *claudeapi.Config) {
				c.Betas = []string{"c-3"}
				c.APIKey = ccproxy.NewSecret("sk-ant-not-to-be-sent")
				c.Headers = map[string]string{"x-app": "cli"}
				c.DefaultHeaders = map[string]string{"user-agent": "mine/1"}
			},
			want: map[string]string{"Anthropic-Beta": "a-1,c-3,oauth-2025-04-20", "X-App": "cli", "User-Agent": "mine/1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := claudeapi.DefaultConfig()
			cfg.Auth = "oauth"
			if tt.config != nil {
				tt.config(cfg)
			}
			up := &upstreamHeader{}
			p := withAccount(t, cfg, up)
			req := httptest.NewRequest(http.MethodPost, "/claude/v1/messages", strings.NewReader(`{"model":"m","messages":[]}`))
			req.Header["Anthropic-Beta"] = tt.client
			rec := httptest.NewRecorder()
			p.ServeHTTP(rec, req)
			if rec.Code != http.StatusOK {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
			want := map[string]string{
				"Authorization": "Bearer the-token", "X-Api-Key": "", "Anthropic-Version": "2023-06-01", "X-App": "",
				"User-Agent": "ccproxy/" + ccproxy.Version,
			}
			got := make(map[string]string)
			maps.Copy(want, tt.want)
			for name := range want {
				got[name] = strings.Join(up.last[name], "|")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func withAccount(t *testing.T, cfg *claudeapi.Config, up http.RoundTripper) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	err := reg.Register(claudeapi.Factory(), ccproxy.NewFactory(ccproxy.Manifest{
		Name: "login", Kind: ccproxy.KindAuth,
		OAuthProviders: []ccproxy.OAuthProviderSpec{{
			Name: "claude-api",
			New:  func(*ccproxy.PluginContext) (oauth.Provider, error) { return fixedProvider{}, nil },
		}},
	}, nil))
	if err != nil {
		t.Fatal(err)
	}
	p, err := reg.Build(ccproxy.Settings{}, ccproxy.WithTransport(up), ccproxy.WithPluginConfig(claudeapi.Name, *cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) })
	c := &oauth.Credentials{AccessToken: oauth.NewSecret("the-token")}
	if err := p.OAuth().Login(t.Context(), "claude-api", c); err != nil {
		t.Fatal(err)
	}
	return p
}
