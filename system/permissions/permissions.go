// Package permissions has people decide whether a model may use a tool. Programs ask through MCP, HTTP or a service;
// people answer on a page, in a terminal or with whatever reads the events. The first answer wins.
//
// # Configuration
//
// The table [plugins.permissions]; see [Config]. The plugin is off by default:
//
//	[plugins.permissions]
//	enabled = true
//
// A question waits for an answer until it expires, which is a no, and so is everything that goes wrong. Nothing is
// stored: what is pending when the proxy drains is refused, since no answer can come any more.
//
// Whoever has a key may ask. Without approvers, whoever has one may answer too, and a program that is allowed to run
// commands could answer its own question with the key that it asks with: give people a key of their own, and name that
// key in approvers.
//
// # Routes
//
// All of them ask for a key where the settings have keys, but for the page itself, which holds nothing.
//
//   - POST /mcp: an MCP server (streamable HTTP, without sessions) with one tool, check_permission, made for the
//     --permission-prompt-tool of Claude Code. Its client has to send the key as a header:
//
//     {"mcpServers": {"confirmation": {"type": "http", "url": "http://127.0.0.1:8000/mcp",
//     "headers": {"Authorization": "Bearer KEY"}}}}
//
//     with which the tool is called mcp__confirmation__check_permission.
//
//   - POST /mcp/permission/check: the same without MCP. It takes tool_name, input, tool_use_id, and permission_id to
//     ask once more for the answer to a question that was put before; wait_seconds bounds the time until it answers,
//     with "pending" then.
//
//   - GET /permissions: the pending requests; ?status=all adds those that ended lately.
//
//   - GET /permissions/stream: the same as server-sent events: permission_request for each pending one and for those
//     that come, permission_resolved and permission_expired when they end. The first ping marks the end of what was
//     pending at the beginning; others follow when nothing else does.
//
//   - GET /permissions/{id}: one request.
//
//   - POST /permissions/{id}/respond: decides it, as in {"allowed": true, "reason": "…", "updated_input": {…}}. It is
//     404 for an id that is not there, 409 if somebody has answered, 410 if the time is over.
//
//   - GET /permissions/page: a page that shows the pending requests and answers them.
//
// # Commands
//
// "ccproxy permissions watch" asks at a terminal.
//
// # Services
//
// It provides "permissions", a [*Service], which the provider claude_sdk asks.
package permissions

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
)

// Name is the plugin's name, and that of its service.
const Name = "permissions"

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Has people decide whether a model may use a tool",
		DefaultOff: true, CLISafe: true, Config: ccproxy.ConfigFor(DefaultConfig), Provides: []string{Name},
		Routes: []ccproxy.RouteSpec{
			{Prefix: "/mcp", Tags: []string{Name}, Endpoints: askEndpoints(), New: handler((*routes).asks)},
			{
				Prefix: "/permissions", Tags: []string{Name}, Endpoints: answerEndpoints(),
				New: handler((*routes).answers),
			},
		},
		Commands: []ccproxy.CommandSpec{watchCommand()},
	}, func() ccproxy.Plugin { return &plugin{} })
}

func handler(of func(*routes) (http.Handler, error)) func(*ccproxy.PluginContext) (http.Handler, error) {
	return func(pc *ccproxy.PluginContext) (http.Handler, error) {
		p, err := ccproxy.RuntimeOf[*plugin](pc)
		if err != nil {
			return nil, err
		}
		return of(&routes{plugin: p, streams: pc.Streams, draining: pc.Draining()})
	}
}

// plugin is the runtime. Its fields do not change once it is initialized.
type plugin struct {
	cfg    *Config
	logger *slog.Logger
	desk   *desk
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) (err error) {
	if p.cfg, err = ccproxy.ConfigOf[Config](pc); err != nil {
		return err
	}
	p.logger, p.desk = pc.Logger, newDesk(p.cfg, pc.Draining())
	return pc.Provide(Name, &Service{p.desk})
}

// Shutdown implements [ccproxy.Plugin].
func (p *plugin) Shutdown(context.Context) error {
	if p.desk != nil {
		p.desk.close()
	}
	return nil
}

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	pending, kept, watching := p.desk.state()
	return ccproxy.Health{Details: map[string]any{"pending": pending, "kept": kept, "watchers": watching}}
}

var _ ccproxy.HealthChecker = (*plugin)(nil)
