package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// While one proxy takes the place of another, two managers use one store in memory. The token that ends then is
// refreshed once.
func TestManagersShareMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, shared := new(oauthtest.Server), new(store.Memory)
		c := server.Login()
		c.Expiry = time.Now().Add(-time.Minute)
		if err := shared.Save(t.Context(), "example", c); err != nil {
			t.Fatal(err)
		}
		server.Fail(oauthtest.Token, oauthtest.Fault{Slow: time.Second}, oauthtest.Fault{Slow: time.Second})
		managers := fleet(t, 2, server, shared, nil)
		var asking sync.WaitGroup
		for _, m := range managers {
			asking.Go(func() {
				if cred, err := m.Token(t.Context(), "example"); err != nil || !server.Accepts(cred.Token.Reveal()) {
					t.Errorf("Token = generation %d, %v", cred.Generation, err)
				}
			})
		}
		asking.Wait()
		if counts := server.Counts(); counts.Refreshes != 1 || counts.Reuses != 0 {
			t.Errorf("%d refreshes, %d tokens spent twice; want 1 and none", counts.Refreshes, counts.Reuses)
		}
		shutdown(t, managers)
	})
}

// forgetful is a store that may lose everything, and knows whether somebody deleted what is not there.
type forgetful struct {
	store.Memory
	mu      sync.Mutex
	deleted bool
	full    error // what a Save fails with
}

func (s *forgetful) Load(ctx context.Context, id string) (*oauth.Credentials, error) {
	c, err := s.Memory.Load(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, oauth.ErrNoCredentials) && !s.deleted {
		err = fmt.Errorf("%w: %w", err, oauth.ErrNoTrace)
	}
	return c, err
}

func (s *forgetful) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	s.mu.Lock()
	err := s.full
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Memory.Save(ctx, id, c)
}

func (s *forgetful) Delete(ctx context.Context, id string) error {
	s.mu.Lock()
	s.deleted = true
	s.mu.Unlock()
	return s.Memory.Delete(ctx, id)
}

func (s *forgetful) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = err
}

// What a refresh brings is lost neither with a store that loses everything meanwhile, nor while it could not be saved.
// A logout is heeded in both.
func TestStoreLosesEverything(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		unsaved bool // it happens while the new tokens are in memory only, not during the refresh
		logout  bool
	}{
		{name: "during a refresh"},
		{name: "while tokens are unsaved", unsaved: true},
		{name: "logout during a refresh", logout: true},
		{name: "logout while tokens are unsaved", unsaved: true, logout: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, s := new(oauthtest.Server), new(forgetful)
				c := server.Login()
				c.Expiry = time.Now().Add(-time.Minute)
				if err := s.Save(t.Context(), "example", c); err != nil {
					t.Fatal(err)
				}
				lose := func(ctx context.Context) {
					remove := s.Memory.Delete
					if tt.logout { // by somebody who does not know the lock
						remove = s.Delete
					}
					if err := remove(ctx, "example"); err != nil {
						t.Error(err)
					}
				}
				if tt.unsaved {
					s.refuse(errBroken)
				} else {
					server.Fail(oauthtest.Token, oauthtest.Fault{After: lose})
				}
				managers := fleet(t, 1, server, s, nil)
				_, err := managers[0].Token(t.Context(), "example")
				if tt.unsaved {
					if err != nil {
						t.Fatal(err)
					}
					lose(t.Context())
					s.refuse(nil)
					time.Sleep(2 * time.Minute)
					_, err = managers[0].Token(t.Context(), "example")
				}
				saved, loadErr := s.Memory.Load(t.Context(), "example")
				switch {
				case tt.logout && (!errors.Is(err, oauth.ErrNoCredentials) || !errors.Is(loadErr, oauth.ErrNoCredentials)):
					t.Errorf("after a logout: Token = %v, Load = %v", err, loadErr)
				case !tt.logout && (err != nil || !server.Newest(saved)):
					t.Errorf("Token = %v, Load = %v, newest %t", err, loadErr, server.Newest(saved))
				}
				shutdown(t, managers)
			})
		})
	}
}
