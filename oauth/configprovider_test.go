package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// The secrets that tests send; none may show up anywhere.
const (
	sentRefresh  = "canary-refresh-1f2e"
	sentCode     = "canary-code-3d4c"
	sentVerifier = "canary-verifier-5b6a"
	newAccess    = "canary-access-7c8d"
)

func wantNoSecrets(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "canary") || strings.Contains(text, "oauthtest-") {
		t.Errorf("a secret is in %q", text)
	}
}

// answering is a transport that answers everything in the same way and remembers the last request.
type answering struct {
	status int
	header http.Header
	body   io.Reader
	err    error

	requests int
	last     *http.Request
	sent     string
}

func (a *answering) RoundTrip(req *http.Request) (*http.Response, error) {
	a.requests++
	a.last = req
	if req.Body != nil {
		b, _ := io.ReadAll(req.Body)
		a.sent = string(b)
	}
	if a.err != nil {
		return nil, a.err
	}
	body := a.body
	if body == nil {
		body = strings.NewReader("")
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(body), Request: req}, nil
}

func answers(status int, body string) *answering {
	return &answering{status: status, header: http.Header{}, body: strings.NewReader(body)}
}

func configured(t *testing.T, transport http.RoundTripper, edit func(*oauth.ProviderConfig)) *oauth.ConfigProvider {
	t.Helper()
	cfg := new(oauthtest.Server).ProviderConfig("example")
	cfg.Transport, cfg.Complete = transport, nil
	if edit != nil {
		edit(&cfg)
	}
	p, err := oauth.NewConfigProvider(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func spent() *oauth.Credentials {
	return &oauth.Credentials{
		AccessToken: oauth.NewSecret("old"), RefreshToken: oauth.NewSecret(sentRefresh), IDToken: oauth.NewSecret("old-id"),
		Scopes: []string{"old"}, AccountID: "account", Generation: 3,
		Extra: map[string]json.RawMessage{"plan": json.RawMessage(`"max"`)},
	}
}

func TestRefreshAnswers(t *testing.T) {
	t.Parallel()
	const (
		fine  = "fine"
		login = "login"
		later = "later"
	)
	tests := []struct {
		name   string
		status int
		body   string
		want   string
		code   string
	}{
		{"good", 200, `{"access_token":"` + newAccess + `"}`, fine, ""},
		{"created", 201, `{"access_token":"` + newAccess + `"}`, fine, ""},
		{"invalid_grant", 400, `{"error":"invalid_grant","error_description":"` + sentRefresh + `"}`, login, "invalid_grant"},
		{"invalid_client", 401, `{"error":"invalid_client"}`, login, "invalid_client"},
		{"invalid_grant with 403", 403, `{"error":"invalid_grant"}`, login, "invalid_grant"},
		{"vendor's object", 400, `{"error":{"type":"invalid_request_error","code":"refresh_token_reused"}}`, login, "refresh_token_reused"},
		{"vendor's type", 401, `{"error":{"type":"authentication_error","message":"` + newAccess + `"}}`, login, "authentication_error"},
		{"with status 200", 200, `{"error":"bad_refresh_token"}`, login, "bad_refresh_token"},
		{"token as code", 400, `{"error":"` + sentRefresh + `"}`, login, "unnamed_error"},
		{"strange code", 400, `{"error":"Some Text <b>"}`, login, "unnamed_error"},
		{"denied", 400, `{"error":"access_denied"}`, login, "access_denied"},
		{"unavailable", 400, `{"error":"temporarily_unavailable"}`, later, "temporarily_unavailable"},
		{"overloaded", 400, `{"error":{"type":"overloaded_error"}}`, later, "overloaded_error"},
		{"500 with an OAuth error", 500, `{"error":"invalid_grant"}`, later, "invalid_grant"},
		{"503", 503, "", later, ""},
		{"529", 529, `{"error":{"type":"overloaded_error"}}`, later, "overloaded_error"},
		{"429", 429, `{"error":"invalid_grant"}`, later, "invalid_grant"},
		{"403 page", 403, "<html>blocked</html>", later, ""},
		{"400 page", 400, "<html>bad request</html>", later, ""},
		{"400 without error", 400, "{}", later, ""},
		{"401 empty", 401, "", later, ""},
		{"404", 404, "not found", later, ""},
		{"200 page", 200, "<html>hello</html>", later, ""},
		{"200 empty", 200, "", later, ""},
		{"200 null", 200, "null", later, ""},
		{"200 list", 200, "[]", later, ""},
		{"200 cut off", 200, `{"access_token":"` + newAccess, later, ""},
		{"200 empty token", 200, `{"access_token":""}`, later, ""},
		{"200 token of two lines", 200, `{"access_token":"a\r\nX-Evil: 1"}`, later, ""},
		{"200 token that is no string", 200, `{"access_token":{}}`, later, ""},
		{"200 too large", 200, `{"access_token":"t"}` + strings.Repeat(" ", 2<<20), later, ""},
		{"redirect", 307, "", later, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			transport := answers(tt.status, tt.body)
			transport.header.Set("Location", "https://evil.test/token")
			c, err := configured(t, transport, nil).Refresh(t.Context(), spent())
			if transport.requests != 1 {
				t.Errorf("%d requests", transport.requests)
			}
			if tt.want == fine {
				if err != nil || c.AccessToken.Reveal() != newAccess {
					t.Errorf("Refresh = %v, %v", c, err)
				}
				return
			}
			failed, typed := errors.AsType[*oauth.EndpointError](err)
			if !typed || errors.Is(err, oauth.ErrNeedsLogin) != (tt.want == login) {
				t.Fatalf("Refresh = %v; want it to help: %s", err, tt.want)
			}
			if failed.Code != tt.code || failed.Status != tt.status || failed.Op != "refresh" || failed.Provider != "example" {
				t.Errorf("error = %#v", failed)
			}
			wantNoSecrets(t, fmt.Sprintf("%v %+v %#v", err, failed, failed))
		})
	}
}

func TestRefreshWithoutAnswer(t *testing.T) {
	t.Parallel()
	broken := &url.Error{Op: "Post", URL: "https://oauth.test/token?secret=" + sentRefresh, Err: errBroken}
	_, err := configured(t, &answering{err: broken}, nil).Refresh(t.Context(), spent())
	if !errors.Is(err, errBroken) || errors.Is(err, oauth.ErrNeedsLogin) {
		t.Errorf("Refresh = %v", err)
	}
	wantNoSecrets(t, err.Error())
	synctest.Test(t, func(t *testing.T) {
		server := new(oauthtest.Server)
		server.Fail(oauthtest.Token, oauthtest.Fault{Delay: time.Hour})
		p := configured(t, server.Transport(), nil)
		begin := time.Now()
		_, err := p.Refresh(t.Context(), server.Login())
		if time.Since(begin) != 15*time.Second || errors.Is(err, oauth.ErrNeedsLogin) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Refresh = %v after %v", err, time.Since(begin))
		}
	})
	if _, err := configured(t, nil, nil).Refresh(t.Context(), &oauth.Credentials{}); !errors.Is(err, oauth.ErrNeedsLogin) {
		t.Errorf("Refresh without a refresh token = %v", err)
	}
}

