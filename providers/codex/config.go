package codex

import (
	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers"
)

// The APIs that can stand behind the provider.
const (
	backendChatGPT = "chatgpt"
	backendOpenAI  = "openai"
)

// Config is the plugin's configuration.
type Config struct {
	// APIKey is a key of OpenAI's platform. Without one the credentials come from the service that AuthManager names.
	APIKey ccproxy.Secret `toml:"api_key"`
	// AuthManager names the service with the credentials. Defaults to "oauth_codex", and to none with an api_key.
	AuthManager string `toml:"auth_manager"`
	// Accounts are several accounts to spread requests over, see the plugin balancer; then APIKey and AuthManager are
	// not used. They are all keys or all OAuth accounts, unless Backend says what stands behind BaseURL. Defaults to
	// none.
	Accounts providers.AccountConfigs `toml:"accounts" validate:"dive"`
	// Backend says which API stands behind BaseURL: "chatgpt", which takes few fields and only streams, or "openai",
	// which gets requests as they are. Defaults to openai with an api_key, else to chatgpt.
	Backend string `toml:"backend" validate:"omitempty,oneof=chatgpt openai"`
	// BaseURL is the address with its version. Defaults to https://chatgpt.com/backend-api/codex, and with the backend
	// openai to https://api.openai.com/v1.
	BaseURL string `toml:"base_url" validate:"omitempty,http_url"`
	// AccountID is sent as chatgpt-account-id where the credentials bring none. Defaults to none.
	AccountID string `toml:"account_id"`
	// Models are listed where the API lists none. Defaults to the models of Codex that are known.
	Models []string `toml:"models" validate:"dive,required"`
	// ClientVersion is the version of the Codex CLI for which ChatGPT is asked for its models. Without one it is not
	// asked. OpenAI's own list needs none.
	ClientVersion string `toml:"client_version"`
	// DefaultModel takes the place of models that only other vendors have, such as those of Claude Code. Defaults to
	// gpt-5.3-codex; "" turns that off. Settings.ModelMappings replaces the rule.
	DefaultModel string `toml:"default_model"`
	// Instructions stand before those of every request to ChatGPT that does not begin with them. Defaults to none.
	Instructions string `toml:"instructions"`
	// DeveloperToInstructions moves the developer messages before a conversation to the instructions, as is done with
	// system messages. Off by default, since ChatGPT takes them.
	DeveloperToInstructions bool `toml:"developer_to_instructions"`
	// RequestDefaults are members of requests to ChatGPT that are added where a client sent none, such as reasoning,
	// include or tools. Defaults to none.
	RequestDefaults map[string]any `toml:"request_defaults"`
	// PassFields are names of further members that ChatGPT is sent; all others that it is not known to take are left
	// out. Defaults to none.
	PassFields []string `toml:"pass_fields" validate:"dive,required"`
	// Headers are sent with every request, in the place of the client's.
	Headers map[string]string `toml:"headers"`
	// DefaultHeaders are sent where the client sent none, such as originator and version.
	DefaultHeaders map[string]string `toml:"default_headers"`
	// ForwardHeaders are names of further request headers that go to the API; a name may end in "*".
	ForwardHeaders []string `toml:"forward_headers" validate:"dive,required"`
	// NoWebSocket turns the WebSocket off: clients are answered 426 and use plain HTTP.
	NoWebSocket bool `toml:"no_websocket"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config { return &Config{DefaultModel: "gpt-5.3-codex"} }

// backend is the API that is spoken to.
func (c *Config) backend() string {
	switch {
	case c.Backend != "":
		return c.Backend
	case len(c.Accounts) > 0 && !c.Accounts.HasOAuth():
		return backendOpenAI
	case c.APIKey.IsZero() || len(c.Accounts) > 0:
		return backendChatGPT
	default:
		return backendOpenAI
	}
}

// baseURL is the address of the backend.
func (c *Config) baseURL() string {
	switch {
	case c.BaseURL != "":
		return c.BaseURL
	case c.backend() == backendChatGPT:
		return "https://chatgpt.com/backend-api/codex"
	default:
		return "https://api.openai.com/v1"
	}
}

// authManager names the service with the credentials, or is "" where the key is all there is.
func (c *Config) authManager() string {
	if c.AuthManager == "" && c.APIKey.IsZero() {
		return defaultManager
	}
	return c.AuthManager
}

// modelRules put the default model in the place of those that the backend cannot have.
func (c *Config) modelRules() []ccproxy.ModelRule {
	if c.DefaultModel == "" {
		return nil
	}
	foreign := []string{"claude-"}
	if c.backend() == backendChatGPT { // which has none of the models that came before those of Codex
		foreign = append(foreign, "gpt-3", "gpt-4", "o1", "o3", "o4")
	}
	rules := make([]ccproxy.ModelRule, 0, len(foreign))
	for _, prefix := range foreign {
		rules = append(rules, ccproxy.ModelRule{Match: prefix, Kind: "prefix", Target: c.DefaultModel})
	}
	return rules
}
