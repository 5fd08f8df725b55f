package command

import (
	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// loginPlugin brings the provider "test-login" of a fake authorization server. It is off unless a configuration turns
// it on, as the plugins with logins that ship are.
func loginPlugin(server *oauthtest.Server, change ...func(*oauth.ProviderConfig)) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "oauth_test", Version: "1.0.0", Description: "Logins for tests", Kind: ccproxy.KindAuth,
		CLISafe: true, DefaultOff: true,
		OAuthProviders: []ccproxy.OAuthProviderSpec{{
			Name: "test-login",
			New: func(*ccproxy.PluginContext) (oauth.Provider, error) {
				cfg := server.ProviderConfig("test-login")
				for _, f := range change {
					f(&cfg)
				}
				return oauth.NewConfigProvider(cfg)
			},
		}},
	}, nil)
}
