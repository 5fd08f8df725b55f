package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

func TestSkew(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		lifetime time.Duration
		skew     time.Duration
		quiet    time.Duration // so long nothing happens
		late     time.Duration // by now the token is being replaced
	}{
		{"default", time.Hour, 0, 55*time.Minute - time.Second, 55*time.Minute + time.Second},
		{"own", time.Hour, 2 * time.Minute, 58*time.Minute - time.Second, 58*time.Minute + time.Second},
		{"tenth of a short life", time.Minute, 0, 53 * time.Second, 55 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := &oauthtest.Server{Lifetime: tt.lifetime}
			inBubble(t, server, &oauth.TokenManager{Skew: tt.skew}, func(r *rig) {
				t := r.t
				begin := time.Now()
				first := r.token()
				time.Sleep(tt.quiet)
				r.token()
				synctest.Wait()
				r.wantRefreshes(0)
				time.Sleep(tt.late - tt.quiet)
				server.Fail(oauthtest.Token, oauthtest.Fault{Slow: time.Second})
				asked := time.Now()
				if c := r.token(); !c.Token.Equal(first.Token) || !time.Now().Equal(asked) {
					t.Errorf("a token that is still good was not served at once (generation %d)", c.Generation)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if c := r.token(); c.Generation != 2 || !c.Expiry.Equal(begin.Add(tt.late).Add(tt.lifetime)) {
					t.Errorf("after the refresh: generation %d until %v", c.Generation, c.Expiry)
				}
				r.wantRefreshes(1)
				r.wantSaved()
			})
		})
	}
}

// A day of steady traffic: one refresh for each life less the skew.
func TestOneRefreshPerLife(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		for range 24 * 360 {
			r.token()
			time.Sleep(10 * time.Second)
		}
		r.wantRefreshes(int(24 * time.Hour / (55 * time.Minute)))
		r.wantSaved()
	})
}

func TestExpiredTokenIsWaitedFor(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		r.token()
		time.Sleep(2 * time.Hour)
		r.server.Fail(oauthtest.Token, oauthtest.Fault{Slow: 3 * time.Second})
		begin := time.Now()
		served, _, err := herd(t, r.source, 100, func(int) time.Duration { return -1 })
		if served != 100 || err != nil || time.Since(begin) != 3*time.Second {
			t.Errorf("%d of 100 served after %v, %v", served, time.Since(begin), err)
		}
		r.wantRefreshes(1)
		want := []oauth.EventKind{oauth.EventRefreshing, oauth.EventRefreshed}
		if diff := cmp.Diff(want, r.kinds()); diff != "" {
			t.Errorf("events mismatch (-want +got):\n%s", diff)
		}
		if e := r.events[1]; e.Duration != 3*time.Second || e.Generation != 2 || e.AccountID != "account-1" {
			t.Errorf("event = %+v", e)
		}
	})
}

func TestCallersThatLeave(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		time.Sleep(2 * time.Hour)
		r.server.Fail(oauthtest.Token, oauthtest.Fault{Slow: 3 * time.Second})
		begin := time.Now()
		_, left, err := herd(t, r.source, 10, func(int) time.Duration { return time.Second })
		if left != 10 || err != nil || time.Since(begin) != time.Second {
			t.Errorf("%d of 10 left after %v, %v", left, time.Since(begin), err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.wantSaved()
		r.token()
		r.wantRefreshes(1)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.source.Token(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Token with an ended context = %v", err)
		}
	})
}

// While the server is away, a token that is still good is served, and the server is not worn out.
func TestGrace(t *testing.T) {
	t.Parallel()
	faults := map[string]oauthtest.Fault{
		"503": {Status: 503}, "page": oauthtest.Gateway(), "portal": oauthtest.Portal(), "empty": oauthtest.Empty(),
		"refused": {Refused: true}, "429": {Status: 429}, "slow": {Delay: time.Minute},
		"unavailable": {Status: 400, Body: `{"error":"temporarily_unavailable"}`},
		"no token":    {Status: 200, Body: `{"token_type":"Bearer"}`},
		"redirect":    {Status: 302, Header: http.Header{"Location": {"https://elsewhere.test/token"}}},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
				t := r.t
				r.token()
				time.Sleep(56 * time.Minute)
				r.server.Fail(oauthtest.Token, repeat(1000, fault)...)
				for range 4*60 - 1 {
					r.token()
					time.Sleep(time.Second)
				}
				r.wantState(oauth.StateFailing)
				if n := r.requests(); n < 4 || n > 12 {
					t.Errorf("%d requests in 4 minutes", n)
				}
				time.Sleep(2 * time.Second)
				var failed *oauth.TokenError
				err := r.wantError(nil)
				if !errors.As(err, &failed) || failed.NextAttempt.Before(time.Now()) || errors.Is(err, oauth.ErrNeedsLogin) {
					t.Errorf("Token = %v", err)
				}
				r.server.Heal()
				time.Sleep(2 * time.Minute)
				r.token()
				r.wantState(oauth.StateOK)
				r.wantRefreshes(1)
			})
		})
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		fault    oauthtest.Fault
		min, max int // requests in an hour
	}{
		{"503", oauthtest.Fault{Status: 503}, 50, 85},
		{"asked for ten minutes", oauthtest.Overloaded(600), 5, 6},
		{"asked for a year", oauthtest.Overloaded(365 * 24 * 3600), 4, 4},
		{"asked for nonsense", oauthtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"soon"}}}, 50, 85},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
				t := r.t
				time.Sleep(2 * time.Hour)
				r.server.Fail(oauthtest.Token, repeat(10000, tt.fault)...)
				for range 3600 {
					if _, err := r.source.Token(t.Context()); err == nil {
						t.Fatal("Token gave an ended token")
					}
					time.Sleep(time.Second)
				}
				if n := r.requests(); n < tt.min || n > tt.max {
					t.Errorf("%d requests in an hour, want %d to %d", n, tt.min, tt.max)
				}
			})
		})
	}
}

