package store_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

const claudeFile = `{"claudeAiOauth":{"accessToken":"sk-a","refreshToken":"sk-r","expiresAt":1926993906000,` +
	`"scopes":["user:inference","user:profile"],"subscriptionType":"max","rateLimitTier":{"n":9007199254740993}},` +
	`"mcpOAuth":{"srv|1":{"accessToken":"m","big":12345678901234567890,"html":"<&>"}},"organizationUuid":"o"}`

// codexFile is as Codex writes it: indented.
func codexFile(idToken, access, account string) string {
	return "{\n  \"OPENAI_API_KEY\": null,\n  \"auth_mode\": \"chatgpt\",\n  \"tokens\": {\n    \"id_token\": \"" + idToken +
		"\",\n    \"access_token\": \"" + access + "\",\n    \"refresh_token\": \"r\",\n    \"account_id\": \"" + account +
		"\",\n    \"future\": {\n      \"x\": 1.50\n    }\n  },\n  \"last_refresh\": \"2026-01-02T03:04:05.000000Z\"\n}\n"
}

func TestDecodeShapes(t *testing.T) {
	t.Parallel()
	expiry := time.Date(2031, 1, 24, 4, 5, 6, 0, time.UTC)
	idToken := jwt(`{"sub":"user-1","https://api.openai.com/auth":{"chatgpt_account_id":"acc-1"}}`)
	access := jwt(`{"exp":1926993906}`)
	extra := map[string]json.RawMessage{"future": json.RawMessage(`{"x":1.50}`)}
	codex := func(account string) *oauth.Credentials {
		return &oauth.Credentials{
			AccessToken: oauth.NewSecret(access), RefreshToken: oauth.NewSecret("r"), IDToken: oauth.NewSecret(idToken),
			Expiry: expiry, AccountID: account, Extra: extra,
		}
	}
	blank := &oauth.Credentials{RefreshToken: oauth.NewSecret("r")}
	tests := []struct {
		name  string
		shape store.Shape
		doc   string
		want  *oauth.Credentials
		err   error
	}{
		{name: "claude", shape: store.Claude{}, doc: claudeFile, want: &oauth.Credentials{
			AccessToken: oauth.NewSecret("sk-a"), RefreshToken: oauth.NewSecret("sk-r"), Expiry: expiry,
			Scopes: []string{"user:inference", "user:profile"},
			Extra: map[string]json.RawMessage{
				"subscriptionType": json.RawMessage(`"max"`), "rateLimitTier": json.RawMessage(`{"n":9007199254740993}`),
			},
		}},
		{
			name: "claude, long-lived", shape: store.Claude{},
			doc:  `{"claudeAiOauth":{"accessToken":"t","refreshToken":null,"expiresAt":null,"scopes":[]}}`,
			want: &oauth.Credentials{AccessToken: oauth.NewSecret("t")},
		},
		{
			name: "claude, seconds and words", shape: store.Claude{},
			doc: `{"claudeAiOauth":{"accessToken":"t","expiresAt":1926993906,"scopes":"a b"}}`,
			want: &oauth.Credentials{
				AccessToken: oauth.NewSecret("t"), Expiry: expiry, Scopes: []string{"a", "b"},
			},
		},
		{
			name: "claude, text", shape: store.Claude{},
			doc:  `{"claudeAiOauth":{"accessToken":"t","expiresAt":"2031-01-24T04:05:06Z"}}`,
			want: &oauth.Credentials{AccessToken: oauth.NewSecret("t"), Expiry: expiry},
		},
		{
			name: "claude, blanked", shape: store.Claude{},
			doc: `{"claudeAiOauth":{"accessToken":"","refreshToken":"r","expiresAt":0}}`, want: blank,
		},
		{name: "claude, logged out", shape: store.Claude{}, doc: `{"mcpOAuth":{}}`, err: oauth.ErrNoCredentials},
		{name: "claude, empty login", shape: store.Claude{}, doc: `{"claudeAiOauth":{}}`, err: oauth.ErrNoCredentials},
		{name: "claude, no object", shape: store.Claude{}, doc: `{"claudeAiOauth":[]}`, err: oauth.ErrCorrupt},
		{
			name: "claude, number for token", shape: store.Claude{},
			doc: `{"claudeAiOauth":{"accessToken":5}}`, err: oauth.ErrCorrupt,
		},
		{
			name: "claude, redacted", shape: store.Claude{},
			doc: `{"claudeAiOauth":{"accessToken":"[REDACTED]"}}`, err: oauth.ErrCorrupt,
		},
		{
			name: "claude, endless time", shape: store.Claude{},
			doc: `{"claudeAiOauth":{"accessToken":"t","expiresAt":1e300}}`, err: oauth.ErrCorrupt,
		},
		{name: "codex", shape: store.Codex{}, doc: codexFile(idToken, access, "acc-9"), want: codex("acc-9")},
		{name: "codex, user for account", shape: store.Codex{}, doc: codexFile(idToken, access, "user-1"), want: codex("acc-1")},
		{name: "codex, no account", shape: store.Codex{}, doc: codexFile(idToken, access, ""), want: codex("acc-1")},
		{
			name: "codex, key alone", shape: store.Codex{},
			doc: `{"OPENAI_API_KEY":"sk","tokens":null}`, err: oauth.ErrNoCredentials,
		},
		{name: "truncated", shape: store.Codex{}, doc: codexFile("", "", "")[:60], err: oauth.ErrCorrupt},
		{name: "empty", shape: store.Native{}, doc: "", err: oauth.ErrCorrupt},
		{name: "text", shape: store.Native{}, doc: "sk-plain", err: oauth.ErrCorrupt},
		{name: "two values", shape: store.Native{}, doc: `{"access_token":"t"} {}`, err: oauth.ErrCorrupt},
		{name: "negative generation", shape: store.Native{}, doc: `{"access_token":"t","generation":-1}`, err: oauth.ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.shape.Decode([]byte(tt.doc))
			if !errors.Is(err, tt.err) {
				t.Fatalf("Decode = %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Decode mismatch (-want +got):\n%s", diff)
			}
			if err != nil && strings.Contains(err.Error(), "sk-plain") {
				t.Error("the error quotes the document")
			}
		})
	}
}

