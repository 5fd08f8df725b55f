package dashboard_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

const bearer = "Authorization"

// login logs a browser in and returns its cookie.
func (r *rig) login(key string) *http.Cookie {
	r.t.Helper()
	res := r.do(http.MethodPost, "/dashboard/session", "", bearer, "Bearer "+key)
	if res.StatusCode != http.StatusNoContent || len(res.Cookies()) != 1 {
		r.t.Fatalf("login: %d %v", res.StatusCode, res.Header)
	}
	return res.Cookies()[0]
}

func cookie(c *http.Cookie) []string { return []string{"Cookie", c.Name + "=" + c.Value} }

// Where there are keys the page itself is to be had, figures are not.
func TestKeysAreAskedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{security: twoKeys()})
	for path, want := range map[string]int{
		"/dashboard": 200, "/dashboard/assets/app.js": 200, "/dashboard/session": 200,
		"/dashboard/data": 401, "/dashboard/events": 401, "/dashboard/assets/../data": 401,
	} {
		if got := r.status(http.MethodGet, path); got != want {
			t.Errorf("GET %s: %d, want %d", path, got, want)
		}
	}
	for _, header := range [][]string{nil, {bearer, "Bearer wrong-key-01234567"}} {
		if got := r.status(http.MethodPost, "/dashboard/session", header...); got != http.StatusUnauthorized {
			t.Errorf("a login with %v: %d", header, got)
		}
	}
	if f := r.data("", nil, bearer, "Bearer "+aliceKey); f.Caller != "alice" || f.Session {
		t.Errorf("with a key: %+v", f)
	}
}

// A login's cookie is good for figures alone, no script has it, and it ends with the logout, streams included.
func TestSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{security: twoKeys(), prefix: "/llm"})
	if got := text(t, r.do(http.MethodGet, "/dashboard/session", "")); got != `{"login":true}` {
		t.Errorf("before the login: %s", got)
	}
	c := r.login(bobKey)
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "" || c.Domain != "" || c.MaxAge != 12*3600 ||
		len(c.Value) < 26 || strings.Contains(c.Value, bobKey) {
		t.Errorf("the cookie is %+v", c)
	}
	if other := r.login(bobKey); other.Value == c.Value {
		t.Error("two logins have one cookie")
	}
	if got := text(t, r.do(http.MethodGet, "/dashboard/session", "", cookie(c)...)); got != `{"login":false}` {
		t.Errorf("after the login: %s", got)
	}
	if f := r.data("", nil, cookie(c)...); f.Caller != "bob" || !f.Session {
		t.Errorf("with the cookie: %s %t", f.Caller, f.Session)
	}
	for _, at := range [][2]string{
		{"GET", "/plugins"},
		{"GET", "/v1/models"},
		{"POST", "/claude/v1/messages"},
		{"POST", "/dashboard/session"},
		{"GET", "/openapi.json"},
		{"GET", "/dashboard/nothing"},
		{"GET", "/dashboard/data/../../plugins"},
		{"GET", "/dashboard/%2e%2e/plugins"},
	} {
		if got := r.status(at[0], at[1], cookie(c)...); got != http.StatusUnauthorized {
			t.Errorf("%s %s with the cookie: %d", at[0], at[1], got)
		}
	}
	s := r.events("", cookie(c)...)
	if err := s.next("figures", new(figures)); err != nil {
		t.Fatal(err)
	}
	res := r.do(http.MethodDelete, "/dashboard/session", "", cookie(c)...)
	if res.StatusCode != http.StatusNoContent || len(res.Cookies()) != 1 || res.Cookies()[0].MaxAge >= 0 {
		t.Errorf("logout: %d %v", res.StatusCode, res.Header)
	}
	if _, err := io.Copy(io.Discard, s.lines); err != nil {
		t.Errorf("the stream does not end well: %v", err)
	}
	for _, bad := range []string{c.Name + "=" + c.Value, c.Name + "=", c.Name + "=x; " + c.Name + "=y"} {
		if got := r.status(http.MethodGet, "/dashboard/data", "Cookie", bad); got != http.StatusUnauthorized {
			t.Errorf("with %s after the logout: %d", bad, got)
		}
	}
}

// A caller's browsers have so many sessions; the oldest makes room, and nobody else's.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{security: twoKeys()})
	bobs, first := r.login(bobKey), r.login(aliceKey)
	var last *http.Cookie
	for range 20 {
		last = r.login(aliceKey)
	}
	for name, tt := range map[string]struct {
		cookie *http.Cookie
		want   int
	}{"the oldest": {first, 401}, "the latest": {last, 200}, "somebody else's": {bobs, 200}} {
		if got := r.status(http.MethodGet, "/dashboard/data", cookie(tt.cookie)...); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// Behind TLS the cookie does not go over plain connections.
func TestSessionOverTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{security: twoKeys(), wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			req.TLS = new(tls.ConnectionState)
			next.ServeHTTP(w, req)
		})
	}})
	c := r.login(aliceKey)
	if !c.Secure || !strings.HasPrefix(c.Name, "__Secure-") {
		t.Errorf("the cookie is %+v", c)
	}
	r.data("", nil, cookie(c)...)
}

