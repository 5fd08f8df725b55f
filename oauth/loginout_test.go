package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		r.token()
		time.Sleep(2 * time.Hour)
		r.token()
		if err := r.manager.Login(t.Context(), "example", r.server.Login()); err != nil {
			t.Fatalf("Login = %v", err)
		}
		if c := r.token(); c.AccountID != "account-2" || c.Generation != 3 {
			t.Errorf("Token = account %s, generation %d", c.AccountID, c.Generation)
		}
		r.wantSaved()
		want := []oauth.EventKind{oauth.EventRefreshing, oauth.EventRefreshed, oauth.EventLogin}
		if diff := cmp.Diff(want, r.kinds()); diff != "" {
			t.Errorf("events mismatch (-want +got):\n%s", diff)
		}
		if err := r.manager.Login(t.Context(), "example", new(oauth.Credentials)); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("Login without a token = %v", err)
		}
		if err := r.manager.Login(t.Context(), "other", r.server.Login()); !errors.Is(err, oauth.ErrNoCredentials) {
			t.Errorf("Login of an unknown account = %v", err)
		}
	})
}

// A login that cannot be saved works all the same, and is saved later; the lock may be anybody's.
func TestLoginUnsaved(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		r.store.set(nil, errBroken, errBroken)
		login := r.server.Login()
		if err := r.manager.Login(t.Context(), "example", login); !errors.Is(err, oauth.ErrUnsaved) || !errors.Is(err, errBroken) {
			t.Errorf("Login = %v", err)
		}
		if c := r.token(); !c.Token.Equal(login.AccessToken) {
			t.Error("Token is not that of the login")
		}
		time.Sleep(time.Hour - time.Minute)
		r.token() // begins a refresh, for which the store is needed
		synctest.Wait()
		r.wantState(oauth.StateUnsaved)
		r.store.set(nil, nil, nil)
		time.Sleep(30 * time.Second)
		r.token()
		time.Sleep(45 * time.Second)
		r.wantSaved()
		r.wantState(oauth.StateOK)
	})
}

// The store tells the newer of two credentials by the generation, whatever this process has seen of them.
func TestLoginIsNewest(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		old := r.server.Login()
		old.Generation = 7
		if err := r.store.Save(t.Context(), "example", old); err != nil {
			t.Fatal(err)
		}
		if err := r.manager.Login(t.Context(), "example", r.server.Login()); err != nil {
			t.Fatal(err)
		}
		if c := r.wantSaved(); c.Generation != 8 {
			t.Errorf("generation %d after 7", c.Generation)
		}
	})
}

// Tokens that could not be saved give way to a login elsewhere, and so does the lock that was kept for them.
func TestUnsavedTokensGiveWay(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		time.Sleep(2 * time.Hour)
		r.store.set(nil, errBroken, nil)
		r.token()
		r.wantState(oauth.StateUnsaved)
		other := r.server.Login()
		if err := r.store.Memory.Save(t.Context(), "example", other); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second)
		if c := r.token(); !c.Token.Equal(other.AccessToken) || r.store.locked() {
			t.Errorf("Token is that of %s, locked: %t", c.AccountID, r.store.locked())
		}
		r.wantState(oauth.StateOK)
	})
}

