// Package storetest checks implementations of [oauth.Store] against its contract.
//
//	func TestStore(t *testing.T) {
//		storetest.TestStore(t, func(t *testing.T) oauth.Store { return mystore.Open(t.TempDir()) })
//	}
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// TestStore runs the suite as subtests. newStore makes an empty store for each of them and cleans up by
// t.Cleanup. Optional upgrades are checked where the store has them.
func TestStore(t *testing.T, newStore func(t *testing.T) oauth.Store) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, oauth.Store)
	}{
		{"RoundTrip", testRoundTrip},
		{"Missing", testMissing},
		{"Replace", testReplace},
		{"Refuse", testRefuse},
		{"Delete", testDelete},
		{"Copies", testCopies},
		{"IDs", testIDs},
		{"EndedContext", testEndedContext},
		{"Concurrency", testConcurrency},
		{"List", testList},
		{"Lock", testLock},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, newStore(t)) })
	}
}

// sample has a value in every field. Its expiry has whole seconds: finer ones need not survive.
func sample() *oauth.Credentials {
	return &oauth.Credentials{
		AccessToken:  oauth.NewSecret("access \"quoted\" <&> ü"),
		RefreshToken: oauth.NewSecret("refresh"),
		IDToken:      oauth.NewSecret("id"),
		TokenType:    "Bearer",
		Expiry:       time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC),
		Scopes:       []string{"user:profile", "user:inference"},
		AccountID:    "account-1",
		Generation:   7,
		Extra: map[string]json.RawMessage{
			"vendor_number": json.RawMessage(`9007199254740993`),
			"vendor_object": json.RawMessage(`{"plan":"max"}`),
		},
	}
}

func minimal(token string) *oauth.Credentials {
	return &oauth.Credentials{AccessToken: oauth.NewSecret(token)}
}

// mismatch names a field that differs. Tokens are not printed: the store may hold real ones.
func mismatch(want, got *oauth.Credentials) string {
	switch {
	case got == nil:
		return "credentials (nil)"
	case !want.AccessToken.Equal(got.AccessToken):
		return "AccessToken"
	case !want.RefreshToken.Equal(got.RefreshToken):
		return "RefreshToken"
	case !want.IDToken.Equal(got.IDToken):
		return "IDToken"
	case want.TokenType != got.TokenType:
		return "TokenType"
	case !want.Expiry.Equal(got.Expiry):
		return "Expiry"
	case !slices.Equal(want.Scopes, got.Scopes):
		return "Scopes"
	case want.AccountID != got.AccountID:
		return "AccountID"
	case want.Generation != got.Generation:
		return "Generation"
	case !sameExtra(want.Extra, got.Extra):
		return "Extra"
	default:
		return ""
	}
}

func sameExtra(want, got map[string]json.RawMessage) bool {
	if len(want) != len(got) {
		return false
	}
	for k, v := range want {
		if string(got[k]) != string(v) {
			return false
		}
	}
	return true
}

func mustSave(t *testing.T, s oauth.Store, id string, c *oauth.Credentials) {
	t.Helper()
	if err := s.Save(t.Context(), id, c); err != nil {
		t.Fatalf("Save(%q) = %v", id, err)
	}
}

func wantStored(t *testing.T, s oauth.Store, id string, want *oauth.Credentials) {
	t.Helper()
	got, err := s.Load(t.Context(), id)
	if err != nil {
		t.Fatalf("Load(%q) = %v", id, err)
	}
	if field := mismatch(want, got); field != "" {
		t.Errorf("Load(%q) gives another %s than was saved", id, field)
	}
}

func wantMissing(t *testing.T, s oauth.Store, id string) {
	t.Helper()
	if c, err := s.Load(t.Context(), id); !errors.Is(err, oauth.ErrNoCredentials) || c != nil {
		t.Errorf("Load(%q) = %v, %v; want nil, ErrNoCredentials", id, c, err)
	}
}

func testRoundTrip(t *testing.T, s oauth.Store) {
	mustSave(t, s, "full", sample())
	wantStored(t, s, "full", sample())
	mustSave(t, s, "minimal", minimal("t"))
	wantStored(t, s, "minimal", minimal("t"))
}

func testMissing(t *testing.T, s oauth.Store) {
	wantMissing(t, s, "nobody")
	mustSave(t, s, "somebody", sample())
	wantMissing(t, s, "nobody")
}

func testReplace(t *testing.T, s oauth.Store) {
	mustSave(t, s, "id", sample())
	mustSave(t, s, "id", minimal("second")) // fields that the second lacks must not shine through
	wantStored(t, s, "id", minimal("second"))
}

func testRefuse(t *testing.T, s oauth.Store) {
	mustSave(t, s, "id", sample())
	empty := sample()
	empty.AccessToken = oauth.Secret{}
	for name, c := range map[string]*oauth.Credentials{"nil": nil, "empty access token": empty} {
		if err := s.Save(t.Context(), "id", c); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("Save of %s = %v, want ErrInvalid", name, err)
		}
		wantStored(t, s, "id", sample())
	}
	if err := s.Save(t.Context(), "", sample()); !errors.Is(err, oauth.ErrInvalid) {
		t.Errorf("Save with an empty id = %v, want ErrInvalid", err)
	}
}

