package middleware_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/middleware"
)

const (
	aliceKey = "ccp-Zk3Qv81LmWx0TfRb7eHy"
	bobKey   = "ccp-9sDaU2pNcG5jOi6oXq4E"
)

func twoKeys(t testing.TB) *middleware.Keys {
	t.Helper()
	keys, err := middleware.NewKeys(
		middleware.Key{Name: "alice", Value: middleware.NewSecret(aliceKey), Models: []string{"m1"}},
		middleware.Key{Name: "bob", Value: middleware.NewSecret(bobKey)},
	)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestNewKeysRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("aB3dE5gH", 600)
	tests := []struct {
		name  string
		key   string // the key's name
		value string
		want  string
	}{
		{"no name", "", aliceKey, "a name is missing"},
		{"no value", "a", "", "a value is missing"},
		{"name with a line break", "a\nb", aliceKey, "printable"},
		{"name with an escape", "a\x1b[31m", aliceKey, "printable"},
		{"name not UTF-8", "a\xff", aliceKey, "printable"},
		{"name too long", strings.Repeat("n", 65), aliceKey, "64 characters"},
		{"name is the value", aliceKey, aliceKey, "holds the value"},
		{"name holds the value", "x" + aliceKey, aliceKey, "holds the value"},
		{"same name", "bob", aliceKey, "another key has this name"},
		{"same value", "a", bobKey, "another key has this value"},
		{"short", "a", "s3cr3t!", "shorter than 8"},
		{"exchanged", aliceKey, "alice", "shorter than 8"},
		{"long", "a", long, "longer than 4096"},
		{"space", "a", "Bearer " + aliceKey, "cannot carry"},
		{"line break", "a", aliceKey + "\n", "cannot carry"},
		{"not ASCII", "a", "schlüssel-Zk3Qv81LmWx", "cannot carry"},
		{"redacted", "a", "[REDACTED]", "nothing filled in"},
		{"shell variable", "a", "${CCPROXY_KEY}", "nothing filled in"},
		{"bare variable", "a", "$CCPROXY_KEY", "nothing filled in"},
		{"template", "a", "{{.Values.key}}", "nothing filled in"},
		{"angle brackets", "a", "<insert-it>", "nothing filled in"},
	}
	for _, sample := range []string{
		"your-api-key", "your-api-key-1", "YOUR_API_KEY", "sk-your-key-here", "sk-ant-your-api-key-here", "changeme",
		"change-me-please", "CHANGEME123", "sk-xxxxxxxx", "sk-ant-xxx", "sk-ant-api03-xxxx", "xxxxxxxxxxxx", "sk-ant-...",
		"sk-1234567890", "12345678", "1234567890abcdef", "abcdefgh", "password", "password123", "Passw0rd",
		"my-secret-key", "supersecret", "test-your-token", "replace_with_key", "placeholder-1", "0000000000",
		"aaaaaaaaaaaaaaaa", "abababababab", "undefined", "sk-dummy-key", "fake-key-123", "sk-example-key", "********",
		"paste-token-here", "qwertyuiop", "my-api-key", "sk-********", "secret123",
	} {
		tests = append(tests, struct{ name, key, value, want string }{sample, "a", sample, "sample"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := middleware.NewKeys(
				middleware.Key{Name: "bob", Value: middleware.NewSecret(bobKey)},
				middleware.Key{Name: tt.key, Value: middleware.NewSecret(tt.value)},
			)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "key 2") {
				t.Fatalf("NewKeys = %v, want an error of key 2 with %q", err, tt.want)
			}
			for _, hidden := range []string{tt.value, aliceKey, bobKey} {
				if hidden != "" && strings.Contains(err.Error(), hidden) {
					t.Errorf("the error shows a value: %v", err)
				}
			}
		})
	}
}

func TestNewKeysNamesEveryBadKey(t *testing.T) {
	t.Parallel()
	_, err := middleware.NewKeys(middleware.Key{}, middleware.Key{Name: "a"})
	if err == nil || !strings.Contains(err.Error(), "key 1: a name") || !strings.Contains(err.Error(), "key 2: a value") {
		t.Errorf("NewKeys = %v, want errors of both keys", err)
	}
}

