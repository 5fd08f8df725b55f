// Package claudeapi is the provider of Anthropic's API, with an API key or the account of a Claude subscription.
// Requests in the Messages format pass byte for byte.
//
// # Configuration
//
// The table [plugins.claude_api]; see [Config]. Without api_key, accounts and auth = "oauth" the plugin opts out. With
// oauth it uses the account that the plugin oauth_claude brings:
//
//	[plugins.oauth_claude]
//	enabled = true
//
//	[plugins.claude_api]
//	auth = "oauth"
//
// Several keys and accounts go into accounts; the plugin balancer says which of them a request uses:
//
//	[plugins.claude_api]
//	accounts = [{ name = "team", api_key = "…" }, { name = "me", oauth = "claude-api" }]
//
// What Anthropic's command line says of itself, its headers, betas and system prompt, is sent where a client sends it
// or the configuration has it (headers, default_headers, betas, system_prefix); none of it is built in. With
// detect_cli_headers its headers are asked of the one that is installed.
//
// # Routes
//
// POST /claude/v1/messages, POST /claude/v1/messages/count_tokens, GET /claude/v1/models and
// GET /claude/v1/models/{id}, and the other client formats for which there are adapters.
//
// # Hooks
//
// None of its own; its requests emit provider.request.prepared with method, URL and headers.
//
// # Services
//
// It uses balancer where it has accounts.
package claudeapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers"
)

// Name is the plugin's name.
const Name = "claude_api"

// provider is the name under which the provider is mounted.
const provider = "claude"

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	m := ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Anthropic's API", Kind: ccproxy.KindProvider,
		Config: ccproxy.ConfigFor(DefaultConfig), Configure: check,
		OptionalRequires: providers.BalancerServices(),
	}
	return named(providers.NewFunc(m, []adapters.Format{adapters.AnthropicMessages}, newUpstream))
}

// check refuses at Build what the toolkit would refuse when the plugin starts.
func check(cfg any, _ *ccproxy.Manifest) error {
	c, ok := cfg.(*Config)
	if !ok {
		return nil
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("plugins.%s.base_url: must have no user, query or fragment: %w", Name, ccproxy.ErrConfig)
	}
	return c.Accounts.Check("plugins." + Name + ".accounts")
}

// named mounts the provider at /claude, whatever the plugin's name.
func named(f ccproxy.Factory) ccproxy.Factory {
	m := f.Manifest()
	for i := range m.Providers {
		m.Providers[i].Name = provider
	}
	return ccproxy.NewFactory(m, f.CreateRuntime)
}

// newUpstream is the upstream of a plugin's configuration.
func newUpstream(pc *ccproxy.PluginContext) (providers.Upstream, error) {
	c, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return providers.Upstream{}, err
	}
	u := upstream(c)
	if c.DetectCLIHeaders {
		u.Transformers = slices.Insert(u.Transformers, 0, cliHeaders(pc, c))
	}
	switch {
	case len(c.Accounts) > 0:
		u.Credentials, err = c.Accounts.Credentials(pc, provider, fromKey, fromSource)
	case c.Auth == authOAuth:
		u.Credentials = fromSource(pc.OAuth.Source(c.Account))
	case c.APIKey.IsZero():
		err = fmt.Errorf("%w: no api_key", ccproxy.ErrSkip)
	default:
		u.Credentials = fromKey(c.APIKey)
	}
	return u, err
}

func fromKey(key ccproxy.Secret) providers.Credentials { return providers.HeaderKey("X-Api-Key", key) }

func fromSource(source oauth.Source) providers.Credentials { return providers.FromSource(source, "") }

const authOAuth = "oauth"

// usesOAuth tells whether a request may be authorized by a token.
func (c *Config) usesOAuth() bool {
	if len(c.Accounts) > 0 {
		return c.Accounts.HasOAuth()
	}
	return c.Auth == authOAuth
}

// upstream describes the API, without its credentials.
func upstream(c *Config) providers.Upstream {
	u := providers.Upstream{
		BaseURL:        c.BaseURL,
		Formats:        []adapters.Format{adapters.AnthropicMessages},
		Header:         headers(c.Headers),
		DefaultHeader:  headers(c.DefaultHeaders),
		Models:         models(),
		RequestHeaders: c.ForwardHeaders,
		CLI:            "claude",
	}
	if u.DefaultHeader.Get("Anthropic-Version") == "" {
		u.DefaultHeader.Set("Anthropic-Version", c.AnthropicVersion)
	}
	if betas := c.betas(); len(betas) > 0 {
		u.DefaultHeader.Set(betaHeader, strings.Join(betas, ","))
		u.Transformers = append(u.Transformers, withBetas(betas))
	}
	if c.SystemPrefix != "" {
		u.Transformers = append(u.Transformers, systemPrefix(c.SystemPrefix))
	}
	if c.MaxCacheControl > 0 {
		u.Transformers = append(u.Transformers, cacheControlLimit(c.MaxCacheControl))
	}
	return u
}

func headers(values map[string]string) http.Header {
	h := make(http.Header, len(values)+1)
	for name, value := range values {
		h.Set(name, value)
	}
	return h
}

// models are those that Anthropic's documentation lists; they are shown when the API cannot be asked.
func models() []ccproxy.Model {
	known := []string{
		"claude-opus-4-6 2026-02-05", "claude-sonnet-4-6 2026-02-17", "claude-haiku-4-5-20251001 2025-10-01",
		"claude-opus-4-20250514 2025-05-14", "claude-sonnet-4-20250514 2025-05-14",
	}
	list := make([]ccproxy.Model, 0, len(known))
	for _, line := range known {
		id, date, _ := strings.Cut(line, " ")
		created, _ := time.Parse(time.DateOnly, date) // the dates stand above
		list = append(list, ccproxy.Model{ID: id, OwnedBy: "anthropic", Created: created})
	}
	return list
}