// What the answer leaves out stays as it is.
func TestRefreshKeeps(t *testing.T) {
	t.Parallel()
	for _, left := range []string{"", `,"refresh_token":null`, `,"refresh_token":""`} {
		c, err := configured(t, answers(200, `{"access_token":"new"`+left+`}`), nil).Refresh(t.Context(), spent())
		if err != nil {
			t.Fatal(err)
		}
		want := spent()
		if !c.RefreshToken.Equal(want.RefreshToken) || !c.IDToken.Equal(want.IDToken) || c.Generation != 4 ||
			!cmp.Equal(c.Extra, want.Extra) || c.AccountID != "account" || c.Scopes[0] != "old" {
			t.Errorf("Refresh = %v with %q", c, left)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	jwt := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1900000000}`)) + ".c2ln"
	tests := []struct {
		name   string
		answer string
		want   func(now time.Time) time.Time
	}{
		{"number", `"access_token":"t","expires_in":3600`, func(now time.Time) time.Time { return now.Add(time.Hour) }},
		{"text", `"access_token":"t","expires_in":"3600"`, func(now time.Time) time.Time { return now.Add(time.Hour) }},
		{"huge", `"access_token":"t","expires_in":1e300`, func(now time.Time) time.Time { return now.Add(3650 * 24 * time.Hour) }},
		{"zero", `"access_token":"t","expires_in":0`, func(time.Time) time.Time { return time.Time{} }},
		{"negative", `"access_token":"t","expires_in":-5`, func(time.Time) time.Time { return time.Time{} }},
		{"nonsense", `"access_token":"t","expires_in":{"a":1}`, func(time.Time) time.Time { return time.Time{} }},
		{"claimed", `"access_token":"` + jwt + `"`, func(time.Time) time.Time { return time.Unix(1900000000, 0).UTC() }},
		{"both", `"access_token":"` + jwt + `","expires_in":60`, func(now time.Time) time.Time { return now.Add(time.Minute) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, err := configured(t, answers(200, "{"+tt.answer+"}"), nil).Refresh(t.Context(), spent())
				if err != nil || !c.Expiry.Equal(tt.want(time.Now())) {
					t.Errorf("Expiry = %v, %v; want %v", c.Expiry, err, tt.want(time.Now()))
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tests := map[string]time.Duration{
			"": 0, "30": 30 * time.Second, "1.5": 1500 * time.Millisecond, "-1": 0, "NaN": 0, "+Inf": time.Hour,
			"999999999999": time.Hour, "soon": 0,
			time.Now().Add(time.Minute).UTC().Format(http.TimeFormat):  time.Minute,
			time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
		}
		for value, want := range tests {
			transport := answers(429, "")
			transport.header.Set("Retry-After", value)
			_, err := configured(t, transport, nil).Refresh(t.Context(), spent())
			if failed, _ := errors.AsType[*oauth.EndpointError](err); failed == nil || failed.RetryAfter != want {
				t.Errorf("Retry-After %q: %v, want %v", value, failed, want)
			}
		}
	})
}

func TestTokenRequests(t *testing.T) {
	t.Parallel()
	callback := oauth.Callback{Code: sentCode, State: "s", Verifier: sentVerifier, RedirectURI: "http://localhost:1/cb"}
	exchange := func(ctx context.Context, p *oauth.ConfigProvider) error {
		_, err := p.HandleCallback(ctx, callback)
		return err
	}
	refresh := func(ctx context.Context, p *oauth.ConfigProvider) error {
		_, err := p.Refresh(ctx, spent())
		return err
	}
	tests := []struct {
		name string
		edit func(*oauth.ProviderConfig)
		run  func(context.Context, *oauth.ConfigProvider) error
		body string
		auth string
	}{
		{
			name: "exchange", run: exchange,
			body: "client_id=oauthtest-client&code=" + sentCode + "&code_verifier=" + sentVerifier +
				"&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb",
		},
		{
			name: "exchange as JSON with state", run: exchange,
			edit: func(c *oauth.ProviderConfig) { c.JSON, c.SendState = true, true },
			body: `{"client_id":"oauthtest-client","code":"` + sentCode + `","code_verifier":"` + sentVerifier +
				`","grant_type":"authorization_code","redirect_uri":"http://localhost:1/cb","state":"s"}`,
		},
		{
			name: "exchange without PKCE", run: exchange,
			edit: func(c *oauth.ProviderConfig) { c.Info.SupportsPKCE = false },
			body: "client_id=oauthtest-client&code=" + sentCode + "&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb",
		},
		{
			name: "refresh", run: refresh,
			body: "client_id=oauthtest-client&grant_type=refresh_token&refresh_token=" + sentRefresh,
		},
		{
			name: "refresh with scopes", run: refresh,
			edit: func(c *oauth.ProviderConfig) { c.RefreshScopes = true },
			body: "client_id=oauthtest-client&grant_type=refresh_token&refresh_token=" + sentRefresh + "&scope=profile+inference",
		},
		{
			name: "client secret", run: refresh,
			edit: func(c *oauth.ProviderConfig) { c.OAuth2.ClientSecret = "s&t" },
			body: "client_id=oauthtest-client&client_secret=s%26t&grant_type=refresh_token&refresh_token=" + sentRefresh,
		},
		{
			name: "client secret in the header", run: refresh, auth: "oauthtest-client:s%26t",
			edit: func(c *oauth.ProviderConfig) {
				c.OAuth2.ClientSecret, c.OAuth2.Endpoint.AuthStyle = "s&t", oauth2.AuthStyleInHeader
			},
			body: "grant_type=refresh_token&refresh_token=" + sentRefresh,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			transport := answers(200, `{"access_token":"t"}`)
			p := configured(t, transport, func(c *oauth.ProviderConfig) {
				c.Header = http.Header{"user-agent": {"Test/1"}}
				if tt.edit != nil {
					tt.edit(c)
				}
			})
			if err := tt.run(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.body, transport.sent); diff != "" {
				t.Errorf("body mismatch (-want +got):\n%s", diff)
			}
			user, pass, _ := transport.last.BasicAuth()
			if tt.auth != "" && user+":"+pass != tt.auth || tt.auth == "" && user != "" {
				t.Errorf("Authorization of %q", user)
			}
			if h := transport.last.Header; h.Get("User-Agent") != "Test/1" || h.Get("Accept") != "application/json" {
				t.Errorf("header = %v", h)
			}
		})
	}
}

