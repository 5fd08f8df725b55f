package codex

import (
	"encoding/json"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// provider is OpenAI's authorization server.
type provider struct {
	*oauth.ConfigProvider
	store oauth.Store // nil where the application's is used
}

var _ oauth.StoreProvider = (*provider)(nil)

// Store implements [oauth.StoreProvider].
func (p *provider) Store() oauth.Store { return p.store }

func newProvider(c *Config, transport http.RoundTripper) (*provider, error) {
	base, err := oauth.NewConfigProvider(oauth.ProviderConfig{
		Info: oauth.Info{
			Name: Account, DisplayName: "Codex", Description: "OpenAI's accounts with a ChatGPT plan",
			SupportsPKCE: true, SupportsRefresh: true, Plugin: Name,
		},
		OAuth2: oauth2.Config{
			ClientID: c.ClientID, Scopes: c.Scopes, RedirectURL: c.LoopbackURI,
			Endpoint: oauth2.Endpoint{AuthURL: c.AuthorizeURL, TokenURL: c.TokenURL},
		},
		RefreshScopes: true, AuthParams: c.AuthParams, RevocationURL: c.RevocationURL,
		Header:   http.Header{"User-Agent": {"ccproxy/" + ccproxy.Version}},
		Login:    oauth.LoginMethods{LoopbackURI: c.LoopbackURI, OwnRedirects: !c.PublicRedirect},
		Complete: complete, Summary: summary, Transport: transport,
	})
	if err != nil {
		return nil, err
	}
	p := &provider{ConfigProvider: base}
	if c.Store == "file" {
		p.store = &store.File{
			Path: c.Path, ID: Account, Shape: store.Codex{}, AllowExposed: c.AllowExposed,
		}
	}
	return p, nil
}

// check finds settings that no provider can be made of.
func check(c *Config) error {
	if _, err := newProvider(c, nil); err != nil {
		return fmt.Errorf("plugins.%s: %w: %w", Name, ccproxy.ErrConfig, err)
	}
	return nil
}

// claims are what OpenAI's tokens tell.
type claims struct {
	Email string `json:"email"`
	Auth  struct {
		Account string `json:"chatgpt_account_id"`
		Plan    string `json:"chatgpt_plan_type"`
	} `json:"https://api.openai.com/auth"`
}

// claimsOf reads the id token, and what it lacks from the access token. Both came from the server itself.
func claimsOf(c *oauth.Credentials) claims {
	var told, access claims
	_ = oauth.Claims(c.IDToken, &told) // no token, or none that can be read, tells nothing
	_ = oauth.Claims(c.AccessToken, &access)
	if told.Auth.Account == "" {
		told.Auth.Account = access.Auth.Account
	}
	if told.Auth.Plan == "" {
		told.Auth.Plan = access.Auth.Plan
	}
	return told
}

// complete takes the account that ChatGPT wants named from the tokens. It is not their subject, which is the user.
func complete(c *oauth.Credentials, _ json.RawMessage) error {
	if account := claimsOf(c).Auth.Account; account != "" {
		c.AccountID = account
	}
	return nil
}

// summary shows account and plan.
func summary(c *oauth.Credentials) map[string]any {
	values := make(map[string]any)
	told := claimsOf(c)
	for key, value := range map[string]string{
		"account": c.AccountID, "email": told.Email, "plan": told.Auth.Plan,
	} {
		if value != "" {
			values[key] = value
		}
	}
	return values
}
