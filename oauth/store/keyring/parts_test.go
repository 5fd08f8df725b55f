package keyring

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// smallRing takes as little as the keyrings of some systems, tells what it holds, and can fail or hang.
type smallRing struct {
	entries map[string]string
	failAt  int // the nth Set; zero never
	hang    chan struct{}
}

var errFull = errors.New("keyring is full")

func (r *smallRing) Get(_, user string) (string, error) {
	if r.hang != nil {
		<-r.hang
	}
	if v, ok := r.entries[user]; ok {
		return v, nil
	}
	return "", keyring.ErrNotFound
}

func (r *smallRing) Set(_, user, password string) error {
	r.failAt--
	switch {
	case r.failAt == 0:
		return errFull
	case len(password) > 2560:
		return keyring.ErrSetDataTooBig
	}
	r.entries[user] = password
	return nil
}

func (r *smallRing) Delete(_, user string) error {
	if _, ok := r.entries[user]; !ok {
		return keyring.ErrNotFound
	}
	delete(r.entries, user)
	return nil
}

func tokens(letter string, size int) *oauth.Credentials {
	return &oauth.Credentials{AccessToken: oauth.NewSecret(strings.Repeat(letter, size))}
}

// TestFullKeyring lets each entry of a long login fail: the old login is still there, and nothing of the new.
func TestFullKeyring(t *testing.T) {
	t.Parallel()
	for failAt := 1; failAt <= 4; failAt++ { // three parts and the head
		r := &smallRing{entries: map[string]string{}}
		s := &Store{Service: "s", ring: r}
		if err := s.Save(t.Context(), "id", tokens("a", 5000)); err != nil {
			t.Fatal(err)
		}
		r.failAt = failAt
		if err := s.Save(t.Context(), "id", tokens("b", 5000)); !errors.Is(err, errFull) {
			t.Errorf("entry %d: Save = %v, want %v", failAt, err, errFull)
		}
		if c, err := s.Load(t.Context(), "id"); err != nil || !c.AccessToken.Equal(tokens("a", 5000).AccessToken) {
			t.Errorf("entry %d: Load = %v, %v; want the old login", failAt, c, err)
		}
		if len(r.entries) != 4 {
			t.Errorf("entry %d: %d entries are left, want 4", failAt, len(r.entries))
		}
	}
}

// TestNoEntriesAreLeft wants only those entries to stay that belong to the login.
func TestNoEntriesAreLeft(t *testing.T) {
	t.Parallel()
	r := &smallRing{entries: map[string]string{}}
	s := &Store{Service: "s", ring: r}
	for _, step := range []struct{ size, want int }{{5000, 4}, {9000, 6}, {10, 1}, {2500, 3}} {
		if err := s.Save(t.Context(), "id", tokens("a", step.size)); err != nil {
			t.Fatal(err)
		}
		if len(r.entries) != step.want {
			t.Errorf("%d entries for a token of %d bytes, want %d", len(r.entries), step.size, step.want)
		}
	}
	if err := s.Delete(t.Context(), "id"); err != nil || len(r.entries) != 0 {
		t.Errorf("Delete = %v, %d entries are left", err, len(r.entries))
	}
}

// TestKeyringThatAsks wants callers to get away from a keyring that waits for its user.
func TestKeyringThatAsks(t *testing.T) {
	t.Parallel()
	r := &smallRing{entries: map[string]string{}, hang: make(chan struct{})}
	s := &Store{Service: "s", ring: r}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := s.Load(ctx, "id"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Load = %v, want DeadlineExceeded", err)
		}
		cancel()
	}
	close(r.hang)
	if _, err := s.Load(t.Context(), "id"); !errors.Is(err, oauth.ErrNoCredentials) {
		t.Errorf("Load = %v, want ErrNoCredentials", err)
	}
}

func TestEntryNames(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, id := range []string{"a", "A", "a#1", "a%231", "ü", "\x00", strings.Repeat("x", 300), strings.Repeat("x", 301)} {
		name := entryName(id)
		if other, taken := seen[strings.ToLower(name)]; taken || len(name) > 200 || strings.ContainsAny(name, "#\x00/") {
			t.Errorf("entryName(%.10q) = %q, taken by %.10q: %t", id, name, other, taken)
		}
		seen[strings.ToLower(name)] = id
	}
}