// TestRefreshKeepsTheRest saves refreshed credentials and compares the whole file: only what was refreshed is
// another, at no level is anything lost or in another place.
func TestRefreshKeepsTheRest(t *testing.T) {
	t.Parallel()
	idToken, access, next := jwt(`{"sub":"u"}`), jwt(`{"exp":1926993906}`), jwt(`{"exp":1926999999}`)
	tests := []struct {
		name   string
		kind   string
		file   string
		expiry int64
		access string
		change *strings.Replacer
	}{
		{
			name: "claude", kind: "claude", file: claudeFile, expiry: 1926999999, access: "sk-2",
			change: strings.NewReplacer(`"sk-a"`, `"sk-2"`, `"sk-r"`, `"r-2"`, "1926993906000", "1926999999000"),
		},
		{
			name: "codex", kind: "codex", file: codexFile(idToken, access, "acc"), expiry: 1926999999, access: next,
			change: strings.NewReplacer(access, next, `"r"`, `"r-2"`),
		},
		{
			name: "native", kind: "native", expiry: 1926999999, access: "t-2",
			file: `{"written_by":{"version":2},"access_token":"t","refresh_token":"r","expiry":"2031-01-01T00:00:00Z",` +
				`"extra":{"plan":"max"},"later":[1,2]}`,
			change: strings.NewReplacer(`"t"`, `"t-2"`, `"r"`, `"r-2"`, "2031-01-01T00:00:00Z", "2031-01-24T05:46:39Z"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "login.json")
			write(t, path, tt.file)
			s := mustOpen(t, tt.kind+":"+path)
			c, err := s.Load(t.Context(), onlyID)
			if err != nil {
				t.Fatal(err)
			}
			c.AccessToken, c.RefreshToken = oauth.NewSecret(tt.access), oauth.NewSecret("r-2")
			c.Expiry = time.Unix(tt.expiry, 0)
			if err := s.Save(t.Context(), onlyID, c); err != nil {
				t.Fatal(err)
			}
			got, want := read(t, path), tt.change.Replace(tt.file)
			if tt.kind == "codex" {
				got = withoutLine(got, "last_refresh")
				want = withoutLine(want, "last_refresh")
			}
			if tt.kind == "native" { // extra is written anew
				got, want = sorted(t, got), sorted(t, want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the file mismatches (-want +got):\n%s", diff)
			}
		})
	}
}