func TestAuthorizationURL(t *testing.T) {
	t.Parallel()
	p := configured(t, nil, func(c *oauth.ProviderConfig) { c.AuthParams = map[string]string{"code": "true"} })
	address, err := p.AuthorizationURL(t.Context(), oauth.AuthorizationRequest{
		State: "state", Verifier: sentVerifier, RedirectURI: "http://localhost:54545/callback",
	})
	if err != nil {
		t.Fatal(err)
	}
	wantNoSecrets(t, strings.ReplaceAll(address, "oauthtest-client", ""))
	u, _ := url.Parse(address)
	want := url.Values{
		"client_id": {"oauthtest-client"}, "code": {"true"}, "code_challenge": {oauth.Challenge(sentVerifier)},
		"code_challenge_method": {"S256"}, "redirect_uri": {"http://localhost:54545/callback"}, "response_type": {"code"},
		"scope": {"profile inference"}, "state": {"state"},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" {
		t.Errorf("parameters mismatch (-want +got):\n%s", diff)
	}
	for _, req := range []oauth.AuthorizationRequest{{Verifier: "v"}, {State: "s"}} {
		if _, err := p.AuthorizationURL(t.Context(), req); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("AuthorizationURL of %+v = %v", req, err)
		}
	}
}

func TestHandleCallbackRefuses(t *testing.T) {
	t.Parallel()
	transport := answers(200, `{"access_token":"t"}`)
	p := configured(t, transport, nil)
	for _, cb := range []oauth.Callback{
		{Verifier: "v"}, {Code: "c"}, {Code: "c", Verifier: "v", Issuer: "https://evil.test"}, {Code: "c", Verifier: "v", Issuer: "https://oauth.test/"},
	} {
		if _, err := p.HandleCallback(t.Context(), cb); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("HandleCallback of %+v = %v", cb, err)
		}
	}
	if transport.requests != 0 {
		t.Errorf("%d requests", transport.requests)
	}
}

func TestNewConfigProviderRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*oauth.ProviderConfig){
		"no name":           func(c *oauth.ProviderConfig) { c.Info.Name = "" },
		"no client":         func(c *oauth.ProviderConfig) { c.OAuth2.ClientID = "" },
		"no token endpoint": func(c *oauth.ProviderConfig) { c.OAuth2.Endpoint.TokenURL = "" },
		"clear text":        func(c *oauth.ProviderConfig) { c.OAuth2.Endpoint.TokenURL = "http://oauth.test/token" },
		"almost localhost":  func(c *oauth.ProviderConfig) { c.RevocationURL = "http://localhost.evil.test/" },
		"all interfaces":    func(c *oauth.ProviderConfig) { c.RevocationURL = "http://0.0.0.0/" },
		"other scheme":      func(c *oauth.ProviderConfig) { c.OAuth2.Endpoint.AuthURL = "javascript:alert(1)" },
		"file":              func(c *oauth.ProviderConfig) { c.OAuth2.Endpoint.AuthURL = "file:///etc/passwd" },
		"user":              func(c *oauth.ProviderConfig) { c.OAuth2.Endpoint.DeviceAuthURL = "https://a:b@oauth.test/" },
		"relative":          func(c *oauth.ProviderConfig) { c.OAuth2.Endpoint.DeviceAuthURL = "/device" },
	}
	for name, spoil := range tests {
		cfg := new(oauthtest.Server).ProviderConfig("example")
		spoil(&cfg)
		if _, err := oauth.NewConfigProvider(cfg); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := new(oauthtest.Server).ProviderConfig("example")
	cfg.OAuth2.Endpoint.TokenURL = "http://[::1]:8080/token"
	if _, err := oauth.NewConfigProvider(cfg); err != nil {
		t.Errorf("loopback: %v", err)
	}
}

// What a server says for people to read must not reach a terminal, or a browser, unchecked.
func TestDeviceAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		ok   bool
	}{
		{"good", `{"device_code":"d","user_code":"AB-12","verification_uri":"https://x.test/a","expires_in":60,"interval":7}`, true},
		{"other spelling", `{"device_code":"d","user_code":"AB","verification_url":"https://x.test/a"}`, true},
		{"script", `{"device_code":"d","user_code":"AB","verification_uri":"javascript:alert(1)"}`, false},
		{"file", `{"device_code":"d","user_code":"AB","verification_uri":"file:///etc/passwd"}`, false},
		{"escape in the code", `{"device_code":"d","user_code":"A\u001b[2JB","verification_uri":"https://x.test/"}`, false},
		{"turned code", `{"device_code":"d","user_code":"A\u202eB","verification_uri":"https://x.test/"}`, false},
		{"escape in the address", `{"device_code":"d","user_code":"AB","verification_uri":"https://x.test/\u001b[2J"}`, false},
		{"long code", `{"device_code":"d","user_code":"` + strings.Repeat("A", 65) + `","verification_uri":"https://x.test/"}`, false},
		{"no device code", `{"user_code":"AB","verification_uri":"https://x.test/"}`, false},
		{"page", `<html>`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := configured(t, answers(200, tt.body), nil).AuthorizeDevice(t.Context())
			if (err == nil) != tt.ok {
				t.Errorf("AuthorizeDevice = %+v, %v", d, err)
			}
		})
	}
	p := configured(t, nil, func(c *oauth.ProviderConfig) { c.OAuth2.Endpoint.DeviceAuthURL = "" })
	if _, err := p.AuthorizeDevice(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("AuthorizeDevice without an endpoint = %v", err)
	}
}

