package ccproxy

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// OAuth is what programs see of the logins of a proxy: one account for each OAuth provider of a plugin that runs,
// under the provider's name. It is for commands and pages of an application; plugins have [CoreServices.OAuth]. Its
// methods may be called concurrently, from [Proxy.Start] or [Proxy.StartOnly] to [Proxy.Shutdown].
//
//	err := proxy.StartOnly(ctx, "oauth_claude")
//	provider, err := proxy.OAuth().Provider("claude-api")
//	creds, err := (&flow.Login{UI: terminal}).Run(ctx, provider)
//	err = proxy.OAuth().Login(ctx, "claude-api", creds)
type OAuth struct{ accounts *accounts }

// OAuth returns the logins of the proxy.
func (p *Proxy) OAuth() *OAuth { return &OAuth{&p.accounts} }

// AccountStatus tells how an account is. It holds no secrets.
type AccountStatus struct {
	oauth.Status
	// DisplayName and Plugin are those of the provider.
	DisplayName string `json:"display_name"`
	Plugin      string `json:"plugin_name"`
	// Scopes are those of the credentials.
	Scopes []string `json:"scopes,omitempty"`
	// Refreshable tells that there is a refresh token.
	Refreshable bool `json:"refreshable"`
	// Summary is what else the provider tells of the credentials, such as account and plan. May be nil.
	Summary map[string]any `json:"summary,omitempty"`
}

// Providers describes the OAuth providers, by name.
func (o *OAuth) Providers() []oauth.Info {
	infos := o.accounts.proxy.oauth.Infos()
	for i := range infos {
		infos[i] = o.accounts.described(infos[i])
	}
	return infos
}

// described completes what a provider says of itself.
func (a *accounts) described(info oauth.Info) oauth.Info {
	info.DisplayName = cmp.Or(info.DisplayName, info.Name)
	if acc, ok := a.find(info.Name); ok {
		info.Plugin = cmp.Or(info.Plugin, acc.plugin)
	}
	return info
}

// Provider returns the OAuth provider of a name. The error is a *[LoginError], which tells which plugin to enable.
func (o *OAuth) Provider(name string) (oauth.Provider, error) {
	acc, ok := o.accounts.find(name)
	if !ok {
		return nil, o.accounts.absent(name)
	}
	return acc.provider, nil
}

// Source gives the tokens of an account. It can be asked for before there is one: until then Token fails with a
// *[LoginError].
func (o *OAuth) Source(name string) oauth.Source { return accountSource{o.accounts, name} }

// Login saves the credentials of a new login and puts them in place; see [oauth.TokenManager.Login].
func (o *OAuth) Login(ctx context.Context, name string, c *oauth.Credentials) error {
	if _, ok := o.accounts.find(name); !ok {
		return o.accounts.absent(name)
	}
	return o.accounts.tokens.Login(ctx, name, c)
}

// Logout revokes the credentials at the server where it can, and deletes them here in any case. If only the
// revocation failed the error wraps [oauth.ErrNotRevoked].
func (o *OAuth) Logout(ctx context.Context, name string) error {
	if _, ok := o.accounts.find(name); !ok {
		return o.accounts.absent(name)
	}
	return o.accounts.tokens.Logout(ctx, name)
}

// Refresh replaces the tokens of an account now, whether they have ended or not.
func (o *OAuth) Refresh(ctx context.Context, name string) error {
	if _, ok := o.accounts.find(name); !ok {
		return o.accounts.absent(name)
	}
	_, err := o.accounts.tokens.Refresh(ctx, name)
	if errors.Is(err, oauth.ErrNeedsLogin) || errors.Is(err, oauth.ErrNoCredentials) {
		return &LoginError{Account: name, Err: err}
	}
	return err
}

// Credentials returns a copy of what is stored of an account, secrets included. Without any the error wraps
// [oauth.ErrNoCredentials].
func (o *OAuth) Credentials(ctx context.Context, name string) (*oauth.Credentials, error) {
	acc, ok := o.accounts.find(name)
	if !ok {
		return nil, o.accounts.absent(name)
	}
	return acc.load(ctx, name)
}

// Status tells how an account is: what the proxy has learned by using it, and what is stored. It refreshes nothing.
func (o *OAuth) Status(ctx context.Context, name string) (AccountStatus, error) {
	acc, ok := o.accounts.find(name)
	s, known := o.accounts.tokens.Status(name)
	if !ok || !known {
		return AccountStatus{}, o.accounts.absent(name)
	}
	info := o.accounts.described(acc.provider.Info())
	status := AccountStatus{Status: s, DisplayName: info.DisplayName, Plugin: info.Plugin}
	c, err := acc.load(ctx, name)
	acc.peek(err)
	if s.State == oauth.StateUnknown {
		status.State = acc.state(ctx, s)
		if err != nil && status.State != oauth.StateNoCredentials {
			status.Error = err.Error()
		}
	}
	if err != nil {
		return status, nil //nolint:nilerr // the status tells
	}
	status.AccountID, status.Expiry, status.Generation = c.AccountID, c.Expiry, c.Generation
	status.Scopes, status.Refreshable = c.Scopes, !c.RefreshToken.IsZero()
	status.Summary = summary(acc.provider, c)
	return status, nil
}

// Statuses tells how all accounts are, by name.
func (o *OAuth) Statuses(ctx context.Context) []AccountStatus {
	var all []AccountStatus
	for _, info := range o.accounts.proxy.oauth.Infos() {
		if s, err := o.Status(ctx, info.Name); err == nil {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b AccountStatus) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// summary asks the provider for what to show. It is a plugin's code.
func summary(p oauth.Provider, c *oauth.Credentials) (values map[string]any) {
	s, ok := p.(oauth.Summarizer)
	if !ok {
		return nil
	}
	_ = guardInline(func() error {
		if v := s.Summary(c); len(v) > 0 {
			values = marshalled(v)
		}
		return nil
	})
	return values
}

// exchange trades what came back from an authorization server for credentials, and puts them in place. It goes on
// when the browser leaves: a code works once.
func (o *OAuth) exchange(ctx context.Context, acc *account, cb oauth.Callback) error {
	name := acc.provider.Info().Name
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTimeout)
	defer cancel()
	emit := func(p hooks.Payload) { o.accounts.proxy.emit(acc.plugin, p) }
	emit(&hooks.OAuthTokenRequest{Provider: name})
	var c *oauth.Credentials
	err := guardInline(func() (err error) {
		c, err = acc.provider.HandleCallback(ctx, cb)
		return err
	})
	if err == nil {
		err = o.Login(ctx, name, c)
	}
	if err != nil && !errors.Is(err, oauth.ErrUnsaved) {
		emit(&hooks.OAuthTokenResponse{Provider: name, Err: err.Error()})
	}
	return err
}

const exchangeTimeout = 30 * time.Second