func withoutLine(text, with string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, with) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func sorted(t *testing.T, doc string) string {
	t.Helper()
	var v map[string]json.RawMessage
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRefreshWithoutExtra saves credentials of a provider that forgets Extra: members stay after a refresh,
// and go with the login that they belonged to.
func TestRefreshWithoutExtra(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		generation uint64
		account    string
		want       bool
	}{
		{name: "refresh", generation: 2, want: true},
		{name: "login", generation: 1},
		{name: "login as somebody else", generation: 2, account: "other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "login.json")
			write(t, path, claudeFile)
			s := mustOpen(t, "claude:"+path)
			c := &oauth.Credentials{AccessToken: oauth.NewSecret("t"), Generation: tt.generation, AccountID: tt.account}
			if err := s.Save(t.Context(), onlyID, c); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(read(t, path), `"subscriptionType":"max"`); got != tt.want {
				t.Errorf("the plan is kept: %t, want %t", got, tt.want)
			}
			if !strings.Contains(read(t, path), `"mcpOAuth":{"srv|1":`) {
				t.Error("what is none of the login's is gone")
			}
		})
	}
}

// TestVendorLogsInAnew changes the file as the vendor's command would, which may keep members that it does
// not know: what was noted of the login before must not be taken for the new one's.
func TestVendorLogsInAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".credentials.json")
	s := mustOpen(t, "claude:"+path)
	c := &oauth.Credentials{
		AccessToken: oauth.NewSecret("old"), RefreshToken: oauth.NewSecret("old-r"), AccountID: "old-account", Generation: 9,
	}
	if err := s.Save(t.Context(), onlyID, c); err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.NewReplacer(`"old"`, `"new"`, `"old-r"`, `"new-r"`).Replace(read(t, path)))
	got, err := s.Load(t.Context(), onlyID)
	want := &oauth.Credentials{AccessToken: oauth.NewSecret("new"), RefreshToken: oauth.NewSecret("new-r")}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Load error %v, mismatch (-want +got):\n%s", err, diff)
	}
}

func TestNewVendorFiles(t *testing.T) {
	t.Parallel()
	c := &oauth.Credentials{
		AccessToken: oauth.NewSecret("a"), RefreshToken: oauth.NewSecret("r"), Scopes: []string{"s"}, AccountID: "acc",
		Expiry: time.Unix(1926993906, 0),
		Extra:  map[string]json.RawMessage{"subscriptionType": json.RawMessage(`"pro"`)},
	}
	doc, err := store.Claude{}.Encode(nil, c)
	want := `{"claudeAiOauth":{"accessToken":"a","refreshToken":"r","expiresAt":1926993906000,"scopes":["s"],` +
		`"subscriptionType":"pro"},"ccproxy":{"account_id":"acc","of":"ca978112ca1bbdca"}}`
	if diff := cmp.Diff(want, string(doc)); err != nil || diff != "" {
		t.Errorf("Claude: error %v, mismatch (-want +got):\n%s", err, diff)
	}
	doc, err = store.Codex{}.Encode(nil, &oauth.Credentials{AccessToken: oauth.NewSecret("a"), AccountID: "acc"})
	want = "{\n  \"OPENAI_API_KEY\": null,\n  \"tokens\": {\n    \"id_token\": \"\",\n    \"access_token\": \"a\",\n" +
		"    \"refresh_token\": \"\",\n    \"account_id\": \"acc\"\n  },\n}\n"
	if diff := cmp.Diff(want, withoutLine(string(doc), "last_refresh")); err != nil || diff != "" {
		t.Errorf("Codex: error %v, mismatch (-want +got):\n%s", err, diff)
	}
	var written struct {
		LastRefresh time.Time `json:"last_refresh"`
	}
	if err := json.Unmarshal(doc, &written); err != nil || time.Since(written.LastRefresh).Abs() > time.Minute {
		t.Errorf("last_refresh = %v, %v; want now", written.LastRefresh, err)
	}
}

