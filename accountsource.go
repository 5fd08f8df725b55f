package ccproxy

import (
	"context"
	"errors"
	"fmt"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// LoginError tells that an account has no credentials that work, and what somebody has to do about it.
type LoginError struct {
	// Account is the name of the OAuth provider.
	Account string
	// Plugin is the plugin that brings the provider and does not run; "" where that is not what is missing.
	Plugin string
	// Err wraps [oauth.ErrNeedsLogin], [oauth.ErrNoCredentials] or [oauth.ErrUnknownProvider].
	Err error
}

// Error tells the account, the reason, and what to do.
func (e *LoginError) Error() string {
	return fmt.Sprintf("account %q: %v: %s", e.Account, e.Err, e.Hint())
}

// Hint tells what to do, in words for an operator.
func (e *LoginError) Hint() string {
	if errors.Is(e.Err, oauth.ErrUnknownProvider) {
		return "register a plugin that has an OAuth provider of this name"
	}
	login := fmt.Sprintf("log in with \"auth login %s\" or at /oauth/%s/login", e.Account, e.Account)
	if e.Plugin != "" {
		return fmt.Sprintf("enable the plugin (plugins.%s.enabled = true), then %s", e.Plugin, login)
	}
	return login
}

// Unwrap returns Err.
func (e *LoginError) Unwrap() error { return e.Err }

// accountSource gives the tokens of an account by its name. The account may come and go.
type accountSource struct {
	accounts *accounts
	name     string
}

var _ oauth.Source = accountSource{}

// Token implements [oauth.Source].
func (s accountSource) Token(ctx context.Context) (oauth.Credential, error) {
	source, ok := s.accounts.tokens.Source(s.name)
	if !ok {
		return oauth.Credential{}, s.accounts.absent(s.name)
	}
	cred, err := source.Token(ctx)
	if errors.Is(err, oauth.ErrNeedsLogin) || errors.Is(err, oauth.ErrNoCredentials) {
		err = &LoginError{Account: s.name, Err: err}
	}
	return cred, err
}

// Invalidate implements [oauth.Source].
func (s accountSource) Invalidate(used oauth.Credential) (retry bool) {
	return s.accounts.tokens.Invalidate(s.name, used)
}

// Status tells how the account is, without a refresh. A store may be looked at, as long as ctx lasts.
func (s accountSource) Status(ctx context.Context) oauth.Status {
	status, ok := s.accounts.tokens.Status(s.name)
	acc, known := s.accounts.find(s.name)
	if !ok || !known {
		return oauth.Status{ID: s.name, State: oauth.StateNoCredentials, Error: s.accounts.absent(s.name).Error()}
	}
	status.State = acc.state(ctx, status)
	return status
}

// absent tells why there is no account of a name.
func (a *accounts) absent(name string) error {
	for _, m := range a.proxy.plan.manifests {
		for _, spec := range m.OAuthProviders {
			if spec.Name != name {
				continue
			}
			status := a.proxy.statusOf(m)
			switch {
			case status.State == stateLoaded || status.State == stateStarting:
				err := fmt.Errorf("%w: plugin %s has not started yet", oauth.ErrNeedsLogin, m.Name)
				return &LoginError{Account: name, Err: err}
			case status.Reason != nil && !isDisabled(status.Reason):
				err := fmt.Errorf("%w: plugin %s is %s: %w", oauth.ErrNeedsLogin, m.Name, status.State, status.Reason)
				return &LoginError{Account: name, Err: err}
			}
			err := fmt.Errorf("%w: plugin %s is %s", oauth.ErrNeedsLogin, m.Name, status.State)
			return &LoginError{Account: name, Plugin: m.Name, Err: err}
		}
	}
	return &LoginError{Account: name, Err: fmt.Errorf("%w: %q", oauth.ErrUnknownProvider, name)}
}
