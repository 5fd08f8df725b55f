// Package pricing knows what models cost.
//
// A list of the prices of Anthropic and OpenAI is part of the package, with its date ([Prices.Source]); a newer
// one can be fetched, and prices of one's own come on top. Sums are whole picodollars ([Amount]): nothing is
// rounded after a price was read. A model without a price is an error that names the nearest ones, and never costs
// nothing.
//
// Prices tell input, output, reads and both kinds of writes of prompt caches apart, the tiers batch, flex and
// priority as far as the answer names them, and prompts so long that they cost more. What they do not cover: tools
// of the upstream that cost by the call, and regional surcharges. A call of which the provider says itself what it
// cost, as claude_sdk does, costs that.
//
// # Configuration
//
// The table [plugins.pricing]; see [Config]. By default nothing is fetched, no file is written, and no route is
// open.
//
//	[plugins.pricing]
//	routes = true
//	[[plugins.pricing.models]]
//	model = "house-model"
//	input = "0.20"   # US dollars for a million tokens
//	output = "0.80"
//
// With source_url the list is fetched when the plugin starts, off the path of the start, and then once in
// refresh_interval; it is not fetched anew while it has not changed (ETag). A list that cannot be had or read
// leaves the prices as they are, shows in the plugin's health, and is tried again after an hour.
//
// # Routes
//
// With routes = true:
//
//   - GET /pricing lists the prices, with source and date.
//   - GET /pricing/lookup?model=NAME shows that of one model, or 404 with the nearest names.
//
// # Hooks
//
// None.
//
// # Services
//
// pricing is a *[Prices]. A plugin that uses it declares the methods that it needs:
//
//	type prices interface {
//		Cost(u *hooks.Usage, models ...string) (picodollars int64, err error)
//	}
//	svc, err := ccproxy.ServiceOf[prices](pc, "pricing")
package pricing

import (
	"context"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
)

// Name is the plugin's name, and that of its service.
const Name = "pricing"

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Knows what models cost",
		Provides: []string{Name},
		Config:   ccproxy.ConfigFor(DefaultConfig),
		Configure: func(cfg any, m *ccproxy.Manifest) error {
			c, ok := cfg.(*Config)
			if !ok {
				return ccproxy.ErrServiceType
			}
			if c.Routes {
				m.Routes = routes()
			}
			_, err := New(c)
			return err
		},
	}, func() ccproxy.Plugin { return &plugin{} })
}

func routes() []ccproxy.RouteSpec {
	return []ccproxy.RouteSpec{{
		Prefix: "/pricing", Endpoints: []ccproxy.Endpoint{
			{Summary: "List what models cost"},
			{Pattern: "/lookup", Summary: "Show what a model costs"},
		},
		New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
			p, err := ccproxy.RuntimeOf[*plugin](pc)
			if err != nil {
				return nil, err
			}
			return handler{p.prices}, nil
		},
	}}
}

// plugin is the runtime.
type plugin struct {
	prices *Prices
	feed   *feed // nil if nothing is fetched
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	cfg, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	if p.prices, err = New(cfg); err != nil {
		return err
	}
	if cfg.SourceURL != "" {
		p.feed = &feed{prices: p.prices, cfg: cfg, client: pc.HTTPClient, logger: pc.Logger}
		pc.Go("refresh", p.feed.run)
	}
	return pc.Provide(Name, p.prices)
}

// Shutdown implements [ccproxy.Plugin].
func (*plugin) Shutdown(context.Context) error { return nil }

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	source, date := p.prices.Source()
	models := len(p.prices.now.Load().prices)
	h := ccproxy.Health{Details: map[string]any{"source": source, "date": date, "models": models}}
	if p.feed == nil {
		return h
	}
	if err := p.feed.state(); err != nil {
		h.Status, h.Output = ccproxy.HealthWarn, "newer prices are not to be had: "+err.Error()
	}
	return h
}

var _ ccproxy.HealthChecker = (*plugin)(nil)