func testDelete(t *testing.T, s oauth.Store) {
	if err := s.Delete(t.Context(), "nobody"); err != nil {
		t.Errorf("Delete of nothing = %v", err)
	}
	mustSave(t, s, "id", sample())
	mustSave(t, s, "other", minimal("t"))
	if err := s.Delete(t.Context(), "id"); err != nil {
		t.Fatalf("Delete = %v", err)
	}
	wantMissing(t, s, "id")
	wantStored(t, s, "other", minimal("t"))
	mustSave(t, s, "id", minimal("again"))
	wantStored(t, s, "id", minimal("again"))
}

func testCopies(t *testing.T, s oauth.Store) {
	saved := sample()
	mustSave(t, s, "id", saved)
	spoil(saved)
	wantStored(t, s, "id", sample())
	loaded, err := s.Load(t.Context(), "id")
	if err != nil {
		t.Fatal(err)
	}
	spoil(loaded)
	wantStored(t, s, "id", sample())
}

// spoil changes everything in c that a shallow copy would share.
func spoil(c *oauth.Credentials) {
	c.AccessToken = oauth.NewSecret("spoilt")
	c.Scopes[0] = "spoilt"
	c.Extra["vendor_number"][0] = '1'
	delete(c.Extra, "vendor_object")
}

// testIDs uses ids that would meet or leave their place if they were used as file names or keys unchanged.
func testIDs(t *testing.T, s oauth.Store) {
	ids := []string{"a", "A", "a.b", "a/b", "a\\b", "../a", "a:b", "a b", "ü", "a%2fb", "..", "."}
	for _, id := range ids {
		mustSave(t, s, id, minimal("token of "+id))
	}
	for _, id := range ids {
		wantStored(t, s, id, minimal("token of "+id))
	}
}

func testEndedContext(t *testing.T, s oauth.Store) {
	mustSave(t, s, "id", sample())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Save(ctx, "id", minimal("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("Save with an ended context = %v, want context.Canceled", err)
	}
	if err := s.Delete(ctx, "id"); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete with an ended context = %v, want context.Canceled", err)
	}
	if _, err := s.Load(ctx, "id"); !errors.Is(err, context.Canceled) {
		t.Errorf("Load with an ended context = %v, want context.Canceled", err)
	}
	wantStored(t, s, "id", sample())
}

// testConcurrency mixes all calls on one id; every Load must see one Save as a whole.
func testConcurrency(t *testing.T, s oauth.Store) {
	const writers, rounds = 4, 20
	mustSave(t, s, "shared", pair("start"))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			own := string(rune('a' + w))
			for range rounds {
				if err := s.Save(t.Context(), "shared", pair(own)); err != nil {
					t.Errorf("Save = %v", err)
				}
				c, err := s.Load(t.Context(), "shared")
				if err != nil {
					t.Errorf("Load = %v", err)
					return
				}
				if !c.AccessToken.Equal(c.RefreshToken) {
					t.Error("Load mixes two saves")
				}
				if err := s.Save(t.Context(), own, pair(own)); err != nil {
					t.Errorf("Save = %v", err)
				}
				if err := s.Delete(t.Context(), own); err != nil {
					t.Errorf("Delete = %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func pair(token string) *oauth.Credentials {
	c := minimal(token)
	c.RefreshToken = c.AccessToken
	return c
}

func testList(t *testing.T, s oauth.Store) {
	lister, ok := s.(oauth.Lister)
	if !ok {
		t.Skip("not an oauth.Lister")
	}
	for _, id := range []string{"b", "a/x", "c", "B"} {
		mustSave(t, s, id, minimal("t"))
	}
	if err := s.Delete(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	got, err := lister.List(t.Context())
	if want := []string{"B", "a/x", "b"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("List = %q, %v; want %q", got, err, want)
	}
}

func testLock(t *testing.T, s oauth.Store) {
	locker, ok := s.(oauth.Locker)
	if !ok {
		t.Skip("not an oauth.Locker")
	}
	unlock, err := locker.Lock(t.Context(), "id")
	if err != nil {
		t.Fatalf("Lock = %v", err)
	}
	unlockOther, err := locker.Lock(t.Context(), "other")
	if err != nil {
		t.Fatalf("Lock of another id = %v", err)
	}
	unlockOther()
	mustSave(t, s, "id", sample()) // the lock guards refreshes, not saves
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := locker.Lock(ctx, "id"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second Lock = %v, want it to wait until its context ends", err)
	}
	unlock()
	unlock, err = locker.Lock(t.Context(), "id")
	if err != nil {
		t.Fatalf("Lock after unlock = %v", err)
	}
	unlock()
}
