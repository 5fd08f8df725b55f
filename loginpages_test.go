package ccproxy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// pending is a login that a browser has begun, and that the user has agreed to.
type pending struct {
	back   *url.URL // where the authorization server sends the browser
	cookie *http.Cookie
}

// serve answers one request below the mount.
func (r *loginRig) serve(req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r.proxy.Mount("/llm").ServeHTTP(rec, req)
	return rec
}

func (r *loginRig) begin(t *testing.T, provider string, edit func(*http.Request)) pending {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, publicURL+"/oauth/"+provider+"/login", nil)
	if edit != nil {
		edit(req)
	}
	rec := r.serve(req)
	cookies := rec.Result().Cookies()
	if rec.Code != http.StatusFound || len(cookies) != 1 {
		t.Fatalf("login: %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	address, err := r.server.Consent(rec.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return pending{back, cookies[0]}
}

// request is that of the browser that comes back.
func (p pending) request(edit func(url.Values)) *http.Request {
	u := *p.back
	q := u.Query()
	if edit != nil {
		edit(q)
	}
	u.RawQuery = q.Encode()
	req := httptest.NewRequest(http.MethodGet, u.String(), nil)
	req.AddCookie(&http.Cookie{Name: p.cookie.Name, Value: p.cookie.Value})
	return req
}

func wantPrivate(t *testing.T, name string, h http.Header) {
	t.Helper()
	for key, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	} {
		if got := h.Get(key); got != want {
			t.Errorf("%s: %s = %q, want %q", name, key, got, want)
		}
	}
}

func TestLoginInABrowser(t *testing.T) {
	t.Parallel()
	r := newLoginRig(t, loginSetup{})
	p := r.begin(t, "idp", nil)
	c := p.cookie
	if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" ||
		c.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie %v", c)
	}
	rec := r.serve(p.request(nil))
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "You are logged in") {
		t.Errorf("callback: %d %s", rec.Code, rec.Body)
	}
	wantPrivate(t, "callback", rec.Header())
	if rec := r.ask(wholeBody); rec.Code != http.StatusOK {
		t.Errorf("a call: %d %s", rec.Code, rec.Body)
	}
	status := visit(r.proxy, http.MethodGet, "/oauth/idp/status", "")
	var s ccproxy.AccountStatus
	if err := json.Unmarshal(status.Body.Bytes(), &s); err != nil || s.State != oauth.StateOK || s.AccountID != "account-1" {
		t.Errorf("status: %s", status.Body)
	}
	refreshed := visit(r.proxy, http.MethodPost, "/oauth/idp/refresh", "{}")
	for name, body := range map[string]string{"status": status.Body.String(), "refresh": refreshed.Body.String()} {
		if strings.Contains(body, "oauthtest-access") || strings.Contains(body, "oauthtest-refresh") {
			t.Errorf("%s shows a token: %s", name, body)
		}
	}
	if refreshed.Code != http.StatusOK || r.server.Counts().Refreshes != 1 {
		t.Errorf("refresh: %d %s", refreshed.Code, refreshed.Body)
	}
	if rec := visit(r.proxy, http.MethodPost, "/oauth/idp/revoke", ""); rec.Code != http.StatusNoContent {
		t.Errorf("revoke: %d %s", rec.Code, rec.Body)
	}
	if rec := r.ask(wholeBody); rec.Code != http.StatusUnauthorized {
		t.Errorf("a call after the logout: %d", rec.Code)
	}
	text, _ := r.told(t)
	for _, secret := range []string{p.back.Query().Get("state"), p.back.Query().Get("code"), c.Value} {
		if strings.Contains(text, secret) {
			t.Errorf("hooks or log were told %s", secret)
		}
	}
}

