package ccproxy_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// A command logs in without providers, and a proxy that serves finds the login in the store that both have.
func TestLoginByCommand(t *testing.T) {
	t.Parallel()
	var kept store.Memory
	r := newLoginRig(t, loginSetup{waiting: true, options: []ccproxy.Option{ccproxy.WithCredentialStore(&kept)}})
	source := r.proxy.OAuth().Source("idp")
	if _, err := source.Token(t.Context()); !errors.Is(err, oauth.ErrNeedsLogin) {
		t.Errorf("Token before the start = %v", err)
	}
	if err := r.proxy.StartOnly(t.Context(), "oauth_idp"); err != nil {
		t.Fatal(err)
	}
	if s, err := r.proxy.OAuth().Status(t.Context(), "idp"); err != nil || s.State != oauth.StateNoCredentials {
		t.Errorf("Status = %+v, %v", s, err)
	}
	want := r.login(t)
	cred, err := source.Token(t.Context())
	if err != nil || !cred.Token.Equal(want.AccessToken) {
		t.Errorf("Token after the login = %v, %v", cred.AccountID, err)
	}
	if _, err := kept.Load(t.Context(), "idp"); err != nil {
		t.Errorf("the store has %v", err)
	}
	s, err := r.proxy.OAuth().Status(t.Context(), "idp")
	if err != nil || s.State != oauth.StateOK || !s.Refreshable || s.Plugin != "oauthtest" || s.AccountID != "account-1" {
		t.Errorf("Status = %+v, %v", s, err)
	}
	if err := r.proxy.OAuth().Logout(t.Context(), "idp"); err != nil || !r.server.Revoked(want) {
		t.Errorf("Logout = %v, revoked %v", err, r.server.Revoked(want))
	}
}

// Whoever asks for an account that is not there learns what to do about it.
func TestAbsentAccounts(t *testing.T) {
	t.Parallel()
	r := newLoginRig(t, loginSetup{settings: ccproxy.Settings{DisabledPlugins: []string{"oauth_idp"}}})
	tests := []struct{ name, plugin, hint string }{
		{"idp", "oauth_idp", "plugins.oauth_idp.enabled = true"},
		{"nobody", "", "register a plugin"},
	}
	for _, tt := range tests {
		_, err := r.proxy.OAuth().Source(tt.name).Token(t.Context())
		login, ok := errors.AsType[*ccproxy.LoginError](err)
		if !ok || login.Plugin != tt.plugin || !strings.Contains(err.Error(), tt.hint) {
			t.Errorf("Token(%s) = %v", tt.name, err)
		}
		if _, err := r.proxy.OAuth().Provider(tt.name); !errors.As(err, &login) {
			t.Errorf("Provider(%s) = %v", tt.name, err)
		}
	}
	rec := r.ask(wholeBody)
	wantError(t, rec, anthropicDialect, http.StatusUnauthorized, "authentication_error", "plugins.oauth_idp.enabled")
	if r.calls.Load() != 0 {
		t.Errorf("%d calls without a token", r.calls.Load())
	}
}

// A token that the upstream refuses is refreshed once, however many calls met the refusal; each of them succeeds.
func TestRefusedTokenStorm(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"whole": wholeBody, "stream": streamBody} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newLoginRig(t, loginSetup{})
			r.refused.Store(r.login(t).AccessToken.Reveal(), true)
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					rec := r.ask(body)
					if rec.Code != http.StatusOK || name == "stream" && !strings.Contains(rec.Body.String(), "message_stop") {
						t.Errorf("%d %s", rec.Code, rec.Body)
					}
				})
			}
			wg.Wait()
			if n := r.tokenRequests(); n != 1 {
				t.Errorf("%d requests to the token endpoint, want 1", n)
			}
			if n := r.calls.Load(); n > 200 {
				t.Errorf("%d calls at the upstream, want at most two for each request", n)
			}
		})
	}
}