func TestNewKeysAccepts(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"k3y-7Qz!", aliceKey, "0f8fad5b-d9cb-469f-a165-70867728950e", "dGhlIHF1aWNrIGJyb3du",
		"sk-ant-api03-Zk3Qv81LmWx0TfRb7eHyAA", strings.Repeat("aB3dE5gH", 512), "team-a/7f3k9d==", "correct.horse.battery",
	} {
		keys, err := middleware.NewKeys(middleware.Key{Name: "Team Ä (CI)", Value: middleware.NewSecret(value)})
		if err != nil {
			t.Errorf("NewKeys of %.20q = %v", value, err)
			continue
		}
		if _, err := keys.Authenticate(http.Header{"X-Api-Key": {value}}); err != nil {
			t.Errorf("Authenticate with %.20q = %v", value, err)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	const alice, bob = "alice", "bob"
	type headers = http.Header
	bearer := "Bearer " + aliceKey
	tests := []struct {
		name   string
		header http.Header
		want   string // the key's name
		err    error
	}{
		{"bearer", headers{"Authorization": {bearer}}, alice, nil},
		{"x-api-key", headers{"X-Api-Key": {bobKey}}, bob, nil},
		{"scheme in lower case", headers{"Authorization": {"bearer " + aliceKey}}, alice, nil},
		{"scheme in upper case", headers{"Authorization": {"BEARER " + aliceKey}}, alice, nil},
		{"both right", headers{"Authorization": {bearer}, "X-Api-Key": {aliceKey}}, alice, nil},
		{"nothing", headers{}, "", middleware.ErrNoKey},
		{"nil", nil, "", middleware.ErrNoKey},
		{"keys elsewhere", headers{
			"Cookie": {"x-api-key=" + aliceKey}, "X_api_key": {aliceKey}, "X.api.key": {aliceKey}, "Api-Key": {aliceKey},
			"X-Goog-Api-Key": {aliceKey}, "Proxy-Authorization": {bearer}, "X-Authorization": {bearer},
		}, "", middleware.ErrNoKey},
		{"both right of different keys", headers{
			"Authorization": {bearer}, "X-Api-Key": {bobKey},
		}, "", middleware.ErrBadKey},
		{"bearer right, x-api-key wrong", headers{
			"Authorization": {bearer}, "X-Api-Key": {"wrong-key"},
		}, "", middleware.ErrBadKey},
		{"bearer wrong, x-api-key right", headers{
			"Authorization": {"Bearer wrong-key"}, "X-Api-Key": {aliceKey},
		}, "", middleware.ErrBadKey},
		{"both wrong", headers{"Authorization": {"Bearer wrong"}, "X-Api-Key": {"wrong"}}, "", middleware.ErrBadKey},
		{"bearer right, x-api-key empty", headers{
			"Authorization": {bearer}, "X-Api-Key": {""},
		}, "", middleware.ErrBadKey},
		{"bearer empty, x-api-key right", headers{
			"Authorization": {""}, "X-Api-Key": {aliceKey},
		}, "", middleware.ErrBadKey},
		{"no key after the scheme", headers{"Authorization": {"Bearer "}}, "", middleware.ErrBadKey},
		{"scheme alone", headers{"Authorization": {"Bearer"}}, "", middleware.ErrBadKey},
		{"key without a scheme", headers{"Authorization": {aliceKey}}, "", middleware.ErrBadKey},
		{"basic", headers{"Authorization": {
			"Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+aliceKey)),
		}}, "", middleware.ErrBadKey},
		{"basic beside x-api-key", headers{
			"Authorization": {"Basic YTpi"}, "X-Api-Key": {aliceKey},
		}, "", middleware.ErrBadKey},
		{"scheme with the key's length", headers{"Authorization": {"Token: " + aliceKey}}, "", middleware.ErrBadKey},
		{"two spaces", headers{"Authorization": {"Bearer  " + aliceKey}}, "", middleware.ErrBadKey},
		{"tab", headers{"Authorization": {"Bearer\t" + aliceKey}}, "", middleware.ErrBadKey},
		{"space before", headers{"Authorization": {" " + bearer}}, "", middleware.ErrBadKey},
		{"space after", headers{"Authorization": {bearer + " "}}, "", middleware.ErrBadKey},
		{"scheme in x-api-key", headers{"X-Api-Key": {bearer}}, "", middleware.ErrBadKey},
		{"twice the same", headers{"X-Api-Key": {aliceKey, aliceKey}}, "", middleware.ErrBadKey},
		{"right first, wrong second", headers{"Authorization": {bearer, "Bearer wrong"}}, "", middleware.ErrBadKey},
		{"wrong first, right second", headers{"Authorization": {"Bearer wrong", bearer}}, "", middleware.ErrBadKey},
		{"list", headers{"Authorization": {bearer + ", " + bearer}}, "", middleware.ErrBadKey},
		{"list of keys", headers{"X-Api-Key": {aliceKey + "," + bobKey}}, "", middleware.ErrBadKey},
		{"both keys in one", headers{"X-Api-Key": {aliceKey + bobKey}}, "", middleware.ErrBadKey},
		{"name of a key", headers{"X-Api-Key": {"alice"}}, "", middleware.ErrBadKey},
		{"huge", headers{"X-Api-Key": {strings.Repeat(aliceKey, 1<<16)}}, "", middleware.ErrBadKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := twoKeys(t).Authenticate(tt.header)
			if !errors.Is(err, tt.err) || got.Name != tt.want {
				t.Errorf("Authenticate = %q, %v, want %q, %v", got.Name, err, tt.want, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), aliceKey) {
				t.Errorf("the error shows a key: %v", err)
			}
		})
	}
}

