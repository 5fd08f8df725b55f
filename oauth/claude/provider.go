package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// provider is Anthropic's authorization server.
type provider struct {
	*oauth.ConfigProvider
	store oauth.Store // nil where the application's is used
}

var _ oauth.StoreProvider = (*provider)(nil)

// Store implements [oauth.StoreProvider].
func (p *provider) Store() oauth.Store { return p.store }

func newProvider(c *Config, transport http.RoundTripper) (*provider, error) {
	profile := profiles{address: c.ProfileURL, transport: transport}
	cfg := oauth.ProviderConfig{
		Info: oauth.Info{
			Name: Account, DisplayName: "Claude", Description: "Anthropic's accounts with a Claude subscription",
			SupportsPKCE: true, SupportsRefresh: true, Plugin: Name,
		},
		OAuth2: oauth2.Config{
			ClientID: c.ClientID, Scopes: c.Scopes, RedirectURL: c.LoopbackURI,
			Endpoint: oauth2.Endpoint{AuthURL: c.AuthorizeURL, TokenURL: c.TokenURL},
		},
		JSON: true, SendState: true, AuthParams: map[string]string{"code": "true"},
		RevocationURL: c.RevocationURL,
		Header:        http.Header{"User-Agent": {"ccproxy/" + ccproxy.Version}},
		Login: oauth.LoginMethods{
			LoopbackURI: c.LoopbackURI, ManualURI: c.ManualURI, OwnRedirects: !c.PublicRedirect,
		},
		Complete: complete, Summary: summary, Transport: transport,
	}
	if c.ProfileURL != "" {
		cfg.Profile = profile.add
	}
	base, err := oauth.NewConfigProvider(cfg)
	if err != nil {
		return nil, err
	}
	p := &provider{ConfigProvider: base}
	if c.Store == "file" {
		p.store = &store.File{
			Path: c.Path, ID: Account, Shape: store.Claude{}, AllowExposed: c.AllowExposed,
		}
	}
	return p, nil
}

// check finds settings that no provider can be made of.
func check(c *Config) error {
	if _, err := newProvider(c, nil); err != nil {
		return fmt.Errorf("plugins.%s: %w: %w", Name, ccproxy.ErrConfig, err)
	}
	if c.ProfileURL == "" {
		return nil
	}
	// The token goes there too, so it has to be as safe a place as the endpoints that are checked already.
	u, err := url.Parse(c.ProfileURL)
	if err != nil || u.User != nil || u.Scheme != "https" && !loopback(u.Hostname()) {
		return fmt.Errorf("plugins.%s.profile_url: must be https, or on the loopback interface: %w",
			Name, ccproxy.ErrConfig)
	}
	return nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// complete takes the account from the answer of the token endpoint.
func complete(c *oauth.Credentials, answer json.RawMessage) error {
	var own struct {
		Account struct {
			ID string `json:"uuid"`
		} `json:"account"`
	}
	if json.Unmarshal(answer, &own) == nil && own.Account.ID != "" {
		c.AccountID = own.Account.ID
	}
	return nil
}

// planMember is what Anthropic's command line calls the plan in its file.
const planMember = "subscriptionType"

// summary shows account and plan.
func summary(c *oauth.Credentials) map[string]any {
	values := make(map[string]any)
	if c.AccountID != "" {
		values["account"] = c.AccountID
	}
	var plan string
	if json.Unmarshal(c.Extra[planMember], &plan) == nil && plan != "" {
		values["plan"] = plan
	}
	return values
}

// profiles asks for the account and its plan.
type profiles struct {
	address   string
	transport http.RoundTripper
}

const (
	profileTimeout = 10 * time.Second
	maxProfile     = 256 << 10
)

func (p profiles) add(ctx context.Context, c *oauth.Credentials) error {
	ctx, cancel := context.WithTimeout(ctx, profileTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.AccessToken.Reveal())
	req.Header.Set("User-Agent", "ccproxy/"+ccproxy.Version)
	resp, err := p.transport.RoundTrip(req) // a client would follow redirects, with the token
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errNoProfile
	}
	var profile struct {
		Account struct {
			ID  string `json:"uuid"`
			Max bool   `json:"has_claude_max"`
			Pro bool   `json:"has_claude_pro"`
		} `json:"account"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProfile)).Decode(&profile); err != nil {
		return errNoProfile
	}
	if profile.Account.ID != "" {
		c.AccountID = profile.Account.ID
	}
	plan := "free"
	switch {
	case profile.Account.Max:
		plan = "max"
	case profile.Account.Pro:
		plan = "pro"
	}
	if c.Extra == nil {
		c.Extra = make(map[string]json.RawMessage)
	}
	c.Extra[planMember] = json.RawMessage(`"` + plan + `"`)
	return nil
}

var errNoProfile = errors.New("no profile")
