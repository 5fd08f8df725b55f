package providers

import (
	"fmt"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// AccountConfig is one of several accounts in the configuration of a provider's plugin. It has either an api_key or an
// oauth account.
type AccountConfig struct {
	// Name tells the account from the others, in logs, hooks and routes: letters, digits and ". _ - @". Required.
	Name string `toml:"name" validate:"required,max=64"`
	// APIKey is a key of the API.
	APIKey ccproxy.Secret `toml:"api_key"`
	// OAuth is the name of an OAuth account, such as "claude-api".
	OAuth string `toml:"oauth"`
}

// AccountConfigs are the accounts of one provider, the preferred one first.
type AccountConfigs []AccountConfig

// Check finds what the accounts contradict themselves in, for a plugin's Configure; key is that of the list. The error
// wraps ccproxy.ErrConfig.
func (l AccountConfigs) Check(key string) error {
	known := make(map[string]bool)
	for i, a := range l {
		fail := func(problem string) error {
			return fmt.Errorf("%s[%d]: %s: %w", key, i, problem, ccproxy.ErrConfig)
		}
		switch {
		case known[a.Name]:
			return fail("another account has this name")
		case a.APIKey.IsZero() == (a.OAuth == ""):
			return fail("must have either an api_key or an oauth account")
		}
		known[a.Name] = true
	}
	return nil
}

// HasOAuth reports whether one of them is an OAuth account.
func (l AccountConfigs) HasOAuth() bool {
	for _, a := range l {
		if a.OAuth != "" {
			return true
		}
	}
	return false
}

// Credentials returns those of all accounts together, see [Balanced]: a key becomes credentials by key, a source of
// tokens by source.
func (l AccountConfigs) Credentials(
	pc *ccproxy.PluginContext, provider string,
	key func(ccproxy.Secret) Credentials, source func(oauth.Source) Credentials,
) (Credentials, error) {
	accounts := make([]Account, 0, len(l))
	for _, a := range l {
		var c Credentials
		if a.OAuth != "" {
			c = source(pc.OAuth.Source(a.OAuth))
		} else {
			c = key(a.APIKey)
		}
		accounts = append(accounts, Account{Name: a.Name, Credentials: c})
	}
	return Balanced(pc, provider, accounts)
}
