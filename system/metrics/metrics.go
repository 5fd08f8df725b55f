// Package metrics counts requests, tokens, cost and failures for Prometheus.
//
// # Configuration
//
// The table [plugins.metrics]; see [Config]. The plugin is off by default:
//
//	[plugins.metrics]
//	enabled = true
//
// Labels are bounded. An endpoint is a route's template, never a path. A model has series of its own when it has
// answered, and max_models at most have; the others are "other", and so are names of more than 128 bytes. With the
// defaults, one provider that is asked in three dialects, at its own routes and at those of all providers, has less
// than 2,000 series.
//
// [Dashboard] and [Alerts] are a dashboard for Grafana and rules for Prometheus, which go with the default namespace.
//
// # Routes
//
// GET /metrics, in the text format of Prometheus or in OpenMetrics as asked for. It is protected as the rest is, so
// Prometheus needs one of the proxy's keys as its bearer token.
//
// # Hooks
//
// It observes request.*, provider.* but for the single events of streams, and oauth.refresh.response.
//
// # Services
//
// It uses pricing, if that runs, and counts cost then.
package metrics

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/push"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// Name is the plugin's name.
const Name = "metrics"

// queue is how many events may wait while figures are being read.
const queue = 8192

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Figures for Prometheus", DefaultOff: true,
		OptionalRequires: []string{"pricing"},
		Config:           ccproxy.ConfigFor(DefaultConfig),
		Configure:        configure,
		Hooks: []ccproxy.HookSpec{{
			Queue: queue, ReadOnly: true,
			New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return hooks.Observe(Name, p.observe, observed()...), nil
			},
		}},
		Middleware: []ccproxy.MiddlewareSpec{{
			Layer: middleware.LayerObservability,
			New: func(pc *ccproxy.PluginContext) (middleware.Func, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return p.count, nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// configure adds what only some configurations want: the route, and the task that pushes.
func configure(cfg any, m *ccproxy.Manifest) error {
	c, ok := cfg.(*Config)
	if !ok {
		return nil
	}
	if err := c.check(); err != nil {
		return err
	}
	if c.Endpoint {
		m.Routes = append(m.Routes, ccproxy.RouteSpec{
			Prefix: "/metrics", Tags: []string{Name},
			Endpoints: []ccproxy.Endpoint{{Summary: "Figures in the format of Prometheus"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}), nil
			},
		})
	}
	if !c.PushURL.IsZero() {
		m.Tasks = append(m.Tasks, ccproxy.TaskSpec{
			Name: "push", Interval: c.PushInterval, Timeout: c.PushInterval,
			New: func(pc *ccproxy.PluginContext) (func(context.Context) error, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return p.push, nil
			},
		})
	}
	return nil
}

// prices are what the plugin wants of the service pricing.
type prices interface {
	Cost(u *hooks.Usage, models ...string) (picodollars int64, err error)
}

// plugin is the runtime.
type plugin struct {
	cfg        *Config
	registry   *prometheus.Registry
	series     *series
	streams    streams
	models     names
	errorTypes names
	prices     prices // nil where nobody knows any
	client     *http.Client
	external   external
}

// maxErrorTypes bounds a label: types of errors come from upstreams too.
const maxErrorTypes = 30

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(ctx context.Context, pc *ccproxy.PluginContext) error {
	cfg, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	p.cfg, p.client = cfg, pc.HTTPClient
	p.models.max, p.errorTypes.max = cfg.MaxModels, maxErrorTypes
	p.registry = prometheus.NewRegistry()
	p.series = newSeries(cfg, p.registry)
	p.streams.gauge = p.series.streams
	p.registry.MustRegister(newStates(cfg, pc.Plugins))
	if p.prices, err = ccproxy.ServiceOf[prices](pc, "pricing"); err != nil {
		p.prices = nil
		if !errors.Is(err, ccproxy.ErrUnknownService) {
			return err
		}
	}
	if cfg.Registerer == nil {
		return nil
	}
	p.external.to, p.external.registry = cfg.Registerer, p.registry
	waits, err := p.external.register()
	if waits {
		pc.Logger.WarnContext(ctx, "another proxy has registered these metrics still: ours follow when it ends")
		pc.Go("register", p.external.wait)
	}
	return err
}

// Shutdown implements [ccproxy.Plugin].
func (p *plugin) Shutdown(ctx context.Context) error {
	p.external.unregister()
	if p.series == nil || p.cfg.PushURL.IsZero() {
		return nil
	}
	return p.push(ctx)
}

// count keeps the number of requests that are being answered.
func (p *plugin) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.series.active.Inc()
		defer p.series.active.Dec()
		next.ServeHTTP(w, r)
	})
}

// push sends all figures to the Pushgateway.
func (p *plugin) push(ctx context.Context) error {
	err := push.New(p.cfg.PushURL.Reveal(), p.cfg.PushJob).Gatherer(p.registry).Client(p.client).PushContext(ctx)
	if err != nil {
		return errPush // the error itself has the address, and that may have a password
	}
	return nil
}

var errPush = errors.New("the Pushgateway did not take the figures")