// mutations are values near a right one: each differs from it by something that a careless comparison forgives.
func mutations(key string) []string {
	var out []string
	for i := range len(key) {
		out = append(out,
			key[:i]+key[i+1:], key[:i]+string(key[i]^1)+key[i+1:], key[:i]+string(key[i]^0x20)+key[i+1:],
			key[:i]+" "+key[i:], key[:i]+key[i:i+1]+key[i:], key[:i]+"\x00"+key[i:], key[:i]+"%"+fmt.Sprintf("%02x", key[i])+key[i+1:],
			key[:i], key[i+1:], key[:i]+"*",
		)
	}
	out = append(out,
		key+"\x00", key+"\n", key+"\r\n", key+"\t", key+",", key+";", key+"=", "\ufeff"+key, key+"\u200b", `"`+key+`"`, "'"+key+"'",
		"<"+key+">", key+key, strings.ToUpper(key), strings.ToLower(key), url.QueryEscape(key)+"%00", "Bearer "+key,
		base64.StdEncoding.EncodeToString([]byte(key)), fmt.Sprintf("%x", key), strings.ReplaceAll(key, "-", "_"),
		strings.ReplaceAll(key, "-", "\u2010"), strings.ReplaceAll(key, "c", "\u0441"), "*", "%", ".*", "null", "undefined",
	)
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == key })
}

func TestMutatedKeysAreRefused(t *testing.T) {
	t.Parallel()
	keys, tried := twoKeys(t), 0
	for _, m := range mutations(aliceKey) {
		for _, h := range []http.Header{
			{"X-Api-Key": {m}},
			{"Authorization": {"Bearer " + m}},
			{"Authorization": {"Bearer " + aliceKey}, "X-Api-Key": {m}},
			{"Authorization": {"Bearer " + m}, "X-Api-Key": {aliceKey}},
		} {
			tried++
			if key, err := keys.Authenticate(h); err == nil || key.Name != "" {
				t.Errorf("%q authenticates %q", h, key.Name)
			}
		}
	}
	if tried < 800 {
		t.Errorf("only %d mutations tried", tried)
	}
}

