package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// scaled gives n, or a tenth where the race detector or -short asks for less.
func scaled(n int) int {
	if raceEnabled || testing.Short() {
		return max(1, n/10)
	}
	return n
}

// thirdLeaves lets 30 % of the callers leave, at any time until a while after the refresh.
func thirdLeaves(r *rand.Rand) func(int) time.Duration {
	var mu sync.Mutex
	return func(i int) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if i%10 >= 3 {
			return -1
		}
		return rand.N(40*time.Millisecond) + time.Duration(r.IntN(2)) // never the very moment of the refresh
	}
}

// A thousand requests when the token has ended, or when the upstream refuses it, of which 30 % leave: one
// refresh, an answer for everybody who stayed, and nothing lost.
func TestStorm(t *testing.T) {
	t.Parallel()
	rounds, callers := scaled(100), scaled(1000)
	tests := []struct {
		name string
		end  func(r *rig, used oauth.Credential)
	}{
		{"expired", func(*rig, oauth.Credential) { time.Sleep(2 * time.Hour) }},
		{"refused", func(r *rig, used oauth.Credential) {
			time.Sleep(2 * time.Minute)
			if !r.source.Invalidate(used) {
				r.t.Error("Invalidate = false")
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, new(oauthtest.Server), new(oauth.TokenManager), func(r *rig) {
				t := r.t
				random := rand.New(rand.NewPCG(1, 2))
				for round := range rounds {
					tt.end(r, r.token0())
					r.server.Fail(oauthtest.Token, oauthtest.Fault{Slow: 20 * time.Millisecond})
					served, left, err := herd(t, r.source, callers, thirdLeaves(random))
					if err != nil || served+left != callers || served < callers*7/10 {
						t.Fatalf("round %d: %d served, %d left, %v", round, served, left, err)
					}
					time.Sleep(time.Second)
					r.wantRefreshes(round + 1)
					r.wantSaved()
				}
				if n := r.requests(); n != rounds {
					t.Errorf("%d requests in %d rounds", n, rounds)
				}
				t.Logf("%d rounds of %d callers: %d refreshes", rounds, callers, r.server.Counts().Refreshes)
			})
		})
	}
}

// token0 gives the token that is in use, without waiting for another.
func (r *rig) token0() oauth.Credential {
	c, err := r.source.Token(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// fleet is several managers with one store, as of several processes.
func fleet(t *testing.T, n int, server *oauthtest.Server, s oauth.Store, edit func(*oauth.ProviderConfig)) []*oauth.TokenManager {
	t.Helper()
	managers := make([]*oauth.TokenManager, n)
	for i := range managers {
		cfg := server.ProviderConfig("example")
		if edit != nil {
			edit(&cfg)
		}
		p, err := oauth.NewConfigProvider(cfg)
		if err != nil {
			t.Fatal(err)
		}
		managers[i] = &oauth.TokenManager{Store: s}
		if _, err := managers[i].Add(oauth.Account{Provider: p}); err != nil {
			t.Fatal(err)
		}
	}
	return managers
}

func shutdown(t *testing.T, managers []*oauth.TokenManager) {
	t.Helper()
	for _, m := range managers {
		if err := m.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
	}
}

// Whatever the server does: no token is spent twice by those who could know, and none is lost that was given.
func TestServerFaults(t *testing.T) {
	t.Parallel()
	runs, logins := scaled(150), 0
	for run := range runs {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, uint64(run)))
			server, s := new(oauthtest.Server), new(brittleStore)
			if err := s.Save(t.Context(), "example", server.Login()); err != nil {
				t.Fatal(err)
			}
			managers := fleet(t, 2, server, s, nil)
			defer shutdown(t, managers)
			time.Sleep(2 * time.Hour)
			menu := []oauthtest.Fault{
				{Status: 500},
				{Status: 503, Body: `{"error":"invalid_grant"}`},
				oauthtest.Overloaded(20), oauthtest.Gateway(),
				oauthtest.Portal(), oauthtest.Empty(),
				{Refused: true},
				{Delay: time.Minute},
				{Status: 307},
				{Slow: 10 * time.Second},
				{Lost: true},
				{Slow: time.Minute},
			}
			for range 1 + random.IntN(4) {
				server.Fail(oauthtest.Token, menu[random.IntN(len(menu))])
			}
			err := untilSettled(t, managers, random)
			counts := server.Counts()
			stored, loadErr := s.Memory.Load(t.Context(), "example")
			switch {
			case counts.Reuses != 0 || loadErr != nil:
				t.Errorf("run %d: %+v, %v", run, counts, loadErr)
			case errors.Is(err, oauth.ErrNeedsLogin):
				logins++
				if counts.LostReplays != 1 {
					t.Errorf("run %d: a login is needed though no answer was lost: %+v", run, counts)
				}
			case err != nil || !server.Newest(stored):
				t.Errorf("run %d: %v; the store holds generation %d, %+v", run, err, stored.Generation, counts)
			}
		})
	}
	t.Logf("%d runs; %d ended with a new login, since the server's answer was lost", runs, logins)
}

