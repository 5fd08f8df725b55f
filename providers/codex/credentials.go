package codex

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers"
)

// defaultManager is the service of the plugin of that name. What it provides is an [oauth.Source], or has the methods
// of [providers.Credentials] and perhaps that of [providers.Refresher].
const defaultManager = "oauth_codex"

// accountHeader says which of a user's accounts at ChatGPT is meant.
const accountHeader = "chatgpt-account-id"

// managed are the credentials of a service. It is looked up when it is first needed: one that is named in the
// configuration may start after this plugin.
type managed struct {
	pc   *ccproxy.PluginContext
	name string
}

func (m managed) service() (providers.Credentials, error) {
	c, err := credentialService(m.pc, m.name)
	if err != nil {
		return nil, &ccproxy.Error{
			Status: http.StatusUnauthorized, Code: "no_credentials",
			Message: "the proxy has no credentials for this provider", Err: err,
		}
	}
	return c, nil
}

// credentialService returns the credentials that a service gives.
func credentialService(pc *ccproxy.PluginContext, name string) (providers.Credentials, error) {
	if source, err := ccproxy.ServiceOf[oauth.Source](pc, name); err == nil {
		return providers.FromSource(source, accountHeader), nil
	}
	return ccproxy.ServiceOf[providers.Credentials](pc, name)
}

// Authorize implements [providers.Credentials].
func (m managed) Authorize(ctx context.Context, h http.Header) error {
	c, err := m.service()
	if err != nil {
		return err
	}
	return c.Authorize(ctx, h)
}

// Refresh implements [providers.Refresher].
func (m managed) Refresh(ctx context.Context, refused http.Header) (bool, error) {
	c, err := m.service()
	if err != nil {
		return false, err
	}
	r, ok := c.(providers.Refresher)
	if !ok {
		return false, nil
	}
	return r.Refresh(ctx, refused)
}

// Account implements [providers.AccountReporter].
func (m managed) Account(ctx context.Context) (status oauth.Status, known bool) {
	c, err := m.service()
	if err != nil {
		return oauth.Status{ID: m.name, State: oauth.StateNoCredentials}, true
	}
	r, ok := c.(providers.AccountReporter)
	if !ok {
		return oauth.Status{}, false
	}
	return r.Account(ctx)
}

// credentials are those of the configuration. Without a key and without the service the plugin opts out.
func credentials(pc *ccproxy.PluginContext, c *Config) (providers.Credentials, error) {
	if len(c.Accounts) > 0 {
		source := func(s oauth.Source) providers.Credentials { return providers.FromSource(s, accountHeader) }
		return c.Accounts.Credentials(pc, Name, providers.BearerKey, source)
	}
	name := c.authManager()
	if name == "" {
		return providers.BearerKey(c.APIKey), nil
	}
	if name == defaultManager && c.AuthManager == "" {
		_, err := credentialService(pc, name)
		if errors.Is(err, ccproxy.ErrUnknownService) {
			return nil, fmt.Errorf("%w: no api_key, and no service %s", ccproxy.ErrSkip, name)
		}
		if err != nil {
			return nil, err
		}
	}
	return managed{pc: pc, name: name}, nil
}