// The redirect URI is that of the public URL, whatever a request says of its host.
func TestRedirectIgnoresHosts(t *testing.T) {
	t.Parallel()
	r := newLoginRig(t, loginSetup{})
	for _, edit := range []func(*http.Request){
		func(q *http.Request) { q.Host = "evil.example" },
		func(q *http.Request) { q.Host = "evil.example"; q.URL.Host = "proxy.test" },
		func(q *http.Request) { q.Header.Set("X-Forwarded-Host", "evil.example") },
		func(q *http.Request) {
			q.Header.Set("X-Forwarded-Proto", "http")
			q.Header.Set("X-Host", "evil.example")
		},
		func(q *http.Request) { q.Header.Set("Forwarded", "host=evil.example;proto=http") },
		func(q *http.Request) { q.Header.Set("X-Original-Url", "//evil.example/x") },
		func(q *http.Request) { q.Header.Set("X-Forwarded-Prefix", "//evil.example") },
		func(q *http.Request) { q.RequestURI = "http://evil.example/llm/oauth/idp/login" },
	} {
		if p := r.begin(t, "idp", edit); p.back.Host != "proxy.test" || p.back.Path != "/llm/oauth/idp/callback" {
			t.Errorf("redirected to %s", p.back)
		}
	}
}

// Where there is no public URL, or the client may not come back to it, users paste a code.
func TestManualLogin(t *testing.T) {
	t.Parallel()
	fixed := func(c *oauth.ProviderConfig) {
		c.Login = oauth.LoginMethods{ManualURI: "https://oauth.test/shown", OwnRedirects: true}
	}
	tests := []struct {
		name  string
		setup loginSetup
		paste func(back *url.URL) string
	}{
		{"address", loginSetup{private: true}, func(back *url.URL) string { return back.String() }},
		{"code#state", loginSetup{provider: fixed}, func(back *url.URL) string {
			return back.Query().Get("code") + "#" + back.Query().Get("state")
		}},
		{"code", loginSetup{provider: fixed}, func(back *url.URL) string { return back.Query().Get("code") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newLoginRig(t, tt.setup)
			shown := visit(r.proxy, http.MethodGet, "/oauth/idp/login", "")
			wantPrivate(t, "form", shown.Header())
			if !strings.Contains(shown.Body.String(), `<form method="post" action="login"`) {
				t.Fatalf("form: %d %s", shown.Code, shown.Body)
			}
			req := httptest.NewRequest(http.MethodGet, "/oauth/idp/login", nil)
			req.Header.Set("Accept", "application/json")
			rec := httptest.NewRecorder()
			r.proxy.ServeHTTP(rec, req)
			var begun struct {
				URL    string `json:"authorization_url"`
				State  string
				Manual bool
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &begun); err != nil || !begun.Manual {
				t.Fatalf("begin: %s", rec.Body)
			}
			address, err := r.server.Consent(begun.URL)
			if err != nil {
				t.Fatal(err)
			}
			back, _ := url.Parse(address)
			form := url.Values{"state": {begun.State}, "code": {tt.paste(back)}}.Encode()
			post := httptest.NewRequest(http.MethodPost, "/oauth/idp/login", strings.NewReader(form))
			post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, c := range rec.Result().Cookies() {
				post.AddCookie(c)
			}
			done := httptest.NewRecorder()
			r.proxy.ServeHTTP(done, post)
			if done.Code != http.StatusOK || r.server.Counts().Exchanges != 1 {
				t.Errorf("paste: %d %s", done.Code, done.Body)
			}
		})
	}
}

func TestLoginWithoutPublicURL(t *testing.T) {
	t.Parallel()
	r := newLoginRig(t, loginSetup{private: true, provider: func(c *oauth.ProviderConfig) { c.Login = oauth.LoginMethods{} }})
	rec := visit(r.proxy, http.MethodGet, "/oauth/idp/login", "")
	if rec.Code != http.StatusNotImplemented || !strings.Contains(rec.Body.String(), "server.public_url") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// With keys, only the callback is for everybody.
func TestLoginRoutesNeedKeys(t *testing.T) {
	t.Parallel()
	r := newLoginRig(t, loginSetup{settings: ccproxy.Settings{Security: ccproxy.Security{
		Keys: []ccproxy.APIKey{{Name: "me", Value: ccproxy.NewSecret("a-key-of-some-length")}},
	}}})
	for _, at := range []string{
		"GET /oauth/providers", "GET /oauth/idp/login", "POST /oauth/idp/login", "GET /oauth/idp/status",
		"POST /oauth/idp/refresh", "POST /oauth/idp/revoke",
	} {
		method, path, _ := strings.Cut(at, " ")
		if rec := visit(r.proxy, method, path, ""); rec.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", at, rec.Code)
		}
	}
	if rec := visit(r.proxy, http.MethodGet, "/oauth/idp/callback?code=x&state=y", ""); rec.Code != http.StatusBadRequest {
		t.Errorf("callback: %d", rec.Code)
	}
}

