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

var errBroken = errors.New("broken")

// brittleStore is a store in memory that fails when told to, and a Locker.
type brittleStore struct {
	store.Memory
	mu      sync.Mutex
	load    error
	save    error
	lock    error
	saves   int
	held    bool
	waiting chan struct{}
}

func (s *brittleStore) set(load, save, lock error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load, s.save, s.lock = load, save, lock
}

func (s *brittleStore) Load(ctx context.Context, id string) (*oauth.Credentials, error) {
	s.mu.Lock()
	err := s.load
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.Memory.Load(ctx, id)
}

func (s *brittleStore) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	s.mu.Lock()
	s.saves++
	err := s.save
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Memory.Save(ctx, id, c)
}

func (s *brittleStore) Lock(ctx context.Context, _ string) (func(), error) {
	for {
		s.mu.Lock()
		if err := s.lock; err != nil {
			s.mu.Unlock()
			return nil, err
		}
		if !s.held {
			s.held, s.waiting = true, make(chan struct{})
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.held = false
				close(s.waiting)
			}, nil
		}
		waiting := s.waiting
		s.mu.Unlock()
		select {
		case <-waiting:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *brittleStore) locked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// rig is a manager of one account, "example", that is logged in at a test server.
type rig struct {
	t       *testing.T
	server  *oauthtest.Server
	store   *brittleStore
	manager *oauth.TokenManager
	source  oauth.Source

	mu     sync.Mutex
	events []oauth.Event
}

// inBubble runs a test with a rig and a clock of its own.
func inBubble(t *testing.T, server *oauthtest.Server, m *oauth.TokenManager, run func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server, new(brittleStore), m)
		if err := r.store.Save(t.Context(), "example", server.Login()); err != nil {
			t.Fatal(err)
		}
		run(r)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		_ = m.Shutdown(ctx)
	})
}

func newRig(t *testing.T, server *oauthtest.Server, s *brittleStore, m *oauth.TokenManager) *rig {
	t.Helper()
	provider, err := oauth.NewConfigProvider(server.ProviderConfig("example"))
	if err != nil {
		t.Fatal(err)
	}
	return newRigOf(t, server, s, m, provider)
}

func newRigOf(t *testing.T, server *oauthtest.Server, s *brittleStore, m *oauth.TokenManager, p oauth.Provider) *rig {
	t.Helper()
	r := &rig{t: t, server: server, store: s, manager: m}
	m.Store = s
	m.OnEvent = func(e oauth.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}
	var err error
	if r.source, err = m.Add(oauth.Account{Provider: p}); err != nil {
		t.Fatal(err)
	}
	return r
}

// token asks for a token that must come, and be accepted by an upstream.
func (r *rig) token() oauth.Credential {
	r.t.Helper()
	c, err := r.source.Token(r.t.Context())
	if err != nil {
		r.t.Fatalf("Token = %v", err)
	}
	if !r.server.Accepts(c.Token.Reveal()) {
		r.t.Fatalf("Token gave generation %d, which no upstream accepts", c.Generation)
	}
	return c
}

// wantError asks for a token that must not come. A nil target stands for any *oauth.TokenError.
func (r *rig) wantError(target error) error {
	r.t.Helper()
	c, err := r.source.Token(r.t.Context())
	_, typed := errors.AsType[*oauth.TokenError](err)
	if !typed || target != nil && !errors.Is(err, target) {
		r.t.Fatalf("Token = generation %d, %v; want an error of kind %q", c.Generation, err, target)
	}
	return err
}

func (r *rig) wantState(want oauth.State) oauth.Status {
	r.t.Helper()
	s, ok := r.manager.Status("example")
	if !ok || s.State != want {
		r.t.Fatalf("Status = %+v, %t; want state %s", s, ok, want)
	}
	return s
}

func (r *rig) wantRefreshes(want int) {
	r.t.Helper()
	if got := r.server.Counts(); got.Refreshes != want || got.Reuses != 0 {
		r.t.Fatalf("%d refreshes, %d tokens spent twice; want %d and none", got.Refreshes, got.Reuses, want)
	}
}

// wantSaved checks that the store has what the server gave out last.
func (r *rig) wantSaved() *oauth.Credentials {
	r.t.Helper()
	c, err := r.store.Memory.Load(context.Background(), "example")
	if err != nil || !r.server.Newest(c) {
		r.t.Fatalf("the store holds %v, %v; not the newest tokens", c, err)
	}
	return c
}

func (r *rig) requests() int { return r.server.Counts().Requests[oauthtest.Token] }

// kinds lists the events so far.
func (r *rig) kinds() []oauth.EventKind {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds []oauth.EventKind
	for _, e := range r.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func repeat(n int, f oauthtest.Fault) []oauthtest.Fault {
	faults := make([]oauthtest.Fault, n)
	for i := range faults {
		faults[i] = f
	}
	return faults
}

// herd asks for a token from n goroutines, of which some leave early, and gives how many got one and what
// the others got.
func herd(t *testing.T, source oauth.Source, n int, leaves func(i int) time.Duration) (served, left int, err error) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	barrier := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			ctx := t.Context()
			after := leaves(i)
			<-barrier
			if after >= 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, after)
				defer cancel()
			}
			_, got := source.Token(ctx)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case got == nil:
				served++
			case after >= 0 && errors.Is(got, context.DeadlineExceeded):
				left++
			default:
				err = fmt.Errorf("caller %d: %w", i, got)
			}
		})
	}
	close(barrier)
	wg.Wait()
	return served, left, err
}
