package claudeapi

import (
	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers"
)

// Config is the plugin's configuration.
type Config struct {
	// Auth says how requests are authorized: "key", with the api_key, or "oauth", with the account of a Claude
	// subscription, whatever key there is. Defaults to key.
	Auth string `toml:"auth" validate:"omitempty,oneof=key oauth"`
	// APIKey is a key of Anthropic's console. Without one, and without oauth, the plugin does not run.
	APIKey ccproxy.Secret `toml:"api_key"`
	// Account is the OAuth account that is used. Defaults to claude-api, which the plugin oauth_claude brings.
	Account string `toml:"account" validate:"required"`
	// Accounts are several accounts to spread requests over, see the plugin balancer; then Auth, APIKey and Account are
	// not used. Defaults to none.
	Accounts providers.AccountConfigs `toml:"accounts" validate:"dive"`
	// Betas are added to the anthropic-beta of every request. The one that oauth requires need not be among them.
	Betas []string `toml:"betas" validate:"dive,required"`
	// Headers are sent with every request, in the place of the client's; DefaultHeaders where the client sent none.
	Headers        map[string]string `toml:"headers"`
	DefaultHeaders map[string]string `toml:"default_headers"`
	// DetectCLIHeaders sends, for clients that are not Anthropic's command line, the headers that the one installed on
	// this machine sends: it is run once for each of its versions, in the background and against a listener on the
	// loopback interface, without credentials. Headers count more. Off by default.
	DetectCLIHeaders bool `toml:"detect_cli_headers"`
	// CLIHeadersDir keeps what was detected, in a file for each version. Defaults to none: it is kept in memory.
	CLIHeadersDir string `toml:"cli_headers_dir"`
	// BaseURL defaults to https://api.anthropic.com.
	BaseURL string `toml:"base_url" validate:"required,http_url"`
	// AnthropicVersion is sent for clients that send no anthropic-version. Defaults to 2023-06-01.
	AnthropicVersion string `toml:"anthropic_version" validate:"required"`
	// SystemPrefix is put before the system prompt of every request, as a text block of its own. Defaults to none.
	SystemPrefix string `toml:"system_prefix"`
	// MaxCacheControl is the number of cache_control marks that a request may keep: those of the largest blocks.
	// Anthropic takes 4. Zero, the default, leaves requests as they are.
	MaxCacheControl int `toml:"max_cache_control" validate:"gte=0,lte=64"`
	// ForwardHeaders are names of further request headers that go to the API; a name may end in "*".
	ForwardHeaders []string `toml:"forward_headers" validate:"dive,required"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{BaseURL: "https://api.anthropic.com", AnthropicVersion: "2023-06-01", Account: "claude-api"}
}