// attack is a request that must be refused, and must not reach the token endpoint.
type attack struct {
	name string
	make func(t *testing.T, r *loginRig) *http.Request
}

func TestOAuthAttacks(t *testing.T) {
	t.Parallel()
	r := &loginRig{}
	r = newLoginRig(t, loginSetup{plugins: []ccproxy.Factory{r.plugin("other", nil)}})
	attacks := append(callbackAttacks(), browserAttacks()...)
	attacks = append(attacks, commandAttacks()...)
	for _, a := range attacks {
		rec := r.serve(a.make(t, r))
		if rec.Code < http.StatusBadRequest {
			t.Errorf("%s: %d %s", a.name, rec.Code, rec.Body)
		}
		if at := rec.Header().Get("Location"); strings.Contains(at, "evil") {
			t.Errorf("%s: sent to %s", a.name, at)
		}
		if body := rec.Body.String(); strings.Contains(body, "<script") || strings.Contains(body, "onerror=") ||
			strings.Contains(body, "alert(1)") {
			t.Errorf("%s: the answer repeats the request: %s", a.name, body)
		}
	}
	t.Logf("%d attacks, %d requests to the token endpoint", len(attacks), r.tokenRequests())
	if n := r.tokenRequests(); n != 0 || len(attacks) < 60 {
		t.Errorf("%d requests to the token endpoint by %d attacks, want 0 by 60 or more", n, len(attacks))
	}
	if rec := r.serve(r.begin(t, "idp", nil).request(nil)); rec.Code != http.StatusOK {
		t.Errorf("an honest login afterwards: %d %s", rec.Code, rec.Body)
	}
}

