package oauth

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy/internal/secret"
)

// Secret is text that prints, logs and marshals as a placeholder; Reveal gives it in plain.
type Secret = secret.Text

// NewSecret makes a Secret of s.
func NewSecret(s string) Secret { return secret.New(s) }

// Credentials are what a login yields. Treat a value that others may hold as read-only and change a
// [Credentials.Clone]. Printing shows no token and nothing of Extra.
//
// Marshalling as JSON is for display only: tokens come out redacted and Extra not at all. Stores write the
// members themselves.
type Credentials struct {
	AccessToken  Secret `json:"access_token,omitzero"`
	RefreshToken Secret `json:"refresh_token,omitzero"`
	IDToken      Secret `json:"id_token,omitzero"`
	// TokenType is the scheme of the Authorization header; empty means Bearer.
	TokenType string `json:"token_type,omitempty"`
	// Expiry is when the access token ends; zero means never, or unknown.
	Expiry time.Time `json:"expiry,omitzero"`
	Scopes []string  `json:"scopes,omitempty"`
	// AccountID is the account at the authorization server, where it tells one.
	AccountID string `json:"account_id,omitempty"`
	// Generation counts the changes of the tokens: 1 after a login, one more with every refresh. Who loses a
	// race to refresh recognises the winner's credentials by it. Stores keep it as it is.
	Generation uint64 `json:"generation,omitempty"`
	// Extra holds members of a vendor's file that have no field here, so that a save does not lose them.
	// They may be as secret as the tokens.
	Extra map[string]json.RawMessage `json:"-"`
}

// Expired reports whether the access token is missing, or ends within skew after now. Credentials without
// an Expiry do not expire. A nil receiver is expired.
func (c *Credentials) Expired(now time.Time, skew time.Duration) bool {
	if c == nil || c.AccessToken.IsZero() {
		return true
	}
	return !c.Expiry.IsZero() && !now.Add(skew).Before(c.Expiry)
}

// Clone gives a copy that shares nothing with c; nil for nil.
func (c *Credentials) Clone() *Credentials {
	if c == nil {
		return nil
	}
	dup := *c
	dup.Scopes = slices.Clone(c.Scopes)
	if c.Extra != nil {
		dup.Extra = make(map[string]json.RawMessage, len(c.Extra))
		for k, v := range c.Extra {
			dup.Extra[k] = slices.Clone(v)
		}
	}
	return &dup
}

// String tells what kind of credentials these are, and none of their secrets.
func (c Credentials) String() string {
	expiry := "never"
	if !c.Expiry.IsZero() {
		expiry = c.Expiry.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("Credentials(account %q, expires %s, refreshable %t)",
		c.AccountID, expiry, !c.RefreshToken.IsZero())
}

// Format writes String for every verb, since reflection would print Extra.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue is what slog handlers write.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("account_id", c.AccountID),
		slog.Time("expiry", c.Expiry),
		slog.Bool("refreshable", !c.RefreshToken.IsZero()),
	)
}
