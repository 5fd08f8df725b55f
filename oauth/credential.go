package oauth

import (
	"context"
	"fmt"
	"time"
)

// Credential is what authorizes one request to an upstream. It prints no secrets.
type Credential struct {
	// Token is the access token.
	Token Secret
	// Type is the scheme of the Authorization header, "Bearer" unless the server said otherwise.
	Type string
	// AccountID is the account at the authorization server, where it tells one.
	AccountID string
	// Expiry is when the token ends; zero means never, or unknown.
	Expiry time.Time
	// Generation is that of the credentials; see Credentials.
	Generation uint64
}

// Authorization gives the value of the Authorization header.
func (c Credential) Authorization() Secret {
	if c.Token.IsZero() {
		return Secret{}
	}
	return NewSecret(c.Type + " " + c.Token.Reveal())
}

// Source gives the credential of one account, refreshed when it has to be. It is safe for concurrent use.
//
//	cred, err := source.Token(ctx)
//	// … the upstream says 401:
//	if source.Invalidate(cred) {
//		cred, err = source.Token(ctx) // and once again
//	}
type Source interface {
	// Token gives a credential that is expected to work. It may wait for a refresh, as long as ctx lasts; the
	// refresh goes on if the caller leaves. Errors are a *TokenError around [ErrNoCredentials],
	// [ErrNeedsLogin], [ErrClosed] or whatever the refresh failed with.
	Token(ctx context.Context) (Credential, error)
	// Invalidate says that the upstream refused used. It reports whether Token has, or will try to get,
	// another one, so that the request is worth one more attempt. It does not wait.
	Invalidate(used Credential) (retry bool)
}

// TokenError says for which account there is no token, and why.
type TokenError struct {
	// ID is the account's id at the manager.
	ID string
	// NextAttempt is when the next refresh may run; before it every call fails with the same error. Zero
	// where waiting does not help.
	NextAttempt time.Time
	// Err is the kind, or what the last refresh failed with.
	Err error
}

// Error tells the id and the reason.
func (e *TokenError) Error() string { return fmt.Sprintf("token of account %q: %v", e.ID, e.Err) }

// Unwrap gives Err.
func (e *TokenError) Unwrap() error { return e.Err }

// held is a set of credentials in memory with what was worked out about it once.
type held struct {
	creds *Credentials // never changed
	cred  Credential
	// skew is how long before its end the token is to be replaced, margin how long before it callers wait for
	// that rather than send a request which might arrive too late.
	skew, margin time.Duration
}

// maxMargin is what a request may need from here to the upstream's check, and what its clock may differ.
const maxMargin = 10 * time.Second

func newHeld(c *Credentials, skew time.Duration, now time.Time) *held {
	h := &held{creds: c, skew: skew, margin: maxMargin, cred: Credential{
		Token: c.AccessToken, Type: c.TokenType, AccountID: c.AccountID, Expiry: c.Expiry, Generation: c.Generation,
	}}
	if h.cred.Type == "" || h.cred.Type == "bearer" { // some servers write it so, and some upstreams refuse it so
		h.cred.Type = "Bearer"
	}
	// A token with a short life is not to be replaced as soon as it is there.
	if life := c.Expiry.Sub(now); !c.Expiry.IsZero() {
		h.skew = max(0, min(skew, life/10))
		h.margin = min(maxMargin, h.skew/2)
	}
	return h
}

// valid tells whether the token has not ended; nil is not valid.
func (h *held) valid(now time.Time) bool { return h != nil && !h.creds.Expired(now, 0) }

// sameTokens tells whether a and b, either of which may be nil, are of the same refresh of the same login.
func sameTokens(a, b *Credentials) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.AccessToken.Equal(b.AccessToken) && a.RefreshToken.Equal(b.RefreshToken)
}
