package command

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// vendorServer is the fake authorization server on the loopback interface, with the id tokens of OpenAI.
type vendorServer struct {
	login *oauthtest.Server
	mu    sync.Mutex
	types []string // of the bodies that the token endpoint got
}

func (v *vendorServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != string(oauthtest.Token) {
		v.login.ServeHTTP(w, r)
		return
	}
	v.mu.Lock()
	v.types = append(v.types, r.Header.Get("Content-Type"))
	v.mu.Unlock()
	rec := httptest.NewRecorder()
	v.login.ServeHTTP(rec, r)
	var answer map[string]any
	if json.Unmarshal(rec.Body.Bytes(), &answer) == nil && answer["id_token"] != nil {
		claims := `{"sub":"user-1","https://api.openai.com/auth":{"chatgpt_account_id":"chatgpt-1"}}`
		encode := base64.RawURLEncoding.EncodeToString
		answer["id_token"] = encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(claims)) + ".c2ln"
		answer["account"] = map[string]any{"uuid": "anthropic-1"}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(rec.Code)
	_ = json.NewEncoder(w).Encode(answer)
}

// newVendorUser has the plugins that ship, whose endpoints are those of the fake.
func newVendorUser(t *testing.T) (*user, *vendorServer) {
	t.Helper()
	u := newUser(t)
	u.options.Factories = bundled.Factories()
	v := &vendorServer{login: &u.server}
	front := httptest.NewServer(v)
	t.Cleanup(front.Close)
	u.server.URL = front.URL
	table := fmt.Sprintf("client_id = %q\nauthorize_url = \"%[2]s/authorize\"\ntoken_url = \"%[2]s/token\"\n"+
		"revocation_url = \"%[2]s/revoke\"\nloopback_uri = \"http://127.0.0.1:0/callback\"\n",
		oauthtest.ClientID, front.URL)
	text := "[plugins.oauth_claude]\n" + table + "profile_url = \"\"\n[plugins.oauth_codex]\n" + table
	if err := os.WriteFile(filepath.Join(u.home, configName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return u, v
}

// TestVendorLogins goes through the life of a login with the plugins that ship, in the file of the vendor's command.
func TestVendorLogins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, provider, account, body, login, member string
		pasted                                       func(url.Values, string) string
	}{
		{
			"Claude by code", "claude-api", "anthropic-1", "application/json", "claudeAiOauth", "accessToken",
			func(q url.Values, _ string) string { return q.Get("code") + "#" + q.Get("state") },
		},
		{
			"Codex by address", "codex", "chatgpt-1", "application/x-www-form-urlencoded", "tokens", "access_token",
			func(_ url.Values, callback string) string { return callback },
		},
		{"Codex by browser", "codex", "chatgpt-1", "application/x-www-form-urlencoded", "tokens", "access_token", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, v := newVendorUser(t)
			path := filepath.Join(u.home, "vendor.json")
			if err := os.WriteFile(path, []byte(`{"kept":{"a":[1,2]}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"auth", "login", tt.provider, "--file", path, "--force"}
			if tt.pasted == nil {
				u.options.OpenBrowser = u.agree(t)
				stdout, _ := u.run(t, "", ExitOK, args...)
				has(t, stdout, "as "+tt.account)
			} else {
				ty := u.sit(t, append(args, "--manual")...)
				callback, err := u.server.Consent(ty.program.stderr.await(t, `(http://\S+/authorize\S+)\n`))
				if err != nil {
					t.Fatal(err)
				}
				back, err := url.Parse(callback)
				if err != nil {
					t.Fatal(err)
				}
				ty.enter(t, tt.pasted(back.Query(), callback))
				ty.program.wait(t, ExitOK)
				has(t, ty.program.stdout.String(), "as "+tt.account)
			}
			before := vendorToken(t, path, tt.login, tt.member)
			stdout, _ := u.run(t, "", ExitOK, "auth", "status", tt.provider, "--file", path)
			has(t, stdout, "valid", tt.account, "refresh token  yes")
			u.run(t, "", ExitOK, "auth", "refresh", tt.provider, "--file", path)
			after := vendorToken(t, path, tt.login, tt.member)
			if after == before || !u.server.Accepts(after) {
				t.Error("the refresh is not in the file")
			}
			stdout, _ = u.run(t, "", ExitOK, "auth", "providers")
			has(t, stdout, tt.provider)
			u.run(t, "", ExitOK, "auth", "logout", tt.provider, "--file", path, "-y")
			if u.server.Accepts(after) {
				t.Error("the login is not revoked")
			}
			if rest, err := os.ReadFile(path); err != nil || bytes.Contains(rest, []byte(tt.login)) ||
				!bytes.Contains(rest, []byte("kept")) {
				t.Errorf("after the logout: %s, %v", rest, err)
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			for _, got := range v.types {
				if !strings.HasPrefix(got, tt.body) {
					t.Errorf("the token endpoint got %s", got)
				}
			}
		})
	}
}

// vendorToken reads the access token as the vendor's command would.
func vendorToken(t *testing.T, path, login, member string) string {
	t.Helper()
	var doc map[string]json.RawMessage
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &doc)
	}
	var members map[string]any
	if err == nil {
		err = json.Unmarshal(doc[login], &members)
	}
	token, _ := members[member].(string)
	if err != nil || token == "" || !bytes.Contains(doc["kept"], []byte(`"a"`)) {
		t.Fatalf("the file has another shape: %v", err)
	}
	return token
}
