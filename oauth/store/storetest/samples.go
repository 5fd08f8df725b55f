package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

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

func pair(token string) *oauth.Credentials {
	c := minimal(token)
	c.RefreshToken = c.AccessToken
	return c
}

// spoil changes everything in c that a shallow copy would share.
func spoil(c *oauth.Credentials) {
	c.AccessToken = oauth.NewSecret("spoilt")
	c.Scopes[0] = "spoilt"
	c.Extra["vendor_number"][0] = '1'
	delete(c.Extra, "vendor_object")
}