func TestDeleteKeepsTheRest(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, kind, file, want string }{
		{"claude", "claude", claudeFile, `{"mcpOAuth":{"srv|1":{"accessToken":"m","big":12345678901234567890,"html":"<&>"}},` +
			`"organizationUuid":"o"}`},
		{"claude alone", "claude", `{"claudeAiOauth":{"accessToken":"t"}}`, ""},
		{
			"codex with a key", "codex", `{"OPENAI_API_KEY":"sk","tokens":{"access_token":"t"},"last_refresh":"x"}`,
			`{"OPENAI_API_KEY":"sk"}`,
		},
		{"codex", "codex", `{"OPENAI_API_KEY":null,"tokens":{"access_token":"t"}}`, ""},
		{"native", "native", `{"access_token":"t","later":1}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "login.json")
			write(t, path, tt.file)
			if err := mustOpen(t, tt.kind+":"+path).Delete(t.Context(), onlyID); err != nil {
				t.Fatal(err)
			}
			if got := read(t, path); got != tt.want {
				t.Errorf("the file holds %s, want %s", got, tt.want)
			}
			if names := names(t, filepath.Dir(path)); tt.want == "" && len(names) > 0 {
				t.Errorf("left: %q", names)
			}
		})
	}
}

func TestVendorPaths(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	tests := []struct {
		name string
		path func(string) (string, error)
		dir  string
		want string
	}{
		{"claude", store.ClaudePath, "", filepath.Join(home, ".claude", ".credentials.json")},
		{"claude elsewhere", store.ClaudePath, "c", filepath.Join("c", ".credentials.json")},
		{"codex", store.CodexPath, "", filepath.Join(home, ".codex", "auth.json")},
		{"codex elsewhere", store.CodexPath, "c", filepath.Join("c", "auth.json")},
	}
	for _, tt := range tests {
		if got, err := tt.path(tt.dir); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

// FuzzDecode lets any bytes be a file: an error is of a kind, and what is read can be written over the file
// and read again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(claudeFile))
	f.Add([]byte(codexFile(jwt(`{"sub":"u"}`), jwt(`{"exp":1}`), "u")))
	f.Add([]byte(`{"access_token":"t","extra":{"a":1},"generation":3,"expiry":"2031-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"tokens":{"access_token":"t"},"tokens":{"access_token":"u"},"ccproxy":{"of":"x"}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, shape := range []store.Shape{store.Native{}, store.Claude{}, store.Codex{}} {
			c, err := shape.Decode(doc)
			if err != nil {
				if c != nil || !errors.Is(err, oauth.ErrCorrupt) && !errors.Is(err, oauth.ErrNoCredentials) {
					t.Fatalf("%T: Decode = %v, %v", shape, c, err)
				}
				continue
			}
			if c.AccessToken.IsZero() {
				continue
			}
			again, err := shape.Encode(doc, c)
			if err != nil {
				t.Fatalf("%T: Encode = %v", shape, err)
			}
			got, err := shape.Decode(again)
			if err != nil {
				t.Fatalf("%T: Decode of what was encoded = %v", shape, err)
			}
			if diff := cmp.Diff(c, got); diff != "" {
				t.Fatalf("%T: mismatch (-want +got):\n%s", shape, diff)
			}
		}
	})
}
