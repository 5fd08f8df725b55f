package oauth

import "context"

// Info describes a provider to people and to the listing of providers.
type Info struct {
	// Name is what commands and routes call the provider, such as "claude-api". It must be unique.
	Name         string `json:"name"`
	DisplayName  string `json:"display_name"`
	Description  string `json:"description"`
	SupportsPKCE bool   `json:"supports_pkce"`
	// SupportsRefresh is false if logging in again is the only way to new tokens.
	SupportsRefresh bool     `json:"supports_refresh"`
	Scopes          []string `json:"scopes"`
	// Plugin is the name of the plugin that brings the provider, as the provider has it. It is shown to users.
	Plugin string `json:"plugin_name"`
}

// AuthorizationRequest is what the URL to the authorization server is made of.
type AuthorizationRequest struct {
	// State comes back with the callback and ties it to this request. Always set.
	State string
	// Verifier is the PKCE code verifier; empty if PKCE is not used.
	Verifier string
	// RedirectURI is where the server sends the user. If empty, the provider's own is used.
	RedirectURI string
	// Scopes asked for. If empty, the scopes of Info are used.
	Scopes []string
}

// Callback is what came back from the authorization server. The caller has compared the state before.
type Callback struct {
	Code string
	// State, Verifier and RedirectURI are those of the AuthorizationRequest; token endpoints check some.
	State       string
	Verifier    string
	RedirectURI string
	// Issuer is the parameter "iss" (RFC 9207) that came with the code, empty if none did. Providers that know
	// their server's name refuse another one: the code was made by somebody else.
	Issuer string
}

// Provider logs in at one authorization server. Its methods must be safe for concurrent use. They do not
// store anything: the caller saves the credentials they return. It may also implement [Revoker],
// [Summarizer] or [StoreProvider].
type Provider interface {
	// Info has no side effects and always gives the same Name.
	Info() Info
	// AuthorizationURL gives the URL to send the user's browser to.
	AuthorizationURL(ctx context.Context, req AuthorizationRequest) (string, error)
	// HandleCallback exchanges the code for credentials. A code works once, also if this fails.
	HandleCallback(ctx context.Context, cb Callback) (*Credentials, error)
	// Refresh gets new credentials for old ones, which it leaves as they are. Refresh tokens may rotate:
	// once it succeeds the old ones may be worthless, so the result must be saved even if the caller is
	// gone. An error wraps [ErrNeedsLogin] if only a new login helps; any other may pass by itself.
	Refresh(ctx context.Context, c *Credentials) (*Credentials, error)
}

// Revoker is an optional upgrade of a [Provider] whose server can make tokens invalid.
type Revoker interface {
	// Revoke makes the credentials' tokens invalid. Revoking invalid ones again is no error.
	Revoke(ctx context.Context, c *Credentials) error
}

// Summarizer is an optional upgrade of a [Provider] that knows more to show than the common fields.
type Summarizer interface {
	// Summary gives values for display, such as account and plan. It must not hold any token.
	Summary(c *Credentials) map[string]any
}

// StoreProvider is an optional upgrade of a [Provider] that keeps its credentials in a place of its own,
// such as the file of a vendor's command.
type StoreProvider interface {
	// Store gives the store; always the same one.
	Store() Store
}
