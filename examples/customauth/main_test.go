package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPluginIsShort(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("plugin.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(src)) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	if n > 50 {
		t.Errorf("the plugin has %d lines, and should show that 50 are enough", n)
	}
}

// roundTripper is the authorization server.
type roundTripper func(*http.Request) (int, string)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	status, body := f(r)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader(body)), Request: r,
		Header: http.Header{"Content-Type": {"application/json"}},
	}, nil
}

func TestLogin(t *testing.T) { //nolint:tparallel // as above
	t.Parallel()
	server := roundTripper(func(r *http.Request) (int, string) {
		if r.URL.String() != "https://auth.example.com/token" || r.FormValue("code") != "good" {
			return http.StatusBadRequest, `{"error":"invalid_grant"}`
		}
		return http.StatusOK, `{"access_token":"at-1","token_type":"Bearer","account_id":"me@example.com"}`
	})
	proxy, err := newProxy("https://host.example/llm", ccproxy.WithTransport(server), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer proxy.Shutdown(t.Context())
	state := begin(t, proxy)
	tests := []struct {
		name, query string
		status      int
		body        string
	}{
		{name: "state of nobody", query: "code=good&state=x", status: 400, body: "nobody asked"},
		{name: "good code", query: "code=good&state=" + state, status: 200, body: "logged in as me@example.com"},
		{name: "state a second time", query: "code=good&state=" + state, status: 400, body: "nobody asked"},
		{name: "wrong code", query: "code=bad&state=" + begin(t, proxy), status: 502, body: "login failed"},
	}
	for _, tt := range tests { //nolint:paralleltest // one after the other: states are used up
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, httptest.NewRequest("GET", "/login/callback?"+tt.query, nil))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("answer = %d %q, want %d %q", w.Code, w.Body.String(), tt.status, tt.body)
			}
		})
	}
}

// begin returns the state of a new login.
func begin(t *testing.T, proxy http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest("GET", "/login", nil))
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusFound || to.Host != "auth.example.com" {
		t.Fatalf("answer = %d to %v, %v, want a redirect to the authorization server", w.Code, to, err)
	}
	if got := to.Query().Get("redirect_uri"); got != "https://host.example/llm/login/callback" {
		t.Errorf("redirect_uri = %q", got)
	}
	return to.Query().Get("state")
}
