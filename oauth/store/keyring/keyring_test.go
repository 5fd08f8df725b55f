package keyring_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	ring "github.com/zalando/go-keyring"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
	"github.com/ccproxy-go/ccproxy/oauth/store/keyring"
	"github.com/ccproxy-go/ccproxy/oauth/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const service = "ccproxy-test"

//nolint:paralleltest // the keyring's double is one for the process
func TestStore(t *testing.T) {
	storetest.Suite{
		New: func(*testing.T) oauth.Store {
			ring.MockInit()
			return &keyring.Store{Service: service}
		},
		Reopen: func(*testing.T, oauth.Store) oauth.Store { return &keyring.Store{Service: service} },
		Corrupt: func(t *testing.T, _ oauth.Store, id string) {
			t.Helper()
			set(t, id, "broken")
		},
	}.Run(t)
}

func set(t *testing.T, user, value string) {
	t.Helper()
	if err := ring.Set(service, user, value); err != nil {
		t.Fatal(err)
	}
}

func long(letter string) *oauth.Credentials {
	text := oauth.NewSecret(strings.Repeat(letter, 3000))
	return &oauth.Credentials{AccessToken: text, RefreshToken: text, IDToken: text}
}

func wantLong(t *testing.T, s *keyring.Store, letter string) {
	t.Helper()
	c, err := s.Load(t.Context(), "id")
	if err != nil || !c.IDToken.Equal(long(letter).IDToken) {
		t.Errorf("Load = %v, %v; want the tokens of %q", c, err, letter)
	}
}

//nolint:paralleltest // the keyring's double is one for the process
func TestLongLogins(t *testing.T) {
	ring.MockInit()
	s := &keyring.Store{Service: service}
	for _, letter := range []string{"a", "b"} {
		if err := s.Save(t.Context(), "id", long(letter)); err != nil {
			t.Fatal(err)
		}
		wantLong(t, s, letter)
	}
	head, err := ring.Get(service, "id")
	if err != nil || len(head) > 200 {
		t.Fatalf("the entry has %d bytes, %v; want the names of its parts alone", len(head), err)
	}
	set(t, "id", strings.Replace(head, `"sum":"`, `"sum":"0`, 1))
	if _, err := s.Load(t.Context(), "id"); !errors.Is(err, oauth.ErrCorrupt) {
		t.Errorf("Load of parts of two logins = %v, want ErrCorrupt", err)
	}
	set(t, "id", `{"ccproxy_parts":1000000,"set":"x","sum":"x"}`)
	if _, err := s.Load(t.Context(), "id"); !errors.Is(err, oauth.ErrCorrupt) {
		t.Errorf("Load of a million parts = %v, want ErrCorrupt", err)
	}
	huge := &oauth.Credentials{AccessToken: oauth.NewSecret(strings.Repeat("x", 70_000))}
	if err := s.Save(t.Context(), "id", huge); !errors.Is(err, oauth.ErrInvalid) {
		t.Errorf("Save of 70 kB = %v, want ErrInvalid", err)
	}
	if err := s.Delete(t.Context(), "id"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), "id"); !errors.Is(err, oauth.ErrNoCredentials) {
		t.Errorf("Load = %v, want ErrNoCredentials", err)
	}
}

//nolint:paralleltest // the keyring's double is one for the process
func TestNoKeyring(t *testing.T) {
	broken := errors.New("no session bus")
	ring.MockInitWithError(broken)
	s := &keyring.Store{Service: service}
	c := &oauth.Credentials{AccessToken: oauth.NewSecret("canary")}
	_, loadErr := s.Load(t.Context(), "id")
	_, keyErr := keyring.Key{Service: service, Create: true}.Keys(t.Context())
	for _, err := range []error{
		loadErr, keyErr, s.Save(t.Context(), "id", c), s.Delete(t.Context(), "id"), s.Ready(t.Context()),
	} {
		var at *store.Error
		if !errors.Is(err, broken) || !errors.As(err, &at) || errors.Is(err, oauth.ErrNoCredentials) {
			t.Errorf("error %v, want that of the keyring", err)
		}
	}
	ring.MockInit()
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v", err)
	}
	if err := new(keyring.Store).Save(t.Context(), "id", c); err == nil {
		t.Error("Save without a service succeeded")
	}
}

//nolint:paralleltest // the keyring's double is one for the process
func TestKey(t *testing.T) {
	ring.MockInit()
	source := keyring.Key{Service: service}
	if _, err := source.Keys(t.Context()); !errors.Is(err, oauth.ErrNoCredentials) {
		t.Errorf("Keys = %v, want ErrNoCredentials", err)
	}
	source.Create = true
	first, err := source.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &store.Sealed{Store: new(store.Memory), Keys: source}
	c := &oauth.Credentials{AccessToken: oauth.NewSecret("t")}
	if err := s.Save(t.Context(), "id", c); err != nil {
		t.Fatal(err)
	}
	newer := store.NewKey()
	set(t, "credentials-key", newer.Text().Reveal()+" "+first[0].Text().Reveal())
	if err := s.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	set(t, "credentials-key", newer.Text().Reveal())
	if got, err := s.Load(t.Context(), "id"); err != nil || got.AccessToken.Reveal() != "t" {
		t.Errorf("Load = %v, %v", got, err)
	}
	set(t, "credentials-key", "canary")
	if _, err := source.Keys(t.Context()); !errors.Is(err, oauth.ErrInvalid) || strings.Contains(err.Error(), "canary") {
		t.Errorf("Keys of nonsense = %v, want ErrInvalid that quotes nothing", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.Keys(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Keys with an ended context = %v", err)
	}
}
