package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// ProviderConfig describes an authorization server to [NewConfigProvider].
type ProviderConfig struct {
	// Info describes the provider. Name is required. Without SupportsPKCE no challenge is sent; with it a
	// login without a verifier is refused. Empty Scopes are those of OAuth2.
	Info Info
	// OAuth2 has the client and the endpoints. ClientID and Endpoint.TokenURL are required. Its AuthStyle
	// tells where the client's secret goes: in the body, unless it is AuthStyleInHeader. Endpoints must be
	// https, or http on the loopback interface.
	OAuth2 oauth2.Config
	// JSON sends token requests as JSON objects instead of forms.
	JSON bool
	// SendState adds the state to the exchange of a code, as some servers want it.
	SendState bool
	// RefreshScopes adds the scopes to refreshes. Without it a refresh keeps the scopes of the login.
	RefreshScopes bool
	// AuthParams are added to the authorization URL.
	AuthParams map[string]string
	// Header is added to requests to the server, such as a User-Agent.
	Header http.Header
	// RevocationURL is the endpoint of RFC 7009. Empty: tokens cannot be revoked.
	RevocationURL string
	// Issuer is the server's own name. If it is set, a callback that names another one is refused.
	Issuer string
	// Login tells how users log in.
	Login LoginMethods
	// Complete adds what only this server tells, such as the account id, to new credentials, from the whole
	// answer of the token endpoint. It must not wait for anything: until it returns the new tokens are nowhere
	// but in memory. After a refresh an error of it is ignored, since the new tokens are worth more than what
	// it adds. May be nil.
	Complete func(c *Credentials, answer json.RawMessage) error
	// Profile asks other endpoints for more to add to the credentials of a login. It is not called after
	// refreshes, and an error of it is ignored: the code that gave the tokens is spent. May be nil.
	Profile func(ctx context.Context, c *Credentials) error
	// Summary gives values for display; see Summarizer. May be nil.
	Summary func(c *Credentials) map[string]any
	// Transport sends requests. Nil means one of its own that honours the proxy variables of the environment.
	Transport http.RoundTripper
	// Timeout bounds each request. Zero means 15 seconds.
	Timeout time.Duration
	// AnswerBytes bounds each answer. Zero means 1 MiB.
	AnswerBytes int64
}

// ConfigProvider is a [Provider] made of a [ProviderConfig]: an authorization server that follows the
// standards more or less. Make one with [NewConfigProvider]; it is safe for concurrent use.
//
// Redirects of the server are not followed, answers are bounded, and no error holds a token. A failure is an
// [*EndpointError], which tells those that pass by themselves (no answer, 429, 5xx, anything that is not the
// server's own word) from those that only a new login mends.
type ConfigProvider struct {
	cfg       ProviderConfig
	transport http.RoundTripper
}

var (
	_ Provider         = (*ConfigProvider)(nil)
	_ Revoker          = (*ConfigProvider)(nil)
	_ Summarizer       = (*ConfigProvider)(nil)
	_ LoginDescriber   = (*ConfigProvider)(nil)
	_ DeviceAuthorizer = (*ConfigProvider)(nil)
)