func TestNeedsLogin(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		r.token()
		old := r.wantSaved()
		r.server.Fail(oauthtest.Token, oauthtest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`})
		time.Sleep(2 * time.Hour)
		for range 100 {
			r.wantError(oauth.ErrNeedsLogin)
			time.Sleep(10 * time.Second)
		}
		if n := r.requests(); n != 1 {
			t.Errorf("%d requests with credentials that are known to be dead", n)
		}
		s := r.wantState(oauth.StateNeedsLogin)
		if !strings.Contains(s.Error, "invalid_grant") {
			t.Errorf("Status.Error = %q", s.Error)
		}
		want := []oauth.EventKind{oauth.EventRefreshing, oauth.EventNeedsLogin}
		if diff := cmp.Diff(want, r.kinds()); diff != "" {
			t.Errorf("events mismatch (-want +got):\n%s", diff)
		}
		if c, err := r.store.Load(t.Context(), "example"); err != nil || !c.AccessToken.Equal(old.AccessToken) {
			t.Errorf("the store was changed: %v, %v", c, err)
		}
		// Somebody logs in with another command.
		if err := r.store.Save(t.Context(), "example", r.server.Login()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		r.token()
		r.wantState(oauth.StateOK)
	})
}

// Somebody who does not know the lock was faster: the winner's tokens are taken over, not cleared.
func TestLoserAdopts(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		r.token()
		time.Sleep(2 * time.Hour)
		winner := r.server.Login()
		r.server.Fail(oauthtest.Token, oauthtest.Fault{
			Status: 400, Body: `{"error":"invalid_grant"}`,
			Before: func(ctx context.Context) { _ = r.store.Memory.Save(ctx, "example", winner) },
		})
		if c := r.token(); !c.Token.Equal(winner.AccessToken) {
			t.Error("Token is not the winner's")
		}
		r.wantState(oauth.StateOK)
	})
}

func TestUnsavedTokens(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		r.token()
		time.Sleep(2 * time.Hour)
		r.store.set(nil, errBroken, nil)
		r.token()
		r.wantState(oauth.StateUnsaved)
		if !r.store.locked() {
			t.Error("the lock was given back while the store holds a token that is spent")
		}
		time.Sleep(2 * time.Hour) // the next life begins unsaved, too
		r.token()
		r.store.set(errBroken, errBroken, nil)
		time.Sleep(2 * time.Hour)
		r.token()
		r.wantRefreshes(3)
		r.store.set(nil, nil, nil)
		time.Sleep(90 * time.Second)
		r.wantSaved()
		r.wantState(oauth.StateOK)
		if r.store.locked() {
			t.Error("the lock is still held")
		}
		kinds := r.kinds()
		if kinds[len(kinds)-1] != oauth.EventSaved || kinds[2] != oauth.EventSaveFailed {
			t.Errorf("events = %q", kinds)
		}
	})
}

func TestShutdownSavesOrSays(t *testing.T) {
	t.Parallel()
	for name, heals := range map[string]bool{"store is back": true, "store is gone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
				t := r.t
				time.Sleep(2 * time.Hour)
				r.store.set(nil, errBroken, nil)
				r.token()
				if heals {
					r.store.set(nil, nil, nil)
				}
				err := r.manager.Shutdown(t.Context())
				if heals {
					r.wantSaved()
				}
				if errors.Is(err, oauth.ErrUnsaved) == heals {
					t.Errorf("Shutdown = %v", err)
				}
				r.token() // it lasts a while
				time.Sleep(2 * time.Hour)
				r.wantError(oauth.ErrClosed)
				if _, err := r.manager.Add(oauth.Account{ID: "x", Provider: provider("x")}); !errors.Is(err, oauth.ErrClosed) {
					t.Errorf("Add after Shutdown = %v", err)
				}
			})
		})
	}
}

func TestShutdownWaitsForRefresh(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		time.Sleep(2 * time.Hour)
		r.server.Fail(oauthtest.Token, oauthtest.Fault{Slow: 10 * time.Second})
		_, left, _ := herd(t, r.source, 1, func(int) time.Duration { return time.Second })
		if left != 1 {
			t.Fatal("the caller did not leave")
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.manager.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown within a second = %v", err)
		}
		if err := r.manager.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		r.wantSaved()
		r.wantRefreshes(1)
	})
}

func TestInvalidate(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		used := r.token()
		r.server.Fail(oauthtest.Token, oauthtest.Fault{Slow: time.Second})
		served := 0
		results := make(chan bool, 1000)
		for range 1000 {
			go func() {
				retry := r.source.Invalidate(used)
				c, err := r.source.Token(t.Context())
				results <- retry && err == nil && c.Generation == 2
			}()
		}
		for range 1000 {
			if <-results {
				served++
			}
		}
		if served != 1000 {
			t.Errorf("%d of 1000 got a new token", served)
		}
		r.wantRefreshes(1)
		// The upstream refuses everything: the server is not asked again and again.
		for range 59 {
			if r.source.Invalidate(r.token()) {
				t.Fatal("Invalidate promises another token")
			}
			time.Sleep(time.Second)
		}
		r.wantRefreshes(1)
		time.Sleep(2 * time.Second)
		if !r.source.Invalidate(r.token()) || r.token().Generation != 3 {
			t.Error("no refresh after a minute")
		}
		if !r.source.Invalidate(used) {
			t.Error("Invalidate of an old token tells not to fetch the new one")
		}
		if r.source.Invalidate(oauth.Credential{}) {
			t.Error("Invalidate of nothing promises something")
		}
		r.wantRefreshes(2)
	})
}

// The upstream refuses, and so does the server: there is nothing to serve any more.
func TestInvalidateDeadCredentials(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		used := r.token()
		r.server.Fail(oauthtest.Token, oauthtest.Fault{Status: 401, Body: `{"error":"invalid_client"}`})
		if !r.source.Invalidate(used) {
			t.Fatal("Invalidate = false")
		}
		r.wantError(oauth.ErrNeedsLogin)
		if r.source.Invalidate(used) {
			t.Error("Invalidate promises another token")
		}
	})
}

func TestRecheck(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		first := r.token()
		other := r.server.Login()
		if err := r.store.Save(t.Context(), "example", other); err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Second)
		if !r.token().Token.Equal(first.Token) {
			t.Error("the store is looked at too often")
		}
		time.Sleep(2 * time.Second)
		r.token()
		synctest.Wait()
		if c := r.token(); !c.Token.Equal(other.AccessToken) || c.AccountID != "account-2" {
			t.Errorf("the login of %s was not noticed", other.AccountID)
		}
		if err := r.store.Delete(t.Context(), "example"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		r.token()
		synctest.Wait()
		r.wantError(oauth.ErrNoCredentials)
		r.wantState(oauth.StateNoCredentials)
		want := []oauth.EventKind{oauth.EventAdopted, oauth.EventLogout}
		if diff := cmp.Diff(want, r.kinds()); diff != "" {
			t.Errorf("events mismatch (-want +got):\n%s", diff)
		}
		r.wantRefreshes(0)
	})
}

// A store that cannot be read, or locked, is no reason to spend a token that somebody else may have spent.
func TestNoBlindRefresh(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		load, lock error
		want       error
		state      oauth.State
	}{
		{"unreadable", errBroken, nil, errBroken, oauth.StateFailing},
		{"corrupt", fmt.Errorf("%w: line 1", oauth.ErrCorrupt), nil, oauth.ErrCorrupt, oauth.StateCorrupt},
		{"no lock", nil, errBroken, errBroken, oauth.StateFailing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
				t := r.t
				r.token()
				r.store.set(tt.load, nil, tt.lock)
				time.Sleep(58 * time.Minute)
				r.token() // still good
				time.Sleep(time.Hour)
				r.wantError(tt.want)
				r.wantState(tt.state)
				if n := r.requests(); n != 0 {
					t.Errorf("%d requests", n)
				}
				r.store.set(nil, nil, nil)
				time.Sleep(2 * time.Minute)
				r.token()
				r.wantRefreshes(1)
			})
		})
	}
}

func TestLockThatIsNeverFree(t *testing.T) {
	t.Parallel()
	inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
		t := r.t
		unlock, err := r.store.Lock(t.Context(), "example")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if err := r.wantError(nil); errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Token = %v, which callers take for a deadline of their own", err)
		}
		unlock()
		time.Sleep(2 * time.Second)
		r.token()
	})
}

// badProvider answers refreshes with what a test wants.
type badProvider struct {
	named
	refresh func() (*oauth.Credentials, error)
}

func (p badProvider) Refresh(context.Context, *oauth.Credentials) (*oauth.Credentials, error) {
	return p.refresh()
}

func TestBadProviders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		refresh func() (*oauth.Credentials, error)
	}{
		{"nothing", func() (*oauth.Credentials, error) { return nil, nil }},
		{"no token", func() (*oauth.Credentials, error) { return new(oauth.Credentials), nil }},
		{"panic", func() (*oauth.Credentials, error) { panic("secret-value") }},
		{"goexit", func() (*oauth.Credentials, error) { runtime.Goexit(); return nil, nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := new(oauthtest.Server)
				p := badProvider{named{oauth.Info{Name: "example"}}, tt.refresh}
				r := newRigOf(t, server, new(brittleStore), new(oauth.TokenManager), p)
				if err := r.store.Save(t.Context(), "example", server.Login()); err != nil {
					t.Fatal(err)
				}
				before := r.wantSaved()
				time.Sleep(2 * time.Hour)
				for range 2 {
					if err := r.wantError(nil); strings.Contains(err.Error(), "secret-value") {
						t.Errorf("Token = %v", err)
					}
					time.Sleep(10 * time.Second)
				}
				if after := r.wantSaved(); !after.AccessToken.Equal(before.AccessToken) || r.store.locked() {
					t.Errorf("the store changed, or is locked: %t", r.store.locked())
				}
				if err := r.manager.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown = %v", err)
				}
			})
		})
	}
}

// A provider that forgets what did not change costs nobody the refresh token.
func TestRefreshTokenIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fresh := &oauth.Credentials{AccessToken: oauth.NewSecret("fresh"), Expiry: time.Now().Add(24 * time.Hour)}
		p := badProvider{named{oauth.Info{Name: "example"}}, func() (*oauth.Credentials, error) { return fresh, nil }}
		r := newRigOf(t, new(oauthtest.Server), new(brittleStore), new(oauth.TokenManager), p)
		old := &oauth.Credentials{
			AccessToken: oauth.NewSecret("old"), RefreshToken: oauth.NewSecret("keep"),
			Expiry: time.Now().Add(-time.Hour), Generation: 7,
		}
		if err := r.store.Save(t.Context(), "example", old); err != nil {
			t.Fatal(err)
		}
		c, err := r.source.Token(t.Context())
		saved, loadErr := r.store.Load(t.Context(), "example")
		if err != nil || loadErr != nil || c.Authorization().Reveal() != "Bearer fresh" {
			t.Fatalf("Token = %v, %v", c, errors.Join(err, loadErr))
		}
		if saved.RefreshToken.Reveal() != "keep" || saved.Generation != 8 {
			t.Errorf("saved generation %d", saved.Generation)
		}
	})
}

func TestAdd(t *testing.T) {
	t.Parallel()
	var m oauth.TokenManager
	s := new(brittleStore)
	if _, err := m.Add(oauth.Account{Store: s}); !errors.Is(err, oauth.ErrInvalid) {
		t.Errorf("Add without provider = %v", err)
	}
	if _, err := m.Add(oauth.Account{Provider: provider("a")}); !errors.Is(err, oauth.ErrInvalid) {
		t.Errorf("Add without store = %v", err)
	}
	for _, id := range []string{"b", ""} {
		if _, err := m.Add(oauth.Account{ID: id, Provider: provider("a"), Store: s}); err != nil {
			t.Errorf("Add(%q) = %v", id, err)
		}
	}
	if _, err := m.Add(oauth.Account{Provider: provider("a"), Store: s}); !errors.Is(err, oauth.ErrDuplicate) {
		t.Errorf("Add twice = %v", err)
	}
	want := []oauth.Status{{ID: "a", Provider: "a", State: oauth.StateUnknown}, {ID: "b", Provider: "a", State: oauth.StateUnknown}}
	if diff := cmp.Diff(want, m.Statuses()); diff != "" {
		t.Errorf("Statuses mismatch (-want +got):\n%s", diff)
	}
	if err := m.Remove(t.Context(), "a"); err != nil {
		t.Errorf("Remove = %v", err)
	}
	if _, ok := m.Source("a"); ok || len(m.Statuses()) != 1 {
		t.Error("Remove left the account")
	}
	if _, err := m.Token(t.Context(), "a"); !errors.Is(err, oauth.ErrNoCredentials) {
		t.Errorf("Token of a removed account = %v", err)
	}
	if _, err := m.Token(t.Context(), "b"); !errors.Is(err, oauth.ErrNoCredentials) {
		t.Errorf("Token without login = %v", err)
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
