// Package claudeapi is the provider of Anthropic's API for those who have an API key. Requests in the Messages
// format pass byte for byte.
//
// # Configuration
//
// The table [plugins.claude_api]; see [Config]. Without api_key the plugin opts out.
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
// None.
package claudeapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
)

// Name is the plugin's name.
const Name = "claude_api"

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	m := ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Anthropic's API with an API key", Kind: ccproxy.KindProvider,
		Config: ccproxy.ConfigFor(DefaultConfig), Configure: checkBaseURL,
	}
	return named(providers.Configured(m, []adapters.Format{adapters.AnthropicMessages}, upstream))
}

// checkBaseURL refuses at Build what the toolkit would refuse when the plugin starts.
func checkBaseURL(cfg any, _ *ccproxy.Manifest) error {
	c, ok := cfg.(*Config)
	if !ok {
		return nil
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("plugins.%s.base_url: must have no user, query or fragment: %w", Name, ccproxy.ErrConfig)
	}
	return nil
}

// named mounts the provider at /claude, whatever the plugin's name.
func named(f ccproxy.Factory) ccproxy.Factory {
	m := f.Manifest()
	for i := range m.Providers {
		m.Providers[i].Name = "claude"
	}
	return ccproxy.NewFactory(m, f.CreateRuntime)
}

func upstream(c *Config) (providers.Upstream, error) {
	if c.APIKey.IsZero() {
		return providers.Upstream{}, fmt.Errorf("%w: no api_key", ccproxy.ErrSkip)
	}
	u := providers.Upstream{
		BaseURL:        c.BaseURL,
		Formats:        []adapters.Format{adapters.AnthropicMessages},
		Credentials:    providers.HeaderKey("X-Api-Key", c.APIKey),
		DefaultHeader:  http.Header{"Anthropic-Version": {c.AnthropicVersion}},
		Models:         models(),
		RequestHeaders: c.ForwardHeaders,
		CLI:            "claude",
	}
	if c.SystemPrefix != "" {
		u.Transformers = append(u.Transformers, systemPrefix(c.SystemPrefix))
	}
	if c.MaxCacheControl > 0 {
		u.Transformers = append(u.Transformers, cacheControlLimit(c.MaxCacheControl))
	}
	return u, nil
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