// A login or a logout while a refresh runs is what the user wants, whoever does it.
func TestChangesDuringRefresh(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(context.Context, *rig) error
		want   error
	}{
		{"login here", func(ctx context.Context, r *rig) error { return r.manager.Login(ctx, "example", r.server.Login()) }, nil},
		{"login elsewhere", func(ctx context.Context, r *rig) error { return r.store.Memory.Save(ctx, "example", r.server.Login()) }, nil},
		{"logout here", func(ctx context.Context, r *rig) error { return r.manager.Logout(ctx, "example") }, oauth.ErrNoCredentials},
		{"logout elsewhere", func(ctx context.Context, r *rig) error { return r.store.Memory.Delete(ctx, "example") }, oauth.ErrNoCredentials},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
				t := r.t
				time.Sleep(2 * time.Hour)
				r.server.Fail(oauthtest.Token, oauthtest.Fault{Slow: 5 * time.Second})
				go func() { _, _ = r.source.Token(t.Context()) }()
				time.Sleep(time.Second)
				if err := tt.change(t.Context(), r); err != nil {
					t.Errorf("change = %v", err)
				}
				time.Sleep(10 * time.Second)
				if tt.want != nil {
					r.wantError(tt.want)
					if _, err := r.store.Memory.Load(t.Context(), "example"); !errors.Is(err, oauth.ErrNoCredentials) {
						t.Errorf("the store holds something again: %v", err)
					}
					return
				}
				if c := r.token(); c.AccountID != "account-2" {
					t.Errorf("Token = account %s", c.AccountID)
				}
				r.wantSaved()
			})
		})
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	gateway := []oauthtest.Fault{oauthtest.Gateway(), oauthtest.Gateway()}
	tests := []struct {
		name    string
		edit    func(*oauth.ProviderConfig)
		prepare func(*rig)
		revoked bool
		want    error
	}{
		{name: "revoked", revoked: true},
		{name: "server away", prepare: func(r *rig) { r.server.Fail(oauthtest.Revoke, gateway...) }, want: oauth.ErrNotRevoked},
		{name: "server cannot", edit: func(c *oauth.ProviderConfig) { c.RevocationURL = "" }},
		{name: "corrupt", prepare: func(r *rig) { r.store.set(oauth.ErrCorrupt, nil, nil) }},
		{name: "lock broken", prepare: func(r *rig) { r.store.set(nil, nil, errBroken) }, revoked: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := new(oauthtest.Server)
				cfg := server.ProviderConfig("example")
				if tt.edit != nil {
					tt.edit(&cfg)
				}
				p, err := oauth.NewConfigProvider(cfg)
				if err != nil {
					t.Fatal(err)
				}
				r := newRigOf(t, server, new(brittleStore), new(oauth.TokenManager), p)
				c := server.Login()
				if err := r.store.Save(t.Context(), "example", c); err != nil {
					t.Fatal(err)
				}
				if tt.prepare != nil {
					tt.prepare(r)
				}
				if err := r.manager.Logout(t.Context(), "example"); !errors.Is(err, tt.want) {
					t.Errorf("Logout = %v, want %v", err, tt.want)
				}
				r.store.set(nil, nil, nil)
				if server.Revoked(c) != tt.revoked {
					t.Errorf("revoked: %t, want %t", server.Revoked(c), tt.revoked)
				}
				r.wantError(oauth.ErrNoCredentials)
				r.wantState(oauth.StateNoCredentials)
				if kinds := r.kinds(); len(kinds) != 1 || kinds[0] != oauth.EventLogout {
					t.Errorf("events = %q", kinds)
				}
				if err := r.manager.Logout(t.Context(), "example"); err != nil {
					t.Errorf("Logout again = %v", err)
				}
				if err := r.manager.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestRefreshByRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		for generation := range uint64(3) {
			c, err := r.manager.Refresh(t.Context(), "example")
			if err != nil || c.Generation != generation+2 {
				t.Fatalf("Refresh = generation %d, %v", c.Generation, err)
			}
		}
		r.wantSaved()
		r.server.Fail(oauthtest.Token, oauthtest.Fault{Status: 503}, oauthtest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`})
		var failed *oauth.EndpointError
		if _, err := r.manager.Refresh(t.Context(), "example"); !errors.As(err, &failed) || failed.Status != 503 {
			t.Errorf("Refresh with a server that is away = %v", err)
		}
		r.token()
		r.wantState(oauth.StateFailing)
		if _, err := r.manager.Refresh(t.Context(), "example"); !errors.Is(err, oauth.ErrNeedsLogin) {
			t.Errorf("Refresh of dead credentials = %v", err)
		}
		r.wantState(oauth.StateNeedsLogin)
		if _, err := r.manager.Refresh(t.Context(), "example"); err != nil {
			t.Errorf("Refresh, though the user asks again = %v", err)
		}
		r.wantState(oauth.StateOK)
		if _, err := r.manager.Refresh(t.Context(), "other"); !errors.Is(err, oauth.ErrNoCredentials) {
			t.Errorf("Refresh of an unknown account = %v", err)
		}
	})
}

// Nothing that is logged or shown of an account holds a token.
func TestNothingShowsTokens(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		c := r.token()
		echo := `{"error":"oauthtest-refresh-0001-000001","error_description":"oauthtest-refresh-0001-000001"}`
		r.server.Fail(oauthtest.Token, oauthtest.Fault{Status: 400, Body: echo})
		time.Sleep(2 * time.Hour)
		err := r.wantError(oauth.ErrNeedsLogin)
		shown := fmt.Sprintf("%v %+v %#v %v %+v %+v", c, c, c, err, r.manager.Statuses(), r.events)
		wantNoSecrets(t, shown)
		wantNoSecrets(t, fmt.Sprintf("%v %+v", err, errors.Unwrap(err)))
	})
}