// callbackAttacks change what the browser brings back.
func callbackAttacks() []attack {
	edited := func(name string, edit func(q url.Values)) attack {
		return attack{name, func(t *testing.T, r *loginRig) *http.Request {
			t.Helper()
			return r.begin(t, "idp", nil).request(edit)
		}}
	}
	set := func(key, value string) func(url.Values) { return func(q url.Values) { q.Set(key, value) } }
	change := func(key string, how func(string) string) func(url.Values) {
		return func(q url.Values) { q.Set(key, how(q.Get(key))) }
	}
	list := []attack{
		edited("no state", func(q url.Values) { q.Del("state") }),
		edited("empty state", set("state", "")),
		edited("guessed state", set("state", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
		edited("longer state", change("state", func(s string) string { return s + "A" })),
		edited("shorter state", change("state", func(s string) string { return s[:len(s)-1] })),
		edited("state in capitals", change("state", strings.ToUpper)),
		edited("state with NUL", change("state", func(s string) string { return s + "\x00" })),
		edited("state with space", change("state", func(s string) string { return " " + s })),
		edited("state with line break", change("state", func(s string) string { return s + "\r\nSet-Cookie: a=b" })),
		edited("huge state", set("state", strings.Repeat("s", 20000))),
		edited("two states", func(q url.Values) { q.Add("state", q.Get("state")) }),
		edited("state named otherwise", func(q url.Values) { q.Set("State", q.Get("state")); q.Del("state") }),
		edited("state in an array", func(q url.Values) { q.Set("state[]", q.Get("state")); q.Del("state") }),
		edited("no code", func(q url.Values) { q.Del("code") }),
		edited("empty code", set("code", "")),
		edited("two codes", func(q url.Values) { q.Add("code", "injected") }),
		edited("code of an error", func(q url.Values) { q.Set("error", "access_denied") }),
		edited("foreign issuer", set("iss", "https://evil.example")),
		edited("two issuers", func(q url.Values) { q.Add("iss", "https://evil.example") }),
		edited("two errors", func(q url.Values) { q.Add("error", "a"); q.Add("error", "b") }),
		edited("implicit token", func(q url.Values) { q.Del("code"); q.Set("access_token", "injected") }),
	}
	for _, payload := range []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "'-alert(1)-'", "</title><script>alert(1)</script>",
		"javascript:alert(1)", "%3Cscript%3Ealert(1)%3C/script%3E", "{{alert(1)}}", "<svg/onload=alert(1)>",
	} {
		list = append(list,
			edited("error "+payload, func(q url.Values) { q.Del("code"); q.Set("error", payload) }),
			edited("description "+payload, func(q url.Values) {
				q.Del("code")
				q.Set("error", "server_error")
				q.Set("error_description", payload)
				q.Set("error_uri", payload)
			}),
			edited("state "+payload, set("state", payload)),
			edited("issuer "+payload, set("iss", payload)),
		)
	}
	return list
}

// browserAttacks come from another browser than the one that began the login, or for another purpose.
func browserAttacks() []attack {
	with := func(name string, edit func(t *testing.T, r *loginRig, p pending, req *http.Request)) attack {
		return attack{name, func(t *testing.T, r *loginRig) *http.Request {
			t.Helper()
			p := r.begin(t, "idp", nil)
			req := p.request(nil)
			edit(t, r, p, req)
			return req
		}}
	}
	cookie := func(name string, value func(t *testing.T, r *loginRig, c *http.Cookie) string) attack {
		return with("cookie "+name, func(t *testing.T, r *loginRig, p pending, req *http.Request) {
			t.Helper()
			req.Header.Del("Cookie")
			if v := value(t, r, p.cookie); v != "" {
				req.Header.Set("Cookie", v)
			}
		})
	}
	at := func(name, path string) attack {
		return with(name, func(t *testing.T, _ *loginRig, _ pending, req *http.Request) {
			t.Helper()
			u, err := url.Parse(path)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Path, req.URL.RawPath, req.RequestURI = u.Path, u.RawPath, path+"?"+req.URL.RawQuery
		})
	}
	method := func(m string) attack {
		return with(m, func(_ *testing.T, _ *loginRig, _ pending, req *http.Request) { req.Method = m })
	}
	return []attack{
		cookie("missing", func(*testing.T, *loginRig, *http.Cookie) string { return "" }),
		cookie("empty", func(_ *testing.T, _ *loginRig, c *http.Cookie) string { return c.Name + "=" }),
		cookie("shorter", func(_ *testing.T, _ *loginRig, c *http.Cookie) string { return c.Name + "=" + c.Value[1:] }),
		cookie("longer", func(_ *testing.T, _ *loginRig, c *http.Cookie) string { return c.Name + "=" + c.Value + "A" }),
		cookie("of another login", func(t *testing.T, r *loginRig, _ *http.Cookie) string {
			t.Helper()
			c := r.begin(t, "idp", nil).cookie
			return c.Name + "=" + c.Value
		}),
		cookie("of another provider", func(t *testing.T, r *loginRig, own *http.Cookie) string {
			t.Helper()
			return own.Name + "=" + r.begin(t, "other", nil).cookie.Value
		}),
		cookie("without its prefix", func(_ *testing.T, _ *loginRig, c *http.Cookie) string {
			return strings.TrimPrefix(c.Name, "__Host-") + "=" + c.Value
		}),
		cookie("twice", func(_ *testing.T, _ *loginRig, c *http.Cookie) string {
			return c.Name + "=tossed; " + c.Name + "=" + c.Value
		}),
		with("replay", func(t *testing.T, r *loginRig, p pending, _ *http.Request) {
			t.Helper()
			r.serve(p.request(func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }))
		}),
		with("after a foreign cookie", func(t *testing.T, r *loginRig, p pending, _ *http.Request) {
			t.Helper()
			spoiled := p.request(nil)
			spoiled.Header.Set("Cookie", p.cookie.Name+"=foreign")
			r.serve(spoiled)
		}),
		with("at the other provider", func(_ *testing.T, _ *loginRig, _ pending, req *http.Request) {
			req.URL.Path = "/llm/oauth/other/callback"
			req.RequestURI = req.URL.RequestURI()
		}),
		with("session of the other provider", func(t *testing.T, r *loginRig, p pending, req *http.Request) {
			t.Helper()
			q := p.back.Query()
			q.Set("state", r.begin(t, "other", nil).back.Query().Get("state"))
			req.URL.RawQuery = q.Encode()
		}),
		with("pasted, though it was a redirect", func(_ *testing.T, _ *loginRig, p pending, req *http.Request) {
			req.Method, req.URL.Path, req.RequestURI = http.MethodPost, "/llm/oauth/idp/login", "/llm/oauth/idp/login"
			req.URL.RawQuery = ""
			req.Body = io.NopCloser(strings.NewReader(p.back.RawQuery))
		}),
		method(http.MethodPost), method(http.MethodPut), method(http.MethodDelete), method(http.MethodOptions),
		at("dot segments", "/llm/oauth/other/../idp/callback"),
		at("encoded dot segments", "/llm/oauth/other/%2e%2e/idp/callback"),
		at("encoded slash", "/llm/oauth/idp%2fcallback"),
		at("trailing slash", "/llm/oauth/idp/callback/"),
		at("two slashes", "/llm/oauth//idp/callback"),
		at("capitals", "/llm/oauth/IDP/callback"),
		at("path parameter", "/llm/oauth/idp;x=1/callback"),
		at("encoded NUL", "/llm/oauth/idp%00/callback"),
		at("backslash", `/llm/oauth/idp%5C..%5Cidp/callback`),
		at("beside the mount", "/llmx/oauth/idp/callback"),
	}
}