// untilSettled lets callers ask both managers until one has a token, or a login is needed.
func untilSettled(t *testing.T, managers []*oauth.TokenManager, random *rand.Rand) error {
	t.Helper()
	var err error
	for range 1000 {
		_, err = managers[random.IntN(len(managers))].Token(t.Context(), "example")
		if err == nil || errors.Is(err, oauth.ErrNeedsLogin) {
			return err
		}
		time.Sleep(time.Second)
	}
	return err
}

// A store that fails at any moment of a refresh and comes back.
func TestStoreFaults(t *testing.T) {
	t.Parallel()
	runs := scaled(50)
	for run := range runs {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(8, uint64(run)))
			server, s := new(oauthtest.Server), new(brittleStore)
			if err := s.Save(t.Context(), "example", server.Login()); err != nil {
				t.Fatal(err)
			}
			managers := fleet(t, 2, server, s, nil)
			defer shutdown(t, managers)
			time.Sleep(2 * time.Hour)
			pick := func() error { return []error{nil, errBroken}[random.IntN(2)] }
			load, save, lock := pick(), pick(), pick()
			begin := time.Now()
			breaks := func(context.Context) {
				if time.Since(begin) < 2*time.Minute { // it stays whole once it is
					s.set(load, save, lock)
				}
			}
			server.Fail(oauthtest.Token, oauthtest.Fault{Before: breaks, Slow: time.Second})
			if random.IntN(3) == 0 {
				breaks(t.Context())
			}
			for time.Since(begin) < 2*time.Minute {
				_, _ = managers[random.IntN(2)].Token(t.Context(), "example")
				time.Sleep(time.Second)
			}
			s.set(nil, nil, nil)
			err := untilSettled(t, managers, random)
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			stored, loadErr := s.Memory.Load(t.Context(), "example")
			if c := server.Counts(); err != nil || loadErr != nil || !server.Newest(stored) || c.Reuses != 0 || c.Refreshes != 1 {
				t.Errorf("run %d (load %v, save %v, lock %v): %v, %v, %+v", run, load, save, lock, err, loadErr, c)
			}
		})
	}
}

// leaseStore has a lock that others may take when it was not renewed for a second.
type leaseStore struct {
	store.Memory
	mu      sync.Mutex
	expires time.Time
	owner   int
	next    int
}

func (s *leaseStore) take() (owner int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.expires) {
		return 0, false
	}
	s.next++
	s.owner, s.expires = s.next, time.Now().Add(time.Second)
	return s.owner, true
}

func (s *leaseStore) renew(owner int, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == owner {
		s.expires = until
	}
}

func (s *leaseStore) Lock(ctx context.Context, _ string) (func(), error) {
	for {
		if owner, ok := s.take(); ok {
			stop := make(chan struct{})
			go func() {
				for {
					select {
					case <-stop:
						s.renew(owner, time.Time{})
						return
					case <-time.After(time.Second / 3):
						s.renew(owner, time.Now().Add(time.Second))
					}
				}
			}()
			return func() { close(stop) }, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// The server takes longer than a lease lasts.
func TestLeaseShorterThanCall(t *testing.T) {
	t.Parallel()
	for run := range scaled(50) {
		synctest.Test(t, func(t *testing.T) {
			server, s := new(oauthtest.Server), new(leaseStore)
			if err := s.Save(t.Context(), "example", server.Login()); err != nil {
				t.Fatal(err)
			}
			managers := fleet(t, 3, server, s, nil)
			time.Sleep(2 * time.Hour)
			server.Fail(oauthtest.Token, oauthtest.Fault{Slow: 3*time.Second + time.Duration(run)*100*time.Millisecond})
			errs := make(chan error, 3*20)
			for _, m := range managers {
				for range 20 {
					go func() {
						c, err := m.Token(t.Context(), "example")
						if err == nil && c.Generation != 2 {
							err = fmt.Errorf("generation %d", c.Generation)
						}
						errs <- err
					}()
				}
			}
			for range cap(errs) {
				if err := <-errs; err != nil {
					t.Errorf("run %d: %v", run, err)
				}
			}
			if c := server.Counts(); c.Requests[oauthtest.Token] != 1 || c.Refreshes != 1 {
				t.Errorf("run %d: %+v", run, c)
			}
			shutdown(t, managers)
		})
	}
}
