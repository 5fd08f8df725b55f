package flow_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/flow"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// user is a UI whose user does what a test says.
type user struct {
	visit  func(context.Context, flow.Visit) error
	pastes []string

	mu       sync.Mutex
	visits   []flow.Visit
	problems []error
}

func (u *user) Show(ctx context.Context, v flow.Visit) error {
	u.mu.Lock()
	u.visits = append(u.visits, v)
	u.mu.Unlock()
	if u.visit == nil {
		return nil
	}
	return u.visit(ctx, v)
}

func (u *user) Paste(ctx context.Context, problem error) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.problems = append(u.problems, problem)
	if len(u.pastes) == 0 {
		return "", io.EOF
	}
	next := u.pastes[0]
	u.pastes = u.pastes[1:]
	return next, ctx.Err()
}

func (u *user) methods() []flow.Method {
	var methods []flow.Method
	for _, v := range u.visits {
		methods = append(methods, v.Method)
	}
	return methods
}

func provider(t *testing.T, server *oauthtest.Server, edit func(*oauth.ProviderConfig)) oauth.Provider {
	t.Helper()
	cfg := server.ProviderConfig("example")
	if edit != nil {
		edit(&cfg)
	}
	p, err := oauth.NewConfigProvider(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// open is a browser: it fetches an address and gives what the user sees.
func open(t *testing.T, method, address string, edit func(*http.Request)) (status int, page string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(req)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Errorf("the browser got %v", err)
		return 0, ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	return resp.StatusCode, string(body)
}

func consent(t *testing.T, server *oauthtest.Server, v flow.Visit) string {
	t.Helper()
	back, err := server.Consent(v.URL)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func wantCredentials(t *testing.T, server *oauthtest.Server, c *oauth.Credentials, err error) {
	t.Helper()
	if err != nil || !server.Newest(c) || c.Generation != 1 || c.AccountID == "" {
		t.Fatalf("Run = %v, %v", c, err)
	}
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "localhost"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			server := new(oauthtest.Server)
			p := provider(t, server, func(c *oauth.ProviderConfig) {
				c.Login.LoopbackURI = "http://" + host + ":0/callback"
			})
			u := &user{visit: func(_ context.Context, v flow.Visit) error {
				back := consent(t, server, v)
				if !strings.HasPrefix(back, "http://"+host+":") || strings.Contains(back, ":0/") {
					t.Errorf("redirected to %s", back)
				}
				status, page := open(t, http.MethodGet, back, nil)
				if status != http.StatusOK || !strings.Contains(page, "goes on where you began it") {
					t.Errorf("the browser shows %d %s", status, page)
				}
				return nil
			}}
			login := flow.Login{UI: u}
			c, err := login.Run(t.Context(), p)
			wantCredentials(t, server, c, err)
			if diff := cmp.Diff([]flow.Method{flow.Browser}, u.methods()); diff != "" {
				t.Errorf("visits mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever is not the browser of this login changes nothing, and no page shows what came with a request.
func TestBrowserRefuses(t *testing.T) {
	t.Parallel()
	server := new(oauthtest.Server)
	payloads := []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "javascript:alert(1)", "&lt;b&gt;", "'-alert(1)-'",
	}
	var refused int
	u := &user{visit: func(_ context.Context, v flow.Visit) error {
		back := consent(t, server, v)
		at, err := url.Parse(back)
		if err != nil {
			return err
		}
		good := at.Query()
		with := func(edit func(url.Values)) string {
			q, _ := url.ParseQuery(good.Encode())
			edit(q)
			u := *at
			u.RawQuery = q.Encode()
			return u.String()
		}
		attacks := []string{
			with(func(q url.Values) { q.Del("state") }),
			with(func(q url.Values) { q.Set("state", "") }),
			with(func(q url.Values) { q.Set("state", "guess") }),
			with(func(q url.Values) { q.Set("state", good.Get("state")+"x") }),
			with(func(q url.Values) { q.Set("state", good.Get("state")[1:]) }),
			with(func(q url.Values) { q.Add("state", "other") }),
			with(func(q url.Values) { q.Add("code", "other") }),
			with(func(q url.Values) { q.Del("code") }),
			with(func(q url.Values) { q.Set("state", strings.Repeat("x", 30000)) }),
			with(func(q url.Values) { q.Set("error", "access_denied"); q.Del("state") }),
		}
		for _, payload := range payloads {
			for _, name := range []string{"state", "error_description", "error", "code", payload} {
				attacks = append(attacks, with(func(q url.Values) { q.Del("state"); q.Set(name, payload) }))
			}
		}
		for _, attack := range attacks {
			status, page := open(t, http.MethodGet, attack, nil)
			if status != http.StatusBadRequest || strings.Contains(page, "alert") {
				t.Errorf("%s: %d %s", attack, status, page)
			}
			refused++
		}
		if status, _ := open(t, http.MethodPost, back, nil); status != http.StatusMethodNotAllowed {
			t.Errorf("POST: %d", status)
		}
		if status, _ := open(t, http.MethodGet, back, func(r *http.Request) { r.Host = "evil.example" }); status != http.StatusNotFound {
			t.Errorf("another host: %d", status)
		}
		if status, _ := open(t, http.MethodGet, strings.Replace(back, "/callback", "/other", 1), nil); status != http.StatusNotFound {
			t.Errorf("another path: %d", status)
		}
		if n := server.Counts().Requests[oauthtest.Token]; n != 0 {
			t.Errorf("%d token requests", n)
		}
		if status, _ := open(t, http.MethodGet, back, nil); status != http.StatusOK {
			t.Errorf("the user's own browser: %d", status)
		}
		if status, _ := open(t, http.MethodGet, back, nil); status != http.StatusBadRequest {
			t.Errorf("the same address again: %d", status)
		}
		return nil
	}}
	login := flow.Login{UI: u}
	c, err := login.Run(t.Context(), provider(t, server, nil))
	wantCredentials(t, server, c, err)
	t.Logf("%d requests refused", refused+4)
}

func TestBrowserDenied(t *testing.T) {
	t.Parallel()
	server := new(oauthtest.Server)
	u := &user{visit: func(_ context.Context, v flow.Visit) error {
		at, _ := url.Parse(consent(t, server, v))
		q := url.Values{"state": {at.Query().Get("state")}, "error": {"access_denied"}}
		at.RawQuery = q.Encode()
		if status, page := open(t, http.MethodGet, at.String(), nil); status != http.StatusOK || !strings.Contains(page, "refused") {
			t.Errorf("the browser shows %d %s", status, page)
		}
		return nil
	}}
	login := flow.Login{UI: u}
	if _, err := login.Run(t.Context(), provider(t, server, nil)); !errors.Is(err, oauth.ErrDenied) {
		t.Errorf("Run = %v", err)
	}
}

func TestBrowserFallsBack(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	tests := []struct {
		name    string
		login   flow.Login
		edit    func(*oauth.ProviderConfig)
		reason  error
		methods []flow.Method
	}{
		{
			name: "port taken", reason: flow.ErrListen, methods: []flow.Method{flow.Manual},
			edit: func(c *oauth.ProviderConfig) { c.Login.LoopbackURI = "http://" + taken.Addr().String() + "/callback" },
		},
		{
			name: "timeout", login: flow.Login{Timeout: time.Millisecond}, reason: flow.ErrTimeout,
			methods: []flow.Method{flow.Browser, flow.Manual},
		},
		{
			name: "page with a code", login: flow.Login{Timeout: time.Millisecond}, reason: flow.ErrTimeout,
			methods: []flow.Method{flow.Browser, flow.Manual},
			edit:    func(c *oauth.ProviderConfig) { c.Login.ManualURI = "https://oauth.test/code" },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := new(oauthtest.Server)
			u := new(user)
			u.visit = func(_ context.Context, v flow.Visit) error {
				if v.Method != flow.Manual {
					return nil
				}
				if !errors.Is(v.Fallback, tt.reason) {
					t.Errorf("Visit.Fallback = %v, want %v", v.Fallback, tt.reason)
				}
				u.pastes = []string{consent(t, server, v)}
				return nil
			}
			tt.login.UI = u
			c, err := tt.login.Run(t.Context(), provider(t, server, tt.edit))
			wantCredentials(t, server, c, err)
			if diff := cmp.Diff(tt.methods, u.methods()); diff != "" {
				t.Errorf("visits mismatch (-want +got):\n%s", diff)
			}
			tt.login.NoFallback = true
			if _, err := tt.login.Run(t.Context(), provider(t, server, tt.edit)); !errors.Is(err, tt.reason) {
				t.Errorf("Run without fallback = %v", err)
			}
		})
	}
}

func TestManual(t *testing.T) {
	t.Parallel()
	const page = "https://oauth.test/code"
	parts := func(back string) (code, state string) {
		u, _ := url.Parse(back)
		return u.Query().Get("code"), u.Query().Get("state")
	}
	tests := []struct {
		name   string
		pastes func(back string) []string
		noPKCE bool
		want   error
	}{
		{name: "code", pastes: func(b string) []string { c, _ := parts(b); return []string{c} }},
		{name: "code and state", pastes: func(b string) []string { c, s := parts(b); return []string{" " + c + "#" + s + "\n"} }},
		{name: "address", pastes: func(b string) []string { return []string{b} }},
		{name: "quoted address", pastes: func(b string) []string { return []string{`"` + b + `"`} }},
		{name: "query", pastes: func(b string) []string { _, q, _ := strings.Cut(b, "?"); return []string{q} }},
		{name: "third time", pastes: func(b string) []string { c, s := parts(b); return []string{"", c + "#wrong", c + "#" + s} }},
		{
			name: "never right", want: flow.ErrPaste,
			pastes: func(b string) []string { return []string{"", "a b", strings.Repeat("x", 9000), b} },
		},
		{
			name: "state of another", want: oauth.ErrSession,
			pastes: func(b string) []string { c, _ := parts(b); return []string{c + "#a", c + "#b", c + "#c"} },
		},
		{
			name: "other address", want: flow.ErrPaste,
			pastes: func(b string) []string {
				other := strings.Replace(b, "oauth.test", "evil.test", 1)
				return []string{other, other, other}
			},
		},
		{
			name: "address without state", want: oauth.ErrSession,
			pastes: func(b string) []string { c, _ := parts(b); a := page + "?code=" + c; return []string{a, a, a} },
		},
		{
			name: "code without state or PKCE", want: flow.ErrPaste, noPKCE: true,
			pastes: func(b string) []string { c, _ := parts(b); return []string{c, c, c} },
		},
		{
			name: "denied", want: oauth.ErrDenied,
			pastes: func(b string) []string { _, s := parts(b); return []string{page + "?error=access_denied&state=" + s} },
		},
		{
			name: "other issuer", want: oauth.ErrInvalid,
			pastes: func(b string) []string { return []string{strings.Replace(b, "iss=https", "iss=http", 1)} },
		},
		{name: "user gives up", want: io.EOF, pastes: func(string) []string { return nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := new(oauthtest.Server)
			u := new(user)
			u.visit = func(_ context.Context, v flow.Visit) error {
				u.pastes = tt.pastes(consent(t, server, v))
				return nil
			}
			login := flow.Login{UI: u, Method: flow.Manual}
			c, err := login.Run(t.Context(), provider(t, server, func(c *oauth.ProviderConfig) {
				c.Login.ManualURI, c.SendState, c.JSON, c.Info.SupportsPKCE = page, true, true, !tt.noPKCE
			}))
			if tt.want == nil {
				wantCredentials(t, server, c, err)
				return
			}
			if !errors.Is(err, tt.want) || server.Counts().Requests[oauthtest.Token] != 0 {
				t.Errorf("Run = %v, %d token requests; want %v and none", err, server.Counts().Requests[oauthtest.Token], tt.want)
			}
		})
	}
}

func TestDevice(t *testing.T) {
	t.Parallel()
	wait := func(d time.Duration, then func(string) bool) func(context.Context, flow.Visit) error {
		return func(_ context.Context, v flow.Visit) error {
			go func() {
				time.Sleep(d)
				then(v.UserCode)
			}()
			return nil
		}
	}
	tests := []struct {
		name  string
		visit func(*oauthtest.Server) func(context.Context, flow.Visit) error
		fault []oauthtest.Fault
		took  time.Duration
		want  error
	}{
		{
			name: "approved", took: 30 * time.Second,
			visit: func(s *oauthtest.Server) func(context.Context, flow.Visit) error {
				return wait(29*time.Second, s.ApproveDevice)
			},
		},
		{
			name: "denied", took: 15 * time.Second, want: oauth.ErrDenied,
			visit: func(s *oauthtest.Server) func(context.Context, flow.Visit) error {
				return wait(12*time.Second, s.DenyDevice)
			},
		},
		{
			name: "never", took: 10 * time.Minute, want: oauth.ErrLoginExpired,
			visit: func(*oauthtest.Server) func(context.Context, flow.Visit) error { return nil },
		},
		{
			name: "slow down", took: 5*time.Second + 10*time.Second + 10*time.Second, // five more for good
			fault: []oauthtest.Fault{{Status: 400, Body: `{"error":"slow_down"}`}},
			visit: func(s *oauthtest.Server) func(context.Context, flow.Visit) error {
				return wait(20*time.Second, s.ApproveDevice)
			},
		},
		{
			name: "server away", took: 5*time.Second + 10*time.Second + 20*time.Second,
			fault: []oauthtest.Fault{oauthtest.Gateway(), {Refused: true}},
			visit: func(s *oauthtest.Server) func(context.Context, flow.Visit) error {
				return wait(time.Second, s.ApproveDevice)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := new(oauthtest.Server)
				server.Fail(oauthtest.Token, tt.fault...)
				u := &user{visit: tt.visit(server)}
				login := flow.Login{UI: u, Method: flow.Device}
				begin := time.Now()
				c, err := login.Run(t.Context(), provider(t, server, nil))
				if took := time.Since(begin); took != tt.took {
					t.Errorf("Run took %v, want %v", took, tt.took)
				}
				if n := server.Counts().EarlyPolls; n != 0 {
					t.Errorf("%d polls too early", n)
				}
				if v := u.visits[0]; v.UserCode != "TEST-0001" || v.URL != "https://oauth.test/activate" ||
					v.Complete != "https://oauth.test/activate?user_code=TEST-0001" {
					t.Errorf("Visit = %+v", v)
				}
				if tt.want == nil {
					wantCredentials(t, server, c, err)
				} else if !errors.Is(err, tt.want) {
					t.Errorf("Run = %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestMethodOfChoice(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		methods oauth.LoginMethods
		login   flow.Login
		want    flow.Method
	}{
		{"preferred device", oauth.LoginMethods{LoopbackURI: "http://127.0.0.1:0/", Device: true, PreferDevice: true}, flow.Login{}, flow.Device},
		{"browser", oauth.LoginMethods{LoopbackURI: "http://127.0.0.1:0/", Device: true}, flow.Login{}, flow.Browser},
		{"device alone", oauth.LoginMethods{Device: true}, flow.Login{}, flow.Device},
		{"page", oauth.LoginMethods{ManualURI: "https://oauth.test/code", Device: true}, flow.Login{}, flow.Manual},
		{"nothing said", oauth.LoginMethods{}, flow.Login{}, flow.Manual},
		{"asked for", oauth.LoginMethods{LoopbackURI: "http://127.0.0.1:0/"}, flow.Login{Method: flow.Manual}, flow.Manual},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := &user{visit: func(context.Context, flow.Visit) error { return io.EOF }} // a user who leaves at once
			tt.login.UI = u
			p := provider(t, new(oauthtest.Server), func(c *oauth.ProviderConfig) { c.Login = tt.methods })
			if _, err := tt.login.Run(t.Context(), p); !errors.Is(err, io.EOF) {
				t.Fatalf("Run = %v", err)
			}
			if diff := cmp.Diff([]flow.Method{tt.want}, u.methods()); diff != "" {
				t.Errorf("visits mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

// A listener for a browser is never reachable from another machine.
func TestListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://0.0.0.0:0/x", "http://192.0.2.1:0/x", "https://localhost:0/x", "http://example.com:0/x"} {
		p := provider(t, new(oauthtest.Server), func(c *oauth.ProviderConfig) { c.Login.LoopbackURI = address })
		login := flow.Login{UI: new(user), Method: flow.Browser, Listen: func(context.Context, string, string) (net.Listener, error) {
			t.Errorf("%s: it listens", address)
			return nil, io.EOF
		}}
		if _, err := login.Run(t.Context(), p); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: Run = %v", address, err)
		}
	}
}