// Browsers send the cookies of a host to all of its ports: a login at another proxy must not end the one here.
func TestSessionsOfTwoPorts(t *testing.T) {
	t.Parallel()
	a, b := newRig(t, setup{security: twoKeys()}), newRig(t, setup{security: twoKeys()})
	here, there := a.login(aliceKey), b.login(aliceKey)
	if here.Name == there.Name {
		t.Errorf("both cookies are %s", here.Name)
	}
	a.data("", nil, "Cookie", here.Name+"="+here.Value+"; "+there.Name+"="+there.Value)
}

// With admins set, figures are for them alone, whoever may call.
func TestAdmins(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{security: twoKeys(), table: map[string]any{"admins": []any{"alice"}}})
	if got := r.status(http.MethodGet, "/dashboard/data", bearer, "Bearer "+bobKey); got != http.StatusForbidden {
		t.Errorf("bob: %d", got)
	}
	if got := r.status(http.MethodGet, "/dashboard/events", cookie(r.login(bobKey))...); got != http.StatusForbidden {
		t.Errorf("bob's browser: %d", got)
	}
	r.data("", nil, cookie(r.login(aliceKey))...)
}

// A host that knows its users needs no login.
func TestHostsThatAuthenticate(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{security: twoKeys(), wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			next.ServeHTTP(w, req.WithContext(ccproxy.ContextWithCaller(req.Context(), ccproxy.Caller{ID: "carol"})))
		})
	}})
	if f := r.data("", nil); f.Caller != "carol" || f.Session {
		t.Errorf("the caller is %q", f.Caller)
	}
	if got := text(t, r.do(http.MethodGet, "/dashboard/session", "")); got != `{"login":false}` {
		t.Errorf("the page is told %s", got)
	}
}

// The page and all of its parts come from here, with a policy that lets nothing else in, below any prefix.
func TestPage(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/", "/llm", "/a/b c"} {
		r := newRig(t, setup{prefix: prefix})
		r.base = strings.ReplaceAll(r.base, " ", "%20")
		res := r.do(http.MethodGet, "/dashboard", "")
		page := text(t, res)
		links := regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(page, -1)
		if len(links) < 4 || strings.Contains(page, "<script>") || strings.Contains(page, "style=") {
			t.Fatalf("the page has %d parts:\n%s", len(links), page)
		}
		for _, link := range links {
			part := r.do(http.MethodGet, "/"+link[1], "")
			if part.StatusCode != http.StatusOK || part.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("%s: %d %v", link[1], part.StatusCode, part.Header)
			}
			if got := r.status(http.MethodGet, "/"+link[1], "If-None-Match", part.Header.Get("ETag")); got != 304 {
				t.Errorf("%s again: %d", link[1], got)
			}
		}
		policy := res.Header.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'",
		} {
			if !strings.Contains(policy, want) {
				t.Errorf("the policy lacks %s: %s", want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("the policy is unsafe: %s", policy)
		}
		slash := r.do(http.MethodGet, "/dashboard/", "")
		at, err := slash.Location()
		if err != nil || at.String() != r.base+"/dashboard" {
			t.Errorf("with a slash: %d to %v, %v", slash.StatusCode, at, err)
		}
	}
}

// What clients and upstreams write stays text of JSON, cut where it is too long.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	hostile := "</script><script>alert(1)</script>\u2028\x00\"'\xff" + strings.Repeat("A", 100_000)
	r.feed.emit(&hooks.RequestFailed{
		Request: hooks.Request{
			ID: hostile, Method: hostile, Path: hostile, Endpoint: hostile, CallerID: hostile, ClientFormat: hostile,
			Model: hostile, Provider: hostile,
		},
		Err: hostile, ErrorType: hostile, UpstreamModel: hostile, Account: hostile, Status: 500,
	})
	r.data("", func(f *figures) bool { return len(f.Requests.Ended) == 1 })
	res := r.do(http.MethodGet, "/dashboard/data", "")
	body := text(t, res)
	if strings.Contains(body, "<script") || len(body) > 20_000 {
		t.Errorf("%d bytes, or tags in them", len(body))
	}
	if h := res.Header; h.Get("Content-Type") != "application/json" || h.Get("X-Content-Type-Options") != "nosniff" ||
		h.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", h)
	}
}