func TestAuthenticateGivesModelsAndNoValue(t *testing.T) {
	t.Parallel()
	models := []string{"m1"}
	keys, err := middleware.NewKeys(middleware.Key{Name: "a", Value: middleware.NewSecret(aliceKey), Models: models})
	if err != nil {
		t.Fatal(err)
	}
	models[0] = "changed"
	key, err := keys.Authenticate(http.Header{"X-Api-Key": {aliceKey}})
	if err != nil || !slices.Equal(key.Models, []string{"m1"}) || !key.Value.IsZero() {
		t.Errorf("Authenticate = %+v, %v, want the models as they were and no value", key, err)
	}
}

func TestNoKeysAcceptNothing(t *testing.T) {
	t.Parallel()
	none, err := middleware.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]*middleware.Keys{"nil": nil, "zero": {}, "none": none} {
		if _, err := keys.Authenticate(http.Header{"X-Api-Key": {aliceKey}}); !errors.Is(err, middleware.ErrBadKey) {
			t.Errorf("%s: Authenticate = %v, want ErrBadKey", name, err)
		}
		if _, err := keys.Authenticate(http.Header{}); !errors.Is(err, middleware.ErrNoKey) {
			t.Errorf("%s: Authenticate = %v, want ErrNoKey", name, err)
		}
	}
}

func TestKeysPrintNothing(t *testing.T) {
	t.Parallel()
	keys := twoKeys(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, keys); got != "2 API keys" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("keys", "keys", keys)
	text, err := json.Marshal(struct{ Keys *middleware.Keys }{keys})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{log.String(), string(text)} {
		if strings.Contains(s, "alice") || strings.Contains(s, aliceKey) {
			t.Errorf("shows keys: %s", s)
		}
	}
}

func TestAuthenticateConcurrently(t *testing.T) {
	t.Parallel()
	keys := twoKeys(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				a, errA := keys.Authenticate(http.Header{"X-Api-Key": {aliceKey}})
				b, errB := keys.Authenticate(http.Header{"X-Api-Key": {bobKey}})
				_, errC := keys.Authenticate(http.Header{"X-Api-Key": {"wrong-key"}})
				if a.Name != "alice" || b.Name != "bob" || errA != nil || errB != nil || errC == nil {
					t.Errorf("Authenticate mixes requests up: %q %v, %q %v, %v", a.Name, errA, b.Name, errB, errC)
					return
				}
			}
		})
	}
	wg.Wait()
}

// reached is a handler that notes that it was called.
func reached(called *bool) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { *called = true })
}

func TestAPIKeyRejects(t *testing.T) {
	t.Parallel()
	called := false
	handler := middleware.APIKey(twoKeys(t), middleware.APIKeyOptions{})(reached(&called))
	r := httptest.NewRequest(http.MethodPost, "/v1/messages", strings.NewReader("{}"))
	r.Header.Set("X-Api-Key", "wrong-key-1")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	want := `{"error":{"type":"authentication_error","message":"invalid API key"}}`
	if w.Code != http.StatusUnauthorized || w.Body.String() != want || called {
		t.Errorf("answer = %d %s, handler called: %t", w.Code, w.Body, called)
	}
	wantHeader := http.Header{
		"Www-Authenticate": {"Bearer"}, "Content-Type": {"application/json"},
		"X-Content-Type-Options": {"nosniff"}, "Cache-Control": {"no-store"},
	}
	if diff := cmp.Diff(wantHeader, w.Header()); diff != "" {
		t.Errorf("header mismatch (-want +got):\n%s", diff)
	}
}

func TestAPIKeyRendersRejections(t *testing.T) {
	t.Parallel()
	called := false
	handler := middleware.APIKey(twoKeys(t), middleware.APIKeyOptions{
		Reject: func(w http.ResponseWriter, _ *http.Request, err error) {
			e, ok := errors.AsType[*middleware.RejectError](err)
			if !ok || e.Status != http.StatusUnauthorized || !errors.Is(err, middleware.ErrNoKey) {
				t.Errorf("Reject got %v", err)
			}
			w.WriteHeader(http.StatusTeapot)
		},
	})(reached(&called))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusTeapot || w.Header().Get("WWW-Authenticate") != "Bearer" || called {
		t.Errorf("answer = %d %v, handler called: %t", w.Code, w.Header(), called)
	}
}