// NewConfigProvider checks cfg and makes a provider of it. What is wrong is one error wrapping [ErrInvalid].
// cfg must not be changed afterwards.
func NewConfigProvider(cfg ProviderConfig) (*ConfigProvider, error) {
	var wrong []error
	if cfg.Info.Name == "" {
		wrong = append(wrong, errors.New("no name"))
	}
	if cfg.OAuth2.ClientID == "" {
		wrong = append(wrong, errors.New("no client id"))
	}
	endpoints := []struct{ name, address string }{
		{"token", cfg.OAuth2.Endpoint.TokenURL},
		{"authorization", cfg.OAuth2.Endpoint.AuthURL},
		{"device authorization", cfg.OAuth2.Endpoint.DeviceAuthURL},
		{"revocation", cfg.RevocationURL},
	}
	for i, e := range endpoints {
		if e.address == "" && i > 0 {
			continue
		}
		if err := checkEndpoint(e.address); err != nil {
			wrong = append(wrong, fmt.Errorf("%s endpoint: %w", e.name, err))
		}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%w: provider %q: %w", ErrInvalid, cfg.Info.Name, errors.Join(wrong...))
	}
	if len(cfg.Info.Scopes) == 0 {
		cfg.Info.Scopes = cfg.OAuth2.Scopes
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.AnswerBytes <= 0 {
		cfg.AnswerBytes = 1 << 20
	}
	p := &ConfigProvider{cfg: cfg, transport: cfg.Transport}
	if p.transport == nil {
		p.transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return p, nil
}

// checkEndpoint refuses addresses that would send secrets in the clear.
func checkEndpoint(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return errors.New("not an absolute URL")
	case u.User != nil || u.Fragment != "":
		return errors.New("a URL with a user or a fragment")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("neither https nor on the loopback interface")
}

// isLoopback tells whether a host is this machine whatever a name server says.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Info gives what the configuration says.
func (p *ConfigProvider) Info() Info {
	info := p.cfg.Info
	info.Scopes = slices.Clone(info.Scopes)
	return info
}

// LoginMethods gives what the configuration says.
func (p *ConfigProvider) LoginMethods() LoginMethods { return p.cfg.Login }

// Summary calls the configured function; without one it gives nil.
func (p *ConfigProvider) Summary(c *Credentials) map[string]any {
	if p.cfg.Summary == nil || c == nil {
		return nil
	}
	return p.cfg.Summary(c)
}

// AuthorizationURL gives the URL to send the user's browser to. It refuses a request without state, and one
// without a verifier if the provider supports PKCE, with an error wrapping [ErrInvalid].
func (p *ConfigProvider) AuthorizationURL(_ context.Context, req AuthorizationRequest) (string, error) {
	if p.cfg.OAuth2.Endpoint.AuthURL == "" {
		return "", fmt.Errorf("%s: login by browser: %w", p.cfg.Info.Name, errors.ErrUnsupported)
	}
	if req.State == "" || p.cfg.Info.SupportsPKCE && req.Verifier == "" {
		return "", fmt.Errorf("%w: authorization request without state or PKCE verifier", ErrInvalid)
	}
	cfg := p.cfg.OAuth2
	cfg.Scopes = p.cfg.Info.Scopes
	if len(req.Scopes) > 0 {
		cfg.Scopes = req.Scopes
	}
	if req.RedirectURI != "" {
		cfg.RedirectURL = req.RedirectURI
	}
	var params []oauth2.AuthCodeOption
	for k, v := range p.cfg.AuthParams {
		params = append(params, oauth2.SetAuthURLParam(k, v))
	}
	if p.cfg.Info.SupportsPKCE {
		params = append(params, oauth2.SetAuthURLParam("code_challenge", Challenge(req.Verifier)),
			oauth2.SetAuthURLParam("code_challenge_method", "S256"))
	}
	return cfg.AuthCodeURL(req.State, params...), nil
}

// HandleCallback exchanges the code for credentials of generation 1.
func (p *ConfigProvider) HandleCallback(ctx context.Context, cb Callback) (*Credentials, error) {
	if cb.Code == "" || p.cfg.Info.SupportsPKCE && cb.Verifier == "" {
		return nil, fmt.Errorf("%w: callback without code or PKCE verifier", ErrInvalid)
	}
	if p.cfg.Issuer != "" && cb.Issuer != "" && cb.Issuer != p.cfg.Issuer {
		return nil, fmt.Errorf("%w: the code was issued by another server", ErrInvalid)
	}
	redirect := cb.RedirectURI
	if redirect == "" {
		redirect = p.cfg.OAuth2.RedirectURL
	}
	params := url.Values{"grant_type": {"authorization_code"}, "code": {cb.Code}}
	setNonEmpty(params, "redirect_uri", redirect)
	if p.cfg.Info.SupportsPKCE {
		params.Set("code_verifier", cb.Verifier)
	}
	if p.cfg.SendState {
		params.Set("state", cb.State)
	}
	return p.login(ctx, "exchange", params)
}

// Refresh gets new credentials for old ones. Where the answer leaves out the refresh token, the id token or
// the scopes, the old ones are kept. Without a refresh token the error wraps [ErrNeedsLogin].
func (p *ConfigProvider) Refresh(ctx context.Context, c *Credentials) (*Credentials, error) {
	if c == nil || c.RefreshToken.IsZero() {
		return nil, &EndpointError{
			Provider: p.cfg.Info.Name, Op: "refresh", Err: fmt.Errorf("%w: there is no refresh token", ErrNeedsLogin),
		}
	}
	params := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.RefreshToken.Reveal()}}
	if p.cfg.RefreshScopes {
		setNonEmpty(params, "scope", strings.Join(p.cfg.Info.Scopes, " "))
	}
	answer, err := p.tokenRequest(ctx, "refresh", params)
	if err != nil {
		return nil, err
	}
	next := answer.renew(c)
	if completed, err := p.complete(next, answer); err == nil {
		next = completed
	}
	return next, nil
}

// Revoke makes the refresh token and the access token invalid. It returns an error wrapping
// errors.ErrUnsupported if there is no revocation endpoint.
func (p *ConfigProvider) Revoke(ctx context.Context, c *Credentials) error {
	if p.cfg.RevocationURL == "" {
		return fmt.Errorf("%s: revoke: %w", p.cfg.Info.Name, errors.ErrUnsupported)
	}
	if c == nil {
		return nil
	}
	var failures []error
	tokens := []struct {
		hint  string
		token Secret
	}{{"refresh_token", c.RefreshToken}, {"access_token", c.AccessToken}}
	for _, t := range tokens {
		if t.token.IsZero() {
			continue
		}
		params := url.Values{"token": {t.token.Reveal()}, "token_type_hint": {t.hint}}
		_, err := p.post(ctx, "revoke", p.cfg.RevocationURL, params)
		var refused *EndpointError
		if errors.As(err, &refused) && refused.Code == "unsupported_token_type" && t.hint == "access_token" {
			continue // it ends by itself, and cannot be renewed any more
		}
		if err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// login asks for the first credentials of an account.
func (p *ConfigProvider) login(ctx context.Context, op string, params url.Values) (*Credentials, error) {
	answer, err := p.tokenRequest(ctx, op, params)
	if err != nil {
		return nil, err
	}
	c := answer.renew(&Credentials{})
	if len(c.Scopes) == 0 {
		c.Scopes = slices.Clone(p.cfg.Info.Scopes) // what was asked for, as RFC 6749 has it
	}
	if c, err = p.complete(c, answer); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", p.cfg.Info.Name, op, err)
	}
	if p.cfg.Profile != nil {
		more := c.Clone()
		if protect(func() error { return p.cfg.Profile(ctx, more) }) == nil {
			c = more
		}
	}
	return c, nil
}

// complete gives a copy of c with what the configured function adds. A panic of it must not cost new tokens.
func (p *ConfigProvider) complete(c *Credentials, answer *tokenAnswer) (*Credentials, error) {
	if p.cfg.Complete == nil {
		return c, nil
	}
	completed := c.Clone()
	err := protect(func() error { return p.cfg.Complete(completed, answer.raw) })
	return completed, err
}

func setNonEmpty(v url.Values, key, value string) {
	if value != "" {
		v.Set(key, value)
	}
}
