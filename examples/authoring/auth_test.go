package authoring_test

import (
	"context"
	"fmt"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/providers"
)

// acmeLoginFactory returns a plugin that holds the accounts of an authorization server.
func acmeLoginFactory(server oauth2.Config) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "oauth_acme", Kind: ccproxy.KindAuth, CLISafe: true, Description: "Logins of ACME",
		OAuthProviders: []ccproxy.OAuthProviderSpec{{
			Name: "acme",
			New: func(pc *ccproxy.PluginContext) (oauth.Provider, error) {
				return oauth.NewConfigProvider(oauth.ProviderConfig{
					Info:      oauth.Info{Name: "acme", Plugin: "oauth_acme", SupportsPKCE: true, SupportsRefresh: true},
					OAuth2:    server,
					Login:     oauth.LoginMethods{LoopbackURI: "http://127.0.0.1:0/callback"},
					Transport: pc.HTTPClient.Transport,
				})
			},
		}},
	}, nil)
}

// withAccount makes a provider that sends the token of the account.
func withAccount(pc *ccproxy.PluginContext) (ccproxy.Provider, error) {
	return providers.NewProvider(pc, providers.Upstream{
		BaseURL: "https://api.example.com", Formats: []adapters.Format{adapters.AnthropicMessages},
		Credentials: providers.FromSource(pc.OAuth.Source("acme"), ""),
	})
}

// An auth plugin holds logins; providers take the tokens from it, fresh ones always.
func Example_auth() {
	server := new(oauthtest.Server)
	ctx := context.Background()
	proxy, stop := startWith(ccproxy.Settings{}, []ccproxy.Option{ccproxy.WithTransport(server.Transport())},
		acmeLoginFactory(server.Config()), ccproxy.NewFactory(ccproxy.Manifest{
			Name: "acme", Kind: ccproxy.KindProvider,
			Providers: []ccproxy.ProviderSpec{{
				Formats: []adapters.Format{adapters.AnthropicMessages}, SelfPrepared: true, New: withAccount,
			}},
		}, nil))
	defer stop()

	source := proxy.OAuth().Source("acme")
	_, err := source.Token(ctx)
	fmt.Println(err != nil, ask(proxy, "/acme/v1/messages", hello).Code)

	credentials, err := login(ctx, proxy, server)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.OAuth().Login(ctx, "acme", credentials); err != nil {
		fmt.Println(err)
	}
	token, err := source.Token(ctx)
	fmt.Println(server.Accepts(token.Token.Reveal()), err)
	// Output:
	// true 401
	// true <nil>
}

// login does what the command or a browser does.
func login(ctx context.Context, proxy *ccproxy.Proxy, server *oauthtest.Server) (*oauth.Credentials, error) {
	provider, err := proxy.OAuth().Provider("acme")
	if err != nil {
		return nil, err
	}
	verifier, redirect := oauth2.GenerateVerifier(), "http://127.0.0.1:4321/callback"
	address, err := provider.AuthorizationURL(ctx, oauth.AuthorizationRequest{
		State: "state-of-this-login", Verifier: verifier, RedirectURI: redirect,
	})
	if err != nil {
		return nil, err
	}
	back, err := server.Consent(address)
	if err != nil {
		return nil, err
	}
	answer, err := url.Parse(back)
	if err != nil {
		return nil, err
	}
	return provider.HandleCallback(ctx, oauth.Callback{
		Code: answer.Query().Get("code"), State: "state-of-this-login", Verifier: verifier, RedirectURI: redirect,
	})
}