func TestRevokeTellsFailures(t *testing.T) {
	t.Parallel()
	transport := answers(400, `{"error":"unsupported_token_type"}`)
	p := configured(t, transport, nil)
	if err := p.Revoke(t.Context(), &oauth.Credentials{AccessToken: oauth.NewSecret(newAccess)}); err != nil {
		t.Errorf("Revoke of an access token that cannot be revoked = %v", err)
	}
	transport.body = strings.NewReader(`{"error":"unsupported_token_type"}`)
	err := p.Revoke(t.Context(), &oauth.Credentials{RefreshToken: oauth.NewSecret(sentRefresh)})
	if err == nil {
		t.Fatal("Revoke of a refresh token that cannot be revoked = nil")
	}
	wantNoSecrets(t, err.Error())
}

func TestClaims(t *testing.T) {
	t.Parallel()
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	var claims struct {
		Email string `json:"email"`
		Auth  struct {
			Account string `json:"chatgpt_account_id"`
		} `json:"https://api.openai.com/auth"`
	}
	token := part("{}") + "." + part(`{"email":"a@b","https://api.openai.com/auth":{"chatgpt_account_id":"acc"}}`) + "." + part("s")
	if err := oauth.Claims(oauth.NewSecret(token), &claims); err != nil || claims.Email != "a@b" || claims.Auth.Account != "acc" {
		t.Errorf("Claims = %v, %+v", err, claims)
	}
	for _, bad := range []string{
		"", "opaque", "a.b", "a.b.c.d", "a.%%%.c", "a." + part("canary") + ".c", "a." + part(`{"email":1}`) + ".c",
		part("{}") + "." + part(`{"email":"`+strings.Repeat("x", 64<<10)+`"}`) + ".c",
	} {
		err := oauth.Claims(oauth.NewSecret(bad), &claims)
		if !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("Claims of %.20q = %v", bad, err)
			continue
		}
		wantNoSecrets(t, err.Error())
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		complete func(*oauth.Credentials, json.RawMessage) error
		account  string // after a refresh
	}{
		{"adds", func(c *oauth.Credentials, answer json.RawMessage) error { c.AccountID = string(answer); return nil }, `{"access_token":"t"}`},
		{"fails", func(c *oauth.Credentials, _ json.RawMessage) error { c.AccountID = "half"; return errBroken }, "account"},
		{"panics", func(*oauth.Credentials, json.RawMessage) error { panic("canary") }, "account"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			edit := func(c *oauth.ProviderConfig) { c.Complete = tt.complete }
			c, err := configured(t, answers(200, `{"access_token":"t"}`), edit).Refresh(t.Context(), spent())
			if err != nil || c.AccessToken.Reveal() != "t" || c.AccountID != tt.account {
				t.Errorf("Refresh = %v, %v", c, err)
			}
			cb := oauth.Callback{Code: "c", Verifier: "v"}
			_, err = configured(t, answers(200, `{"access_token":"t"}`), edit).HandleCallback(t.Context(), cb)
			if (err == nil) != (tt.name == "adds") {
				t.Errorf("HandleCallback = %v", err)
			}
			if err != nil {
				wantNoSecrets(t, err.Error())
			}
		})
	}
}

// What the profile adds is welcome, and never worth the login.
func TestProfile(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{nil, errBroken} {
		p := configured(t, answers(200, `{"access_token":"t"}`), func(cfg *oauth.ProviderConfig) {
			cfg.Profile = func(_ context.Context, c *oauth.Credentials) error { c.AccountID = "profile"; return failure }
		})
		c, err := p.HandleCallback(t.Context(), oauth.Callback{Code: "c", Verifier: "v"})
		if err != nil || (c.AccountID == "profile") != (failure == nil) {
			t.Errorf("HandleCallback = %v, %v, where the profile gives %v", c, err, failure)
		}
	}
}
