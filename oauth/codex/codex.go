// Package codex is the auth plugin of OpenAI's accounts: users log in with their ChatGPT plan, and providers use the
// account "codex".
//
// # Configuration
//
// The table [plugins.oauth_codex]; see [Config]. The plugin is off by default:
//
//	[plugins.oauth_codex]
//	enabled = true
//	store = "file"
//	path = "/home/me/.codex/auth.json"
//
// With a file the login is shared with the Codex CLI, in its own shape. The provider codex uses the account as soon as
// the plugin is on, unless it has an api_key.
//
// # Routes
//
// None of its own; the proxy's are below /oauth/codex.
//
// # Hooks
//
// None of its own; logins and refreshes emit the oauth.* events, and requests to OpenAI http.* without bodies.
//
// # Services
//
// It provides oauth_codex, an [oauth.Source].
package codex

import (
	"context"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// Name is the plugin's name, and that of its service. Account is the name of the OAuth provider.
const (
	Name    = "oauth_codex"
	Account = "codex"
)

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Kind: ccproxy.KindAuth, CLISafe: true, DefaultOff: true,
		Description: "Logins with a ChatGPT plan",
		Provides:    []string{Name},
		Config:      ccproxy.ConfigFor(DefaultConfig),
		Configure:   configure,
		OAuthProviders: []ccproxy.OAuthProviderSpec{{
			Name: Account,
			New: func(pc *ccproxy.PluginContext) (oauth.Provider, error) {
				c, err := ccproxy.ConfigOf[Config](pc)
				if err != nil {
					return nil, err
				}
				return newProvider(c, pc.HTTPClient.Transport)
			},
		}},
	}, func() ccproxy.Plugin { return plugin{} })
}

// configure refuses at Build what could not be a provider.
func configure(cfg any, _ *ccproxy.Manifest) error {
	c, ok := cfg.(*Config)
	if !ok {
		return nil
	}
	return check(c)
}

// plugin is the runtime.
type plugin struct{}

// Initialize implements [ccproxy.Plugin].
func (plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide(Name, pc.OAuth.Source(Account))
}

// Shutdown implements [ccproxy.Plugin].
func (plugin) Shutdown(context.Context) error { return nil }
