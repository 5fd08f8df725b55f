package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// TestSessions checks an implementation of [oauth.SessionStore] against its contract. newStore makes an empty store
// for each test; two calls of open, which may be nil, open the same place again, as two replicas would.
func TestSessions(t *testing.T, newStore func(t *testing.T) (s oauth.SessionStore, open func() oauth.SessionStore)) {
	t.Helper()
	tests := []struct {
		name string
		run  func(t *testing.T, s, other oauth.SessionStore)
	}{
		{"WorksOnce", testSessionOnce},
		{"Replaced", testSessionReplaced},
		{"Concurrency", testSessionConcurrency},
		{"Expires", testSessionExpires},
		{"EndedContext", testSessionEndedContext},
		{"Login", testSessionLogin},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, open := newStore(t)
			other := s
			if open != nil {
				other = open()
			}
			tt.run(t, s, other)
		})
	}
}

// session has a value in every field.
func session(name string) oauth.Session {
	return oauth.Session{
		State: oauth.NewSecret("canary state \"<&>ü " + name), Verifier: oauth.NewSecret("canary verifier " + name),
		Provider: "provider " + name, RedirectURI: "https://here.test/callback?a=b&c=" + name,
		Expires: time.Now().Add(time.Minute),
	}
}

func mustPut(t *testing.T, s oauth.SessionStore, key string, value oauth.Session) {
	t.Helper()
	if err := s.Put(t.Context(), key, value); err != nil {
		t.Fatalf("Put = %v", err)
	}
}

func wantSession(t *testing.T, s oauth.SessionStore, key string, want oauth.Session) {
	t.Helper()
	got, err := s.Take(t.Context(), key)
	if err != nil {
		t.Fatalf("Take = %v", err)
	}
	if !got.State.Equal(want.State) || !got.Verifier.Equal(want.Verifier) || got.Provider != want.Provider ||
		got.RedirectURI != want.RedirectURI || !got.Expires.Equal(want.Expires) {
		t.Errorf("Take gives %+v, want %+v", got, want)
	}
}

func wantNoSession(t *testing.T, s oauth.SessionStore, key string) {
	t.Helper()
	got, err := s.Take(t.Context(), key)
	if !errors.Is(err, oauth.ErrSession) || !got.State.IsZero() || !got.Verifier.IsZero() {
		t.Errorf("Take = %+v, %v; want ErrSession", got, err)
	}
	if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "canary") {
		t.Error("an error holds a secret")
	}
}

func testSessionOnce(t *testing.T, s, other oauth.SessionStore) {
	a, b := session("a"), session("b")
	wantNoSession(t, s, "a")
	mustPut(t, s, "a", a)
	mustPut(t, other, "b", b)
	wantNoSession(t, other, "A")
	wantSession(t, other, "a", a)
	wantNoSession(t, s, "a")
	wantNoSession(t, other, "a")
	wantSession(t, s, "b", b)
}

func testSessionReplaced(t *testing.T, s, other oauth.SessionStore) {
	second := session("second")
	mustPut(t, s, "a", session("first"))
	mustPut(t, other, "a", second)
	wantSession(t, s, "a", second)
	wantNoSession(t, other, "a")
}

// testSessionConcurrency lets many come back with the same state at once, at two replicas.
func testSessionConcurrency(t *testing.T, s, other oauth.SessionStore) {
	for range 10 {
		mustPut(t, s, "a", session("a"))
		var wg sync.WaitGroup
		var took atomic.Int32
		for i := range 20 {
			wg.Go(func() {
				_, err := []oauth.SessionStore{s, other}[i%2].Take(t.Context(), "a")
				switch {
				case err == nil:
					took.Add(1)
				case !errors.Is(err, oauth.ErrSession):
					t.Errorf("Take = %v, want ErrSession", err)
				}
			})
		}
		wg.Wait()
		if n := took.Load(); n != 1 {
			t.Fatalf("%d got the session", n)
		}
	}
}

// testSessionExpires asks as Sessions does, which looks at the time itself too.
func testSessionExpires(t *testing.T, s, other oauth.SessionStore) {
	begins, ends := oauth.Sessions{Store: s, TTL: time.Nanosecond}, oauth.Sessions{Store: other}
	begun, err := begins.Begin(t.Context(), "a", "https://here.test")
	if err != nil {
		t.Fatal(err)
	}
	_, err = ends.Finish(t.Context(), "a", "https://here.test", begun.State.Reveal())
	if !errors.Is(err, oauth.ErrSession) {
		t.Errorf("Finish after the end = %v, want ErrSession", err)
	}
}

func testSessionEndedContext(t *testing.T, s, _ oauth.SessionStore) {
	a := session("a")
	mustPut(t, s, "a", a)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "a", session("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put with an ended context = %v, want context.Canceled", err)
	}
	if _, err := s.Take(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Take with an ended context = %v, want context.Canceled", err)
	}
	wantSession(t, s, "a", a)
}

// testSessionLogin ends at one replica what began at another.
func testSessionLogin(t *testing.T, s, other oauth.SessionStore) {
	begins, ends := oauth.Sessions{Store: s}, oauth.Sessions{Store: other}
	begun, err := begins.Begin(t.Context(), "a", "https://here.test")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ends.Finish(t.Context(), "a", "https://here.test", begun.State.Reveal())
	if err != nil || !got.Verifier.Equal(begun.Verifier) {
		t.Errorf("Finish = %v, %v", got, err)
	}
	_, err = begins.Finish(t.Context(), "a", "https://here.test", begun.State.Reveal())
	if !errors.Is(err, oauth.ErrSession) {
		t.Errorf("Finish again = %v, want ErrSession", err)
	}
}