func TestAPIKeyPassesOn(t *testing.T) {
	t.Parallel()
	var got http.Header
	handler := middleware.APIKey(twoKeys(t), middleware.APIKeyOptions{
		OnOK: func(r *http.Request, key middleware.Key) *http.Request {
			r = r.Clone(r.Context())
			r.Header.Set("Caller", key.Name)
			return r
		},
	})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Api-Key", bobKey)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	want := http.Header{"Caller": {"bob"}, "X-Api-Key": {bobKey}}
	if diff := cmp.Diff(want, got); diff != "" || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("header inside mismatch (-want +got):\n%s, answer %v", diff, w.Header())
	}
}

func TestAPIKeyExempt(t *testing.T) {
	t.Parallel()
	called := false
	handler := middleware.APIKey(twoKeys(t), middleware.APIKeyOptions{
		Exempt: func(r *http.Request) bool { return r.URL.Path == "/health" },
	})(reached(&called))
	r := httptest.NewRequest(http.MethodGet, "/health", nil)
	r.Header.Set("X-Api-Key", "a wrong key does not matter here")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if !called {
		t.Error("an exempt request was refused")
	}
}

// TestAPIKeyBypasses sends no key in many ways that have opened other servers.
func TestAPIKeyBypasses(t *testing.T) {
	t.Parallel()
	called := false
	handler := middleware.APIKey(twoKeys(t), middleware.APIKeyOptions{})(reached(&called))
	paths := []string{
		"/v1/messages", "//v1/messages", "/v1//messages", "/V1/MESSAGES", "/v1/messages/", "/v1/messages/.", "/v1/%6dessages",
		"/health/../v1/messages", "/v1/messages;a=b", "/v1/messages%00.css", "/v1/messages?key=" + aliceKey, "/v1/messages/health",
		"/health%2f..%2fv1/messages", "/v1/messages#health", "/.well-known/../v1/messages", "/v1\\messages", "/", "/favicon.ico",
	}
	headers := []http.Header{
		{},
		{"X-Forwarded-Uri": {"/health"}},
		{"X-Original-Url": {"/health"}},
		{"X-Rewrite-Url": {"/health"}},
		{"X-Forwarded-For": {"127.0.0.1"}},
		{"X-Real-Ip": {"::1"}},
		{"Forwarded": {"for=127.0.0.1"}},
		{"X-Http-Method-Override": {"OPTIONS"}},
		{"User-Agent": {"kube-probe/1.30"}},
		{"Host": {"localhost"}},
		{"Origin": {"http://localhost"}, "Access-Control-Request-Method": {"POST"}},
		{"X-Api-Key": {}},
		{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
		{"Authorization": {"Bearer " + "null"}},
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT", "TRACE", "post", "FOO"}
	tried := 0
	for _, path := range paths {
		for _, header := range headers {
			for _, method := range methods {
				r := &http.Request{Method: method, URL: &url.URL{Path: path}, RequestURI: path, Header: header}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				tried++
				if w.Code != http.StatusUnauthorized || called {
					t.Fatalf("%s %s with %v = %d, handler called: %t", method, path, header, w.Code, called)
				}
			}
		}
	}
	if tried < 2000 {
		t.Errorf("only %d requests tried", tried)
	}
}

func BenchmarkAPIKey(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		var all []middleware.Key
		for i := range n {
			value := middleware.NewSecret(fmt.Sprintf("%s-%d", aliceKey, i))
			all = append(all, middleware.Key{Name: fmt.Sprintf("k%d", i), Value: value})
		}
		keys, err := middleware.NewKeys(all...)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			handler := middleware.APIKey(keys, middleware.APIKeyOptions{})(http.HandlerFunc(quiet))
			r := httptest.NewRequest(http.MethodPost, "/v1/messages", nil)
			r.Header.Set("Authorization", "Bearer "+aliceKey+"-0")
			var w http.ResponseWriter = bareWriter{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(w, r)
			}
		})
	}
}
