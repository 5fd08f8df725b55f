// Package otel traces requests and measures them with OpenTelemetry, by the semantic conventions for HTTP and for
// generative AI. It is off by default, and a module of its own.
//
// # Configuration
//
// The table [plugins.otel]; see [Config]. Spans and metrics go to a collector (endpoint), or to providers that the
// application gives in code with ccproxy.WithPluginConfig. Neither changes OpenTelemetry's global providers.
//
// # Spans
//
// A client's request is a span of kind SERVER, such as "POST /claude/v1/messages", a child of the incoming traceparent.
// Each call of an upstream, retries and fallbacks included, is a child of kind CLIENT, such as "chat claude-opus-4-1",
// and the upstream is sent its traceparent. Calls of providers that send nothing by HTTP have spans, too.
//
// A provider that tries one account after the other calls its upstream several times with what was prepared once: each
// of these calls has a span, and all are sent the traceparent of the first.
//
// A span has ended when the whole answer has, streams included, once, however that came about: what failed or was cut
// off has status Error and error.type; a client that went away is client_gone, which is no error of the server's.
//
// A call's span also has the parameters that its upstream is sent, as far as they are in the body that is sent:
// gen_ai.request.max_tokens, temperature, top_p, top_k, stop_sequences, frequency_penalty, presence_penalty, seed and
// choice.count (unless it is 1), gen_ai.output.type, and openai.request.service_tier of OpenAI. The mutator that begins
// the span takes them, as events have no bodies: of spans that are recorded alone, in one pass over the body that it
// shares with other mutators, and without a copy of the messages. What is longer than a setting should be is left out.
//
// What people and models wrote is not in spans unless capture_content says so: gen_ai.input.messages and
// gen_ai.output.messages then, each a list of JSON that is left out where it would be too long. Nothing in it is
// redacted.
//
// # Metrics
//
// gen_ai.client.operation.duration, gen_ai.client.token.usage, gen_ai.client.operation.time_to_first_chunk and
// gen_ai.client.operation.time_per_output_chunk for calls of upstreams, http.server.request.duration for requests.
// Input tokens include those of caches. A model or an error type has metrics of its own as long as there is room for it
// and its name has at most 128 bytes.
//
// # Texts
//
// What clients and upstreams have written is in spans as UTF-8 and up to 1,024 bytes; content is bounded by
// max_content_size.
//
// # Collectors
//
// A collector that does not take what it is sent is a line in the proxy's log and a warning of the plugin's health. Its
// address is in neither, and no more are its own words.
//
// # Routes
//
// None.
//
// # Hooks
//
// A mutator of priority 900 begins the spans of calls and sets traceparent. It observes request.completed,
// request.failed, provider.response.received, provider.error and provider.stream.end. No event of a stream by itself
// costs anything.
//
// # Services
//
// None.
package otel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// Name is the plugin's name.
const Name = "otel"

const (
	// scope is the name of the instrumentation.
	scope = "github.com/ccproxy-go/ccproxy/system/otel"
	// version is that of the plugin.
	version = "1.0.0"
	// priority is after that of hooks that change what is sent.
	priority = 900
	// queue is how many events may wait.
	queue = 8192
	// sweepInterval is how often requests are looked for whose last event got lost.
	sweepInterval = 30 * time.Second
)

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: version, Description: "Spans and metrics for OpenTelemetry", DefaultOff: true,
		Config: ccproxy.ConfigFor(DefaultConfig),
		Configure: func(cfg any, _ *ccproxy.Manifest) error {
			c, ok := cfg.(*Config)
			if !ok {
				return nil
			}
			return c.check()
		},
		Hooks: []ccproxy.HookSpec{{
			Priority: priority, Queue: queue, ReadOnly: true,
			New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return hook{p}, nil
			},
		}},
		Middleware: []ccproxy.MiddlewareSpec{{
			Layer: middleware.LayerObservability,
			New: func(pc *ccproxy.PluginContext) (middleware.Func, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return p.serve, nil
			},
		}},
		Tasks: []ccproxy.TaskSpec{{
			Name: "sweep", Interval: sweepInterval,
			New: func(pc *ccproxy.PluginContext) (func(context.Context) error, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return func(context.Context) error { p.live.sweep(time.Now().Add(-sweepInterval)); return nil }, nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// plugin is the runtime. Its fields do not change once it is initialized.
type plugin struct {
	cfg        *Config
	tracer     trace.Tracer
	meters     *instruments
	propagator propagation.TextMapPropagator
	models     names
	errors     names
	live       requests
	own        pipeline // what the plugin made itself, for an endpoint
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(ctx context.Context, pc *ccproxy.PluginContext) error {
	cfg, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	if cfg.Endpoint.IsZero() && cfg.TracerProvider == nil && cfg.MeterProvider == nil {
		return fmt.Errorf("%w: no endpoint, and no provider of the application's", ccproxy.ErrSkip)
	}
	p.cfg = cfg
	p.models.max, p.errors.max = cfg.MaxModels, maxErrorTypes
	p.propagator = propagation.TextMapPropagator(propagation.TraceContext{})
	if cfg.Propagator != nil {
		p.propagator = cfg.Propagator
	}
	tracers, meters, err := p.own.open(ctx, cfg, pc.Logger)
	if err != nil {
		return err
	}
	p.tracer = tracers.Tracer(scope, trace.WithInstrumentationVersion(version))
	p.meters, err = newInstruments(meters)
	return err
}

// Shutdown implements [ccproxy.Plugin]. The proxy has delivered all events before.
func (p *plugin) Shutdown(ctx context.Context) error {
	p.live.sweep(time.Now().Add(time.Hour))
	return p.own.close(ctx)
}

var errExport = errors.New("the collector did not take all spans and metrics")

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	under, skipped := p.live.counts()
	h := ccproxy.Health{Details: map[string]any{"requests_under_way": under, "requests_without_calls": skipped}}
	if reason := p.own.state(); reason != "" {
		h.Status, h.Output = ccproxy.HealthWarn, "the collector does not take what it is sent: "+reason
	}
	return h
}

var _ ccproxy.HealthChecker = (*plugin)(nil)

// orElse is the first text that is not empty.
func orElse(texts ...string) string { return cmp.Or(texts...) }
