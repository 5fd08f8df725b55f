package codex_test

import (
	"context"
	"encoding/base64"
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
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/codex"
	"github.com/ccproxy-go/ccproxy/plugintest"
	provider "github.com/ccproxy-go/ccproxy/providers/codex"
)

// vendor is OpenAI's authorization server and ChatGPT.
type vendor struct {
	mu     sync.Mutex
	tokens []url.Values
	calls  []http.Header
}

func jwt(claims map[string]any) string {
	b, _ := json.Marshal(claims)
	return "e30." + base64.RawURLEncoding.EncodeToString(b) + ".sig"
}

func tokens() (id, access string) {
	auth := map[string]any{"chatgpt_account_id": "acc-chatgpt", "chatgpt_plan_type": "plus"}
	id = jwt(map[string]any{"sub": "user-1", "email": "me@example.com", "https://api.openai.com/auth": auth})
	return id, jwt(map[string]any{"sub": "user-1", "exp": time.Now().Add(time.Hour).Unix()})
}

func (v *vendor) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/json")
	b, _ := io.ReadAll(req.Body)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch req.URL.Host + req.URL.Path {
	case "auth.openai.com/oauth/token":
		form, _ := url.ParseQuery(string(b))
		v.tokens = append(v.tokens, form)
		id, access := tokens()
		answer, _ := json.Marshal(map[string]string{"id_token": id, "access_token": access, "refresh_token": "refresh-new"})
		_, _ = rec.Write(answer)
	case "chatgpt.com/backend-api/codex/responses":
		v.calls = append(v.calls, req.Header.Clone())
		rec.Header().Set("Content-Type", "text/event-stream")
		_, _ = rec.WriteString("event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":" +
			"{\"id\":\"r\",\"object\":\"response\",\"status\":\"completed\",\"output\":[],\"usage\":{}}}\n\n")
	default:
		rec.WriteHeader(http.StatusNotFound)
	}
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}

func build(t *testing.T, table map[string]any, opts ...ccproxy.Option) (*ccproxy.Proxy, error) {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(codex.Factory(), provider.Factory()); err != nil {
		t.Fatal(err)
	}
	table["enabled"] = true
	return reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{codex.Name: table}}, opts...)
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	plugintest.TestFactory(t, codex.Factory())
}

// A login is spoken as OpenAI wants it, kept as the Codex CLI keeps it, and used by the provider codex with the account
// that the token names.
func TestLogin(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "auth.json")
	v := &vendor{}
	p, err := build(t, map[string]any{"store": "file", "path": path}, ccproxy.WithTransport(v))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) })
	body := `{"model":"gpt-5.3-codex","input":"hi","stream":true}`
	ask := func() *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		p.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/codex/v1/responses", strings.NewReader(body)))
		return rec
	}
	if rec := ask(); rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), "auth login codex") {
		t.Errorf("before the login: %d %s", rec.Code, rec.Body)
	}
	auth, err := p.OAuth().Provider(codex.Account)
	if err != nil {
		t.Fatal(err)
	}
	redirect := "http://localhost:1455/auth/callback"
	c, err := auth.HandleCallback(t.Context(), oauth.Callback{Code: "the-code", Verifier: "the-verifier", RedirectURI: redirect})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.OAuth().Login(t.Context(), codex.Account, c); err != nil {
		t.Fatal(err)
	}
	if rec := ask(); rec.Code != http.StatusOK {
		t.Errorf("after the login: %d %s", rec.Code, rec.Body)
	}
	if len(v.calls) != 1 || v.calls[0].Get("Chatgpt-Account-Id") != "acc-chatgpt" {
		t.Errorf("ChatGPT was called with %v", v.calls)
	}
	if err := p.OAuth().Refresh(t.Context(), codex.Account); err != nil {
		t.Fatal(err)
	}
	client := codex.DefaultConfig().ClientID
	want := []url.Values{
		{
			"grant_type": {"authorization_code"}, "code": {"the-code"}, "redirect_uri": {redirect},
			"code_verifier": {"the-verifier"}, "client_id": {client},
		},
		{
			"grant_type": {"refresh_token"}, "refresh_token": {"refresh-new"}, "client_id": {client},
			"scope": {"openid profile email offline_access"},
		},
	}
	if diff := cmp.Diff(want, v.tokens); diff != "" {
		t.Errorf("token requests (-want +got):\n%s", diff)
	}
	s, err := p.OAuth().Status(t.Context(), codex.Account)
	shown, _ := json.Marshal(s.Summary)
	if err != nil || string(shown) != `{"account":"acc-chatgpt","email":"me@example.com","plan":"plus"}` || s.Expiry.IsZero() {
		t.Errorf("Status = %s, %+v, %v", shown, s, err)
	}
	var file struct {
		Tokens map[string]string `json:"tokens"`
	}
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &file) != nil || file.Tokens["account_id"] != "acc-chatgpt" {
		t.Errorf("%v: %s", err, b)
	}
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	for name, table := range map[string]map[string]any{
		"file without a path": {"store": "file"},
		"unknown store":       {"store": "cloud"},
		"token in the clear":  {"token_url": "http://auth.example.com/token"},
		"no loopback":         {"loopback_uri": ""},
	} {
		_, err := build(t, table)
		if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), "plugins.oauth_codex") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
