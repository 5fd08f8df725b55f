package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

func begin(t *testing.T, s *oauth.Sessions) oauth.Session {
	t.Helper()
	begun, err := s.Begin(t.Context(), "a", "https://here.test/callback")
	if err != nil {
		t.Fatal(err)
	}
	return begun
}

func TestSession(t *testing.T) {
	t.Parallel()
	var s oauth.Sessions
	begun := begin(t, &s)
	state, verifier := begun.State.Reveal(), begun.Verifier.Reveal()
	if len(state) != 43 || len(verifier) != 43 || state == verifier {
		t.Errorf("state of %d characters, verifier of %d", len(state), len(verifier))
	}
	if printed := fmt.Sprintf("%v %+v %#v", begun, begun, begun); strings.Contains(printed, state) || strings.Contains(printed, verifier) {
		t.Error("a session prints its secrets")
	}
	got, err := s.Finish(t.Context(), "a", "https://here.test/callback", state)
	if err != nil || !got.Verifier.Equal(begun.Verifier) {
		t.Errorf("Finish = %v, %v", got, err)
	}
	if _, err := s.Finish(t.Context(), "a", "https://here.test/callback", state); !errors.Is(err, oauth.ErrSession) {
		t.Errorf("Finish again = %v", err)
	}
}

func TestSessionsRefuse(t *testing.T) {
	t.Parallel()
	const here = "https://here.test/callback"
	tests := []struct {
		name                  string
		provider, redirectURI string
		state                 func(string) string
		after                 time.Duration
		spent                 bool
	}{
		{name: "no state", provider: "a", redirectURI: here, state: func(string) string { return "" }},
		{name: "guess", provider: "a", redirectURI: here, state: func(string) string { return "guess" }},
		{name: "cut", provider: "a", redirectURI: here, state: func(s string) string { return s[1:] }},
		{name: "longer", provider: "a", redirectURI: here, state: func(s string) string { return s + "=" }},
		{name: "endless", provider: "a", redirectURI: here, state: func(s string) string { return strings.Repeat(s, 1000) }},
		{name: "other case", provider: "a", redirectURI: here, state: strings.ToUpper},
		{name: "other provider", provider: "b", redirectURI: here, spent: true},
		{name: "other redirect URI", provider: "a", redirectURI: "https://evil.test/callback", spent: true},
		{name: "no redirect URI", provider: "a", spent: true},
		{name: "too late", provider: "a", redirectURI: here, after: 10 * time.Minute, spent: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s oauth.Sessions
				good := begin(t, &s).State.Reveal()
				state := good
				if tt.state != nil {
					state = tt.state(good)
				}
				time.Sleep(tt.after)
				if got, err := s.Finish(t.Context(), tt.provider, tt.redirectURI, state); !errors.Is(err, oauth.ErrSession) || !got.State.IsZero() {
					t.Errorf("Finish = %v, %v", got, err)
				}
				if _, err := s.Finish(t.Context(), "a", here, good); (err != nil) != tt.spent {
					t.Errorf("the right one afterwards = %v", err)
				}
			})
		})
	}
}

func TestSessionWorksOnce(t *testing.T) {
	t.Parallel()
	var s oauth.Sessions
	state := begin(t, &s).State.Reveal()
	var wg sync.WaitGroup
	var finished atomic.Int32
	for range 100 {
		wg.Go(func() {
			if _, err := s.Finish(t.Context(), "a", "https://here.test/callback", state); err == nil {
				finished.Add(1)
			}
		})
	}
	wg.Wait()
	if n := finished.Load(); n != 1 {
		t.Errorf("%d finished", n)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := new(oauth.MemorySessions)
		s := oauth.Sessions{Store: memory}
		first := begin(t, &s)
		for range 100_000 {
			begin(t, &s)
		}
		last := begin(t, &s)
		if n := memory.Len(); n != oauth.DefaultSessionLimit {
			t.Errorf("%d sessions are kept", n)
		}
		if _, err := s.Finish(t.Context(), "a", "https://here.test/callback", first.State.Reveal()); !errors.Is(err, oauth.ErrSession) {
			t.Errorf("the oldest = %v", err)
		}
		if _, err := s.Finish(t.Context(), "a", "https://here.test/callback", last.State.Reveal()); err != nil {
			t.Errorf("the newest = %v", err)
		}
		time.Sleep(10 * time.Minute)
		begin(t, &s)
		if n := memory.Len(); n != 1 {
			t.Errorf("%d sessions are kept though all but one have expired", n)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Begin(ended, "a", ""); !errors.Is(err, context.Canceled) {
			t.Errorf("Begin with an ended context = %v", err)
		}
	})
}

// The example of RFC 7636, appendix B.
func TestChallenge(t *testing.T) {
	t.Parallel()
	const want = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if got := oauth.Challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); got != want {
		t.Errorf("Challenge = %s, want %s", got, want)
	}
}