// An upstream that refuses everything gets each request twice at the most, and costs one refresh.
func TestUpstreamThatRefusesEverything(t *testing.T) {
	t.Parallel()
	r := newLoginRig(t, loginSetup{})
	r.login(t)
	r.refuse.Store(true)
	for range 10 {
		if rec := r.ask(wholeBody); rec.Code != http.StatusUnauthorized {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	if n := r.tokenRequests(); n != 1 {
		t.Errorf("%d requests to the token endpoint, want 1", n)
	}
	if n := r.calls.Load(); n > 20 {
		t.Errorf("%d calls for 10 requests", n)
	}
}

// A login that has ended is shown where an operator looks, and a new one mends it.
func TestNeedsLoginShows(t *testing.T) {
	t.Parallel()
	r := newLoginRig(t, loginSetup{})
	if got := details(t, r, "oauth_idp")["output"]; got != "account idp: no_credentials" {
		t.Errorf("before the login: %v", got)
	}
	r.refused.Store(r.login(t).AccessToken.Reveal(), true)
	r.server.Fail(oauthtest.Token, oauthtest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`})
	rec := r.ask(wholeBody)
	wantError(t, rec, anthropicDialect, http.StatusUnauthorized, "authentication_error", "auth login idp")
	if got := visit(r.proxy, "GET", "/plugins/oauth_idp/health", "").Body.String(); !strings.Contains(got, `"unhealthy"`) ||
		!strings.Contains(got, `"needs_login"`) {
		t.Errorf("health of the auth plugin: %s", got)
	}
	d := details(t, r, "claude_api")
	if d["has_credentials"] != false || d["account_state"] != "needs_login" {
		t.Errorf("health of the provider: %v", d)
	}
	if got := visit(r.proxy, "GET", "/plugins", "").Body.String(); !strings.Contains(got, "needs_login") {
		t.Errorf("plugins: %s", got)
	}
	if got := visit(r.proxy, "POST", "/oauth/idp/refresh", "{}"); got.Code != http.StatusConflict && got.Code != http.StatusOK {
		t.Errorf("refresh: %d %s", got.Code, got.Body)
	}
	r.login(t)
	if rec := r.ask(wholeBody); rec.Code != http.StatusOK {
		t.Errorf("after the new login: %d %s", rec.Code, rec.Body)
	}
	if d := details(t, r, "claude_api"); d["has_credentials"] != true {
		t.Errorf("health after the new login: %v", d)
	}
}

func details(t *testing.T, r *loginRig, plugin string) map[string]any {
	t.Helper()
	return detailsOf(t, r.proxy, plugin)
}

// What hooks and the log are told of a login, a refresh and a logout holds no token.
func TestOAuthEvents(t *testing.T) {
	t.Parallel()
	r := newLoginRig(t, loginSetup{})
	browser := r.browser(t)
	resp, err := browser.Get(publicURL + "/oauth/idp/login")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("login: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	if err := r.proxy.OAuth().Refresh(t.Context(), "idp"); err != nil {
		t.Fatal(err)
	}
	if rec := r.ask(wholeBody); rec.Code != http.StatusOK {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	r.server.Fail(oauthtest.Revoke, oauthtest.Gateway(), oauthtest.Gateway())
	if err := r.proxy.OAuth().Logout(t.Context(), "idp"); !errors.Is(err, oauth.ErrNotRevoked) {
		t.Errorf("Logout = %v", err)
	}
	text, kinds := r.told(t)
	want := []hooks.Event{
		hooks.EventOAuthTokenRequest, hooks.EventOAuthTokenResponse, hooks.EventOAuthRefreshRequest,
		hooks.EventOAuthRefreshResponse, hooks.EventOAuthError,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if !strings.Contains(text, "https://oauth.test/token") {
		t.Error("nobody was told of the request to the token endpoint")
	}
	for _, secret := range []string{"oauthtest-access-", "oauthtest-refresh-", "oauthtest-code-", "code_verifier"} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%q was told: …%s…", secret, text[max(0, i-200):min(len(text), i+80)])
		}
	}
}

// Shutdown waits for a refresh: what it brings is saved, although whoever asked is gone.
func TestShutdownWaitsForRefreshes(t *testing.T) {
	t.Parallel()
	var kept store.Memory
	r := newLoginRig(t, loginSetup{options: []ccproxy.Option{ccproxy.WithCredentialStore(&kept)}})
	r.login(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	r.server.Fail(oauthtest.Token, oauthtest.Fault{After: func(context.Context) { close(asked); <-answer }})
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.proxy.OAuth().Refresh(ctx, "idp"); !errors.Is(err, context.Canceled) {
			t.Errorf("Refresh = %v", err)
		}
	})
	<-asked
	leave()
	wg.Wait()
	wg.Go(func() {
		if err := r.proxy.Shutdown(context.WithoutCancel(ctx)); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
	})
	close(answer)
	wg.Wait()
	if c, err := kept.Load(context.WithoutCancel(ctx), "idp"); err != nil || !r.server.Newest(c) {
		t.Errorf("the store has %v, %v", c, err)
	}
}

// A token that ends under load is replaced once, and every request waits for it.
func TestExpiryUnderLoad(t *testing.T) {
	t.Parallel()
	r := newLoginRig(t, loginSetup{})
	c := r.server.Login()
	c.Expiry = time.Now().Add(-time.Minute)
	if err := r.proxy.OAuth().Login(t.Context(), "idp", c); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if rec := r.ask(wholeBody); rec.Code != http.StatusOK {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
		})
	}
	wg.Wait()
	if n := r.tokenRequests(); n != 1 {
		t.Errorf("%d requests to the token endpoint, want 1", n)
	}
}
