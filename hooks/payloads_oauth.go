package hooks

import "time"

// OAuthTokenRequest is the payload of [EventOAuthTokenRequest]: a login asks for its first token. No
// payload of the OAuth events holds a token, a code or a client's secret.
type OAuthTokenRequest struct {
	Provider string
	Account  string // empty while unknown
}

// OAuthTokenResponse is the payload of [EventOAuthTokenResponse].
type OAuthTokenResponse struct {
	Provider  string
	Account   string
	Success   bool
	ExpiresAt time.Time // zero if the token has no end or none came
	Err       string    // redacted text, empty on success
}

// OAuthRefreshRequest is the payload of [EventOAuthRefreshRequest].
type OAuthRefreshRequest struct {
	Provider  string
	Account   string
	ExpiresAt time.Time // of the token to be replaced
}

// OAuthRefreshResponse is the payload of [EventOAuthRefreshResponse].
type OAuthRefreshResponse struct {
	Provider  string
	Account   string
	Success   bool
	ExpiresAt time.Time // of the new token
	Err       string    // redacted text, empty on success
}

// OAuthError is the payload of [EventOAuthError]: anything about an account that a user has to act on.
type OAuthError struct {
	Provider string
	Account  string
	Op       string // what was attempted
	Err      string // redacted text
}

// Event returns [EventOAuthTokenRequest].
func (*OAuthTokenRequest) Event() Event     { return EventOAuthTokenRequest }
func (p *OAuthTokenRequest) clone() Payload { return copyOf(p) }

// Event returns [EventOAuthTokenResponse].
func (*OAuthTokenResponse) Event() Event     { return EventOAuthTokenResponse }
func (p *OAuthTokenResponse) clone() Payload { return copyOf(p) }

// Event returns [EventOAuthRefreshRequest].
func (*OAuthRefreshRequest) Event() Event     { return EventOAuthRefreshRequest }
func (p *OAuthRefreshRequest) clone() Payload { return copyOf(p) }

// Event returns [EventOAuthRefreshResponse].
func (*OAuthRefreshResponse) Event() Event     { return EventOAuthRefreshResponse }
func (p *OAuthRefreshResponse) clone() Payload { return copyOf(p) }

// Event returns [EventOAuthError].
func (*OAuthError) Event() Event     { return EventOAuthError }
func (p *OAuthError) clone() Payload { return copyOf(p) }