// commandAttacks make a login, a refresh or a logout of somebody else's.
func commandAttacks() []attack {
	req := func(method, path, body string, header ...string) attack {
		name := strings.Join(append([]string{method, path, body}, header...), " ")
		return attack{name, func(*testing.T, *loginRig) *http.Request {
			r := httptest.NewRequest(method, "/llm/oauth/idp"+path, strings.NewReader(body))
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			return r
		}}
	}
	list := []attack{
		req("GET", "/login?redirect_uri=https://evil.example/", ""),
		req("GET", "/login?redirect_uri=//evil.example", ""),
		req("GET", "/login?next=https://evil.example", ""),
		req("GET", "/login?return_to=/%5Cevil.example", ""),
		req("GET", "/login?scopes=admin", ""),
		req("GET", "/login?state=chosen", ""),
		req("GET", "/login?code_challenge_method=plain", ""),
		req("GET", "/refresh", "", "X-Http-Method-Override", "POST"),
		req("GET", "/revoke", ""),
		req("GET", "/refresh?refresh_token=x", ""),
	}
	for _, path := range []string{"/refresh", "/revoke"} {
		list = append(list,
			req("POST", path+"?refresh_token=x", ""),
			req("POST", path+"?token=x", "{}"),
			req("POST", path, `{"refresh_token":"x"}`),
			req("POST", path, "refresh_token=x", "Content-Type", "application/x-www-form-urlencoded"),
			req("POST", path, strings.Repeat(" ", 5000)+"{}"),
			req("POST", path, "", "Origin", "https://evil.example"),
			req("POST", path, "{}", "Origin", "https://evil.example", "Content-Type", "application/json"),
			req("POST", path, "", "Origin", "null"),
			req("POST", path, "", "Sec-Fetch-Site", "cross-site"),
			req("POST", path, "", "Sec-Fetch-Site", "same-origin", "Content-Type", "text/plain"),
			req("POST", path, "", "Cookie", "session=of-the-host"),
			req("POST", path, "", "Referer", "https://evil.example/"),
		)
	}
	return list
}

// Logins that nobody ends do not pile up.
func TestBegunLoginsAreBounded(t *testing.T) {
	t.Parallel()
	kept := &oauth.MemorySessions{Limit: 50}
	r := newLoginRig(t, loginSetup{options: []ccproxy.Option{ccproxy.WithSessionStore(kept)}})
	for range 300 {
		r.begin(t, "idp", nil)
	}
	if n := kept.Len(); n != 50 {
		t.Errorf("%d sessions are kept, want 50", n)
	}
}
