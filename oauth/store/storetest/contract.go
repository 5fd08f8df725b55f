package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy/oauth"
)

func testRoundTrip(t *testing.T, x Suite, s oauth.Store) {
	mustSave(t, s, x.id(), sample())
	wantStored(t, s, x.id(), sample())
	mustSave(t, s, x.id(), minimal("t"))
	wantStored(t, s, x.id(), minimal("t"))
}

func testMissing(t *testing.T, x Suite, s oauth.Store) {
	wantMissing(t, s, x.id())
	mustSave(t, s, x.id(), sample())
	wantMissing(t, s, "nobody")
}

func testReplace(t *testing.T, x Suite, s oauth.Store) {
	mustSave(t, s, x.id(), sample())
	mustSave(t, s, x.id(), minimal("second")) // fields that the second lacks must not shine through
	wantStored(t, s, x.id(), minimal("second"))
}

func testRefuse(t *testing.T, x Suite, s oauth.Store) {
	mustSave(t, s, x.id(), sample())
	empty := sample()
	empty.AccessToken = oauth.Secret{}
	for name, c := range map[string]*oauth.Credentials{"nil": nil, "empty access token": empty} {
		if err := s.Save(t.Context(), x.id(), c); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("Save of %s = %v, want ErrInvalid", name, err)
		}
		wantStored(t, s, x.id(), sample())
	}
	if err := s.Save(t.Context(), "", sample()); !errors.Is(err, oauth.ErrInvalid) {
		t.Errorf("Save with an empty id = %v, want ErrInvalid", err)
	}
}

func testDelete(t *testing.T, x Suite, s oauth.Store) {
	for range 2 { // nothing is there
		if err := s.Delete(t.Context(), x.id()); err != nil {
			t.Errorf("Delete of nothing = %v", err)
		}
	}
	mustSave(t, s, x.id(), sample())
	if x.ID == "" {
		mustSave(t, s, "other", minimal("t"))
	} else if err := s.Delete(t.Context(), "other"); err != nil {
		t.Errorf("Delete of another id = %v", err)
	}
	wantStored(t, s, x.id(), sample())
	if err := s.Delete(t.Context(), x.id()); err != nil {
		t.Fatalf("Delete = %v", err)
	}
	wantMissing(t, s, x.id())
	if x.ID == "" {
		wantStored(t, s, "other", minimal("t"))
	}
	mustSave(t, s, x.id(), minimal("again"))
	wantStored(t, s, x.id(), minimal("again"))
}

func testCopies(t *testing.T, x Suite, s oauth.Store) {
	saved := sample()
	mustSave(t, s, x.id(), saved)
	spoil(saved)
	wantStored(t, s, x.id(), sample())
	loaded, err := s.Load(t.Context(), x.id())
	if err != nil {
		t.Fatal(err)
	}
	spoil(loaded)
	wantStored(t, s, x.id(), sample())
}

func testEndedContext(t *testing.T, x Suite, s oauth.Store) {
	mustSave(t, s, x.id(), sample())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Save(ctx, x.id(), minimal("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("Save with an ended context = %v, want context.Canceled", err)
	}
	if err := s.Delete(ctx, x.id()); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete with an ended context = %v, want context.Canceled", err)
	}
	if _, err := s.Load(ctx, x.id()); !errors.Is(err, context.Canceled) {
		t.Errorf("Load with an ended context = %v, want context.Canceled", err)
	}
	if lister, ok := s.(oauth.Lister); ok {
		if _, err := lister.List(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("List with an ended context = %v, want context.Canceled", err)
		}
	}
	if locker, ok := s.(oauth.Locker); ok {
		if _, err := locker.Lock(ctx, x.id()); !errors.Is(err, context.Canceled) {
			t.Errorf("Lock with an ended context = %v, want context.Canceled", err)
		}
	}
	wantStored(t, s, x.id(), sample())
}

// testConcurrency mixes all calls; every Load of the shared id must see one Save as a whole.
func testConcurrency(t *testing.T, x Suite, s oauth.Store) {
	const writers, rounds = 4, 20
	mustSave(t, s, x.id(), pair("start"))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			own := string(rune('a' + w))
			for range rounds {
				if err := s.Save(t.Context(), x.id(), pair(own)); err != nil {
					t.Errorf("Save = %v", err)
				}
				c, err := s.Load(t.Context(), x.id())
				if err != nil {
					t.Errorf("Load = %v", err)
					return
				}
				if !c.AccessToken.Equal(c.RefreshToken) {
					t.Error("Load mixes two saves")
				}
				if x.ID == "" {
					saveAndDelete(t, s, own)
				}
			}
		})
	}
	wg.Wait()
}

func saveAndDelete(t *testing.T, s oauth.Store, id string) {
	if err := s.Save(t.Context(), id, pair(id)); err != nil {
		t.Errorf("Save = %v", err)
	}
	if err := s.Delete(t.Context(), id); err != nil {
		t.Errorf("Delete = %v", err)
	}
}

// testQuiet looks for tokens in the texts of errors.
func testQuiet(t *testing.T, x Suite, s oauth.Store) {
	c := minimal("canary-access")
	c.RefreshToken, c.IDToken = oauth.NewSecret("canary-refresh"), oauth.NewSecret("canary-id")
	mustSave(t, s, x.id(), c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs []error
	_, err := s.Load(t.Context(), "nobody")
	errs = append(errs, err, s.Save(t.Context(), "", c), s.Save(ctx, x.id(), c))
	if x.Corrupt != nil {
		x.Corrupt(t, s, x.id())
		_, err = s.Load(t.Context(), x.id())
		errs = append(errs, err, s.Save(t.Context(), x.id(), c))
	}
	for _, err := range errs {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); err != nil && strings.Contains(text, "canary") {
			t.Errorf("an error holds a token (of %d bytes of text)", len(text))
		}
	}
}

// testCorrupt wants what cannot be understood to be told from what is not there, kept until somebody decides,
// and removable.
func testCorrupt(t *testing.T, x Suite, s oauth.Store) {
	mustSave(t, s, x.id(), sample())
	x.Corrupt(t, s, x.id())
	for range 2 {
		c, err := s.Load(t.Context(), x.id())
		if !errors.Is(err, oauth.ErrCorrupt) || errors.Is(err, oauth.ErrNoCredentials) || c != nil {
			t.Fatalf("Load = %v, %v; want nil, ErrCorrupt", c, err)
		}
	}
	if lister, ok := s.(oauth.Lister); ok {
		if ids, err := lister.List(t.Context()); err == nil && len(ids) != 1 {
			t.Errorf("List = %q, want the id of what is corrupt too", ids)
		}
	}
	if err := s.Delete(t.Context(), x.id()); err != nil {
		t.Fatalf("Delete of what is corrupt = %v", err)
	}
	wantMissing(t, s, x.id())
	mustSave(t, s, x.id(), minimal("new"))
	wantStored(t, s, x.id(), minimal("new"))
}

// testReopen wants each of two who opened the same place to see what the other does.
func testReopen(t *testing.T, x Suite, s oauth.Store) {
	other := x.Reopen(t, s)
	wantMissing(t, other, x.id())
	mustSave(t, s, x.id(), sample())
	wantStored(t, other, x.id(), sample())
	mustSave(t, other, x.id(), minimal("second"))
	wantStored(t, s, x.id(), minimal("second"))
	if err := other.Delete(t.Context(), x.id()); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, s, x.id())
}
