// Package dashboard shows a proxy at work on one page: requests as they come, tokens, cost and durations over time,
// models, providers, credentials, plugins and errors.
//
// # Configuration
//
// The table [plugins.dashboard]; see [Config]. The plugin is off by default:
//
//	[plugins.dashboard]
//	enabled = true
//
// Figures are kept in memory, for each minute of the last 24 hours, and begin anew with the proxy. With the plugin
// analytics there are those of the last 7 and 30 days, too.
//
// # Routes
//
//   - GET /dashboard: the page, and GET /dashboard/assets/… what it is made of. They hold no figures, and anybody may
//     have them.
//   - GET /dashboard/data: the figures as JSON, for the time that ?range=1h, 6h, 24h, 7d or 30d says.
//   - GET /dashboard/events: the same as server-sent events. "figures" comes first and whenever they have changed,
//     "requests" has those that began or ended since the event before; what a slow client misses is put together, so
//     that nothing queues up for it.
//   - POST /dashboard/session: logs a browser in, DELETE logs it out, GET tells whether it has to.
//
// Figures and logins ask for a key where the settings have keys. Browsers cannot send one by themselves: the page asks
// for it once, sends it as the bearer token of POST /dashboard/session, forgets it and has a cookie in its place:
// a random one that only these routes take, that no script and no other site can use, and that ends with the proxy.
// A host that authenticates by itself ([ccproxy.ContextWithCaller]) needs none of that.
//
// All links are relative, so the page works below any prefix that the proxy is mounted at.
//
// # Hooks
//
// It observes request.started, request.completed and request.failed, with priority 760.
//
// # Services
//
// It uses "pricing" and "analytics" if they are there, see [Pricer] and [Historian].
package dashboard

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// Name is the plugin's name.
const Name = "dashboard"

const (
	prefix   = "/dashboard"
	priority = 760
	// queue is how many events may wait while figures are being read.
	queue = 8192
	// layerSession is that of the middleware that knows browsers again: before keys are asked for, and after web pages
	// of foreign origins were refused.
	layerSession middleware.Layer = 95
)

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "One page that shows the proxy at work", DefaultOff: true,
		OptionalRequires: []string{pricing, history},
		Config:           ccproxy.ConfigFor(DefaultConfig),
		Hooks: []ccproxy.HookSpec{{
			Priority: priority, Queue: queue, ReadOnly: true,
			New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return hooks.Observe(Name, p.observe,
					hooks.EventRequestStarted, hooks.EventRequestCompleted, hooks.EventRequestFailed), nil
			},
		}},
		Middleware: []ccproxy.MiddlewareSpec{{
			Name: "dashboard_session", Layer: layerSession,
			New: func(pc *ccproxy.PluginContext) (middleware.Func, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return p.sessions.recognize, nil
			},
		}},
		Routes: []ccproxy.RouteSpec{{
			Prefix: prefix, Tags: []string{Name}, Endpoints: endpoints(),
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return p.handler(pc)
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// plugin is the runtime. Its fields do not change once it is initialized.
type plugin struct {
	cfg       *Config
	logger    *slog.Logger
	prices    Pricer    // nil if nobody knows prices
	historian Historian // nil if nobody keeps figures for long
	board     *board
	archive   archive
	overview  *overview
	sessions  *sessions
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) (err error) {
	if p.cfg, err = ccproxy.ConfigOf[Config](pc); err != nil {
		return err
	}
	if p.prices, err = optional[Pricer](pc, pricing); err != nil {
		return err
	}
	if p.historian, err = optional[Historian](pc, history); err != nil {
		return err
	}
	p.logger = pc.Logger
	p.board = newBoard(p.cfg)
	p.overview = &overview{plugins: pc.Plugins}
	p.sessions = &sessions{ttl: p.cfg.SessionTTL, publicURL: pc.PublicURL()}
	return nil
}

// Shutdown implements [ccproxy.Plugin].
func (p *plugin) Shutdown(context.Context) error {
	if p.sessions != nil {
		p.sessions.close()
	}
	return nil
}

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	return ccproxy.Health{Details: map[string]any{
		"viewers": p.board.watching(), "sessions": p.sessions.open(),
	}}
}

var _ ccproxy.HealthChecker = (*plugin)(nil)

func (p *plugin) observe(_ context.Context, hc *hooks.Context) error {
	if e, ok := hc.Payload.(*hooks.RequestStarted); ok {
		if e != nil && !p.excluded(e.Path) {
			p.board.begin(newStarted(hc, e))
		}
		return nil
	}
	r, ok := p.newRequest(hc)
	if ok && !p.excluded(r.path) {
		p.board.end(r)
	}
	return nil
}

// excluded reports whether a path is one of the excluded ones or below one.
func (p *plugin) excluded(path string) bool {
	return slices.ContainsFunc(p.cfg.ExcludePaths, func(prefix string) bool {
		rest, ok := strings.CutPrefix(path, strings.TrimRight(prefix, "/"))
		return ok && (rest == "" || rest[0] == '/')
	})
}

// span is a time that figures are shown for.
type span struct {
	name   string
	length time.Duration
	step   time.Duration // between two points
	stored bool          // by the plugin analytics
}

// spans are those that can be asked for, the first by default.
func spans() []span {
	const day = 24 * time.Hour
	return []span{
		{name: "1h", length: time.Hour, step: time.Minute},
		{name: "6h", length: 6 * time.Hour, step: 5 * time.Minute},
		{name: "24h", length: day, step: 20 * time.Minute},
		{name: "7d", length: 7 * day, step: 2 * time.Hour, stored: true},
		{name: "30d", length: 30 * day, step: day, stored: true},
	}
}

// span finds the one of a name; there is none for what nobody keeps figures for.
func (p *plugin) span(name string) (span, error) {
	for _, s := range spans() {
		if (s.name == name || name == "") && (!s.stored || p.historian != nil) {
			return s, nil
		}
	}
	return span{}, fmt.Errorf("range: must be one of %s", strings.Join(p.spanNames(), ", "))
}

func (p *plugin) spanNames() []string {
	var names []string
	for _, s := range spans() {
		if !s.stored || p.historian != nil {
			names = append(names, s.name)
		}
	}
	return names
}
