package claude_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/claude"
	"github.com/ccproxy-go/ccproxy/plugintest"
)

// vendor is an authorization server that answers as Anthropic's does, and notes what it was sent.
type vendor struct {
	mu     sync.Mutex
	tokens []map[string]string
	types  []string
}

func (v *vendor) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/json")
	switch req.URL.Host + req.URL.Path {
	case "console.anthropic.com/v1/oauth/token":
		var body map[string]string
		b, _ := io.ReadAll(req.Body)
		_ = json.Unmarshal(b, &body)
		v.mu.Lock()
		v.tokens, v.types = append(v.tokens, body), append(v.types, req.Header.Get("Content-Type"))
		v.mu.Unlock()
		_, _ = rec.WriteString(`{"token_type":"Bearer","access_token":"access-` + body["grant_type"] +
			`","refresh_token":"refresh-new","expires_in":28800,"scope":"user:inference",` +
			`"account":{"uuid":"acc-1","email_address":"me@example.com"}}`)
	case "api.anthropic.com/api/oauth/profile":
		if req.Header.Get("Authorization") != "Bearer access-authorization_code" {
			rec.WriteHeader(http.StatusUnauthorized)
			break
		}
		_, _ = rec.WriteString(`{"account":{"uuid":"acc-1","has_claude_max":true,"has_claude_pro":true}}`)
	default:
		rec.WriteHeader(http.StatusNotFound)
	}
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}

func start(t *testing.T, table map[string]any, opts ...ccproxy.Option) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(claude.Factory()); err != nil {
		t.Fatal(err)
	}
	table["enabled"] = true
	p, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{claude.Name: table}}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.StartOnly(t.Context(), claude.Name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) })
	return p
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	plugintest.TestFactory(t, claude.Factory())
}

func TestOffByDefault(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(claude.Factory()); err != nil {
		t.Fatal(err)
	}
	p, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) }()
	_, err = p.OAuth().Source(claude.Account).Token(t.Context())
	if err == nil || !strings.Contains(err.Error(), "plugins.oauth_claude.enabled = true") {
		t.Errorf("Token = %v", err)
	}
}

// A login and a refresh are spoken as Anthropic wants them, and kept as its command line keeps them.
func TestLogin(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, []byte(`{"kept":[1,2]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	v := &vendor{}
	p := start(t, map[string]any{"store": "file", "path": path}, ccproxy.WithTransport(v))
	provider, err := p.OAuth().Provider(claude.Account)
	if err != nil {
		t.Fatal(err)
	}
	redirect := "https://console.anthropic.com/oauth/code/callback"
	address, err := provider.AuthorizationURL(t.Context(), oauth.AuthorizationRequest{
		State: "the-state", Verifier: "the-verifier", RedirectURI: redirect,
	})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(address)
	want := url.Values{
		"code": {"true"}, "client_id": {claude.DefaultConfig().ClientID}, "response_type": {"code"}, "state": {"the-state"},
		"redirect_uri": {redirect}, "scope": {"org:create_api_key user:profile user:inference"},
		"code_challenge": {oauth.Challenge("the-verifier")}, "code_challenge_method": {"S256"},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" || !strings.HasPrefix(address, "https://claude.ai/oauth/authorize?") {
		t.Errorf("%s (-want +got):\n%s", u.Host+u.Path, diff)
	}
	c, err := provider.HandleCallback(t.Context(), oauth.Callback{
		Code: "the-code", State: "the-state", Verifier: "the-verifier", RedirectURI: redirect,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.OAuth().Login(t.Context(), claude.Account, c); err != nil {
		t.Fatal(err)
	}
	s, err := p.OAuth().Status(t.Context(), claude.Account)
	shown, _ := json.Marshal(s.Summary)
	if err != nil || string(shown) != `{"account":"acc-1","plan":"max"}` {
		t.Errorf("Status = %s, %v", shown, err)
	}
	if err := p.OAuth().Refresh(t.Context(), claude.Account); err != nil {
		t.Fatal(err)
	}
	requests := []map[string]string{
		{
			"grant_type": "authorization_code", "code": "the-code", "state": "the-state", "redirect_uri": redirect,
			"code_verifier": "the-verifier", "client_id": claude.DefaultConfig().ClientID,
		},
		{"grant_type": "refresh_token", "refresh_token": "refresh-new", "client_id": claude.DefaultConfig().ClientID},
	}
	if diff := cmp.Diff(requests, v.tokens); diff != "" {
		t.Errorf("token requests (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"application/json", "application/json"}, v.types); diff != "" {
		t.Errorf("content types (-want +got):\n%s", diff)
	}
	var file struct {
		Kept  []int
		Login struct {
			AccessToken, SubscriptionType string
			Scopes                        []string
		} `json:"claudeAiOauth"`
	}
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &file) != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if file.Login.AccessToken != "access-refresh_token" || file.Login.SubscriptionType != "max" || len(file.Kept) != 2 {
		t.Errorf("the file holds %s", b)
	}
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	for name, table := range map[string]map[string]any{
		"file without a path":  {"store": "file"},
		"unknown store":        {"store": "cloud"},
		"token in the clear":   {"token_url": "http://auth.example.com/token"},
		"profile in the clear": {"profile_url": "http://auth.example.com/profile"},
		"no client":            {"client_id": ""},
		"unknown key":          {"tokenurl": "https://auth.example.com"},
	} {
		var reg ccproxy.Registry
		if err := reg.Register(claude.Factory()); err != nil {
			t.Fatal(err)
		}
		table["enabled"] = true
		_, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{claude.Name: table}})
		if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), "plugins.oauth_claude") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
