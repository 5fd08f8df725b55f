// Package codex is the provider of the models of OpenAI's Codex: over the API that ChatGPT offers to the Codex CLI,
// with the account's own sign-in, or over OpenAI's public API with a key.
//
// # Configuration
//
// The table [plugins.codex]; see [Config]. With an api_key it speaks to the public API, and requests in the Responses
// format pass byte for byte:
//
//	[plugins.codex]
//	api_key = "sk-…"
//
// Without one it speaks to ChatGPT, with the credentials of the service oauth_codex; without that either the plugin
// opts out. ChatGPT takes less than the public API does, so requests are made to fit: they ask for a stream and store
// nothing, a text as input becomes a list, system messages before the conversation join the instructions and later
// ones become developer messages, and members and items that ChatGPT refuses are left out, which X-CCProxy-Loss tells.
// Requests that go on from a stored response are refused. What the Codex CLI says of itself, its instructions, headers
// and tools, is sent where a client sends it or the configuration has it; none of it is built in.
//
//	[plugins.codex]
//	instructions = "…"
//	default_headers = { originator = "…", version = "…" }
//	request_defaults = { reasoning = { effort = "medium" } }
//
// # Routes
//
// POST /codex/v1/responses and /codex/responses, which take WebSocket handshakes as well unless no_websocket is set;
// POST /codex/v1/responses/compact and /codex/responses/compact, which pass byte for byte;
// POST /codex/v1/chat/completions, /codex/chat/completions and /codex/v1/messages; the same with /v1 for a session of
// the client's choice below /codex/{session_id}; GET /codex/v1/models and /codex/models.
//
// A connection remembers its conversation, so that a client sends only what is new, with the id of the response that
// it goes on from. A request with "generate": false, or with an empty input, is answered at once. An error that comes
// before a response is {"type": "error", "status": …, "error": …, "headers": …}.
//
// # Hooks
//
// None of its own; its requests emit provider.request.prepared with method, URL and headers. Each turn over a
// WebSocket is a request of its own to hooks.
//
// # Services
//
// It uses oauth_codex, or the one that auth_manager names: an [oauth.Source], or [providers.Credentials]. Where these
// can be refreshed ([providers.Refresher]) a 401 of the upstream leads to one refresh and one more attempt.
package codex

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
)

// Name is the plugin's name, and that of the provider.
const Name = "codex"

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Kind: ccproxy.KindProvider,
		Description:      "OpenAI's Codex, over ChatGPT or with an API key",
		Config:           ccproxy.ConfigFor(DefaultConfig),
		Configure:        configure,
		OptionalRequires: append(providers.BalancerServices(), defaultManager),
		Providers: []ccproxy.ProviderSpec{{
			Name: Name, Formats: formats(), SelfPrepared: true, Aliases: aliases(),
			New: func(pc *ccproxy.PluginContext) (ccproxy.Provider, error) {
				rt, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return rt.provider, nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// aliases are the paths of clients whose base URL has no version, or a session.
func aliases() []ccproxy.PathAlias {
	list := []ccproxy.PathAlias{{Path: "/models", Of: "/v1/models"}}
	for _, path := range []string{"/responses", "/responses/compact", "/chat/completions"} {
		list = append(list, ccproxy.PathAlias{Path: path, Of: "/v1" + path})
	}
	for _, path := range []string{"/v1/responses", "/v1/responses/compact", "/v1/chat/completions", "/v1/messages"} {
		list = append(list, ccproxy.PathAlias{Path: "/{session_id}" + path, Of: path})
	}
	return list
}

// socketRoute takes handshakes where requests are taken.
func socketRoute() ccproxy.RouteSpec {
	route := ccproxy.RouteSpec{Prefix: "/" + Name, New: newSocket}
	for _, pattern := range []string{"/v1/responses", "/responses", "/{session_id}/v1/responses"} {
		route.Endpoints = append(route.Endpoints, ccproxy.Endpoint{
			Method: http.MethodGet, Pattern: pattern, Summary: "OpenAI Responses over a WebSocket", WebSocket: true,
			Format: adapters.OpenAIResponses,
		})
	}
	return route
}

// configure refuses at Build what the toolkit would refuse when the plugin starts, and sets the rules for models.
func configure(cfg any, m *ccproxy.Manifest) error {
	c, ok := cfg.(*Config)
	if !ok {
		return nil
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("plugins.%s.base_url: must have no user, query or fragment: %w", Name, ccproxy.ErrConfig)
	}
	if _, err := newRules(c); err != nil {
		return err
	}
	if err := c.Accounts.Check("plugins." + Name + ".accounts"); err != nil {
		return err
	}
	m.Providers[0].ModelRules = c.modelRules()
	if !c.NoWebSocket {
		m.Routes = append(m.Routes, socketRoute())
	}
	return nil
}

// plugin is the runtime.
type plugin struct {
	pc       *ccproxy.PluginContext
	provider *provider
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	c, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	p.pc = pc
	p.provider, err = newProvider(pc, c)
	return err
}

// Shutdown implements [ccproxy.Plugin].
func (p *plugin) Shutdown(context.Context) error {
	if p.provider != nil {
		p.pc.HTTPClient.CloseIdleConnections()
	}
	return nil
}

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(ctx context.Context) ccproxy.Health {
	if p.provider == nil {
		return ccproxy.Health{}
	}
	return p.provider.Health(ctx)
}
