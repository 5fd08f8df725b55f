package redis_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// TestLostDuringRefresh has Redis lose all it holds while a refresh runs: what comes of the refresh is kept. A login
// that somebody deletes meanwhile stays deleted.
func TestLostDuringRefresh(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, address string) {
		t.Helper()
		for _, deleted := range []bool{false, true} {
			server, s := new(oauthtest.Server), mustOpen(t, address+" l:")
			if err := errors.Join(s.Save(t.Context(), "example", server.Login()), expire(t.Context(), s)); err != nil {
				t.Fatal(err)
			}
			server.Fail(oauthtest.Token, oauthtest.Fault{After: func(ctx context.Context) {
				err := s.Client.FlushAll(ctx).Err()
				if deleted {
					err = s.Delete(ctx, "example")
				}
				if err != nil {
					t.Error(err)
				}
			}})
			m, source := managerOf(t, server, s, nil)
			_, err := source.Token(t.Context())
			c, loadErr := s.Load(t.Context(), "example")
			switch {
			case !deleted && (err != nil || loadErr != nil || !server.Newest(c)):
				t.Errorf("lost: Token = %v, Load = %v, %v", err, c, loadErr)
			case deleted && (!errors.Is(err, oauth.ErrNoCredentials) || !errors.Is(loadErr, oauth.ErrNoCredentials)):
				t.Errorf("deleted: Token = %v, Load = %v, %v", err, c, loadErr)
			}
			if err := m.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestTraces wants a login that was deleted to be told from one that never was, until there is another.
func TestTraces(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, address string) {
		t.Helper()
		s := mustOpen(t, address+" t:")
		want := func(when string, noTrace bool) {
			t.Helper()
			_, err := s.Load(t.Context(), "id")
			if !errors.Is(err, oauth.ErrNoCredentials) || errors.Is(err, oauth.ErrNoTrace) != noTrace {
				t.Errorf("%s: Load = %v, want no trace: %t", when, err, noTrace)
			}
		}
		want("never stored", true)
		if err := errors.Join(s.Save(t.Context(), "id", generation(2)), s.Delete(t.Context(), "id")); err != nil {
			t.Fatal(err)
		}
		want("deleted", false)
		if ids, err := s.List(t.Context()); err != nil || len(ids) != 0 {
			t.Errorf("List = %q, %v; want nothing", ids, err)
		}
		if err := s.Save(t.Context(), "id", generation(2)); err != nil {
			t.Fatal(err)
		}
		if err := s.Client.Del(t.Context(), "t:{id}:login").Err(); err != nil {
			t.Fatal(err)
		}
		want("stored anew and lost", true)
	})
}
