// Package accesslog writes one line for each request when it has ended, streams included: to the plugin's logger, to
// a file, or to a writer of the application's. If asked to, it does the same for each call of a provider.
//
// # Configuration
//
// The table [plugins.access_log]; see [Config]. With client_enabled = false and without provider_enabled the plugin
// opts out. Without client_log_file it writes no file: each request is a record of level INFO in the proxy's log.
//
// Files are rotated by the system's own tools: when a file has been renamed or removed, the next lines begin a new one,
// and nothing has to be told to the proxy (logrotate without copytruncate and postrotate).
//
// A structured line is a JSON object of these members, of which those without a value are left out: timestamp (of the
// request's arrival), request_id, method, path, query, status_code, duration_ms, client_ip, user_agent, body_size (of
// the request), error, endpoint, model, service_type (the provider), tokens_input, tokens_output, cost_usd. The formats
// common and combined are those of the Apache HTTP server; since events do not tell a request's protocol, it is always
// HTTP/1.1 there.
//
// With provider_enabled = true there is a line for each call of a provider, retries and fallbacks included, written
// when the call has ended. Its members are timestamp (of the call), request_id, provider, method, url, status_code,
// duration_ms, tokens_input, tokens_output, cache_read_tokens, cache_write_tokens, cost_usd, model, attempt and error.
// In the common and combined formats the host is the provider's.
//
// Package analytics of system/analytics stores the same requests: both are told of them by the same events, so a line
// and a record of one request have the same figures, and either works without the other.
//
// The status is what the client was sent. 499 tells that the client went away first, which a stream shows although
// it began with 200. Whatever a client sends stays within its field: line ends, quotes, control characters, terminal
// sequences and other text that does not print are escaped in every format.
//
// # Routes
//
// None.
//
// # Hooks
//
// access_log observes request.completed and request.failed, with priority 750; with provider_enabled = true also
// provider.request.prepared, provider.response.received, provider.error and provider.stream.end.
//
// # Services
//
// It uses "pricing" if there is one, see [Pricer]; without, lines have no cost.
package accesslog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// Name is the plugin's name.
const Name = "access_log"

const (
	priority = 750
	// queue is how many requests may end while a line is being written: disks can stop for a while.
	queue = 8192
)

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Writes a line for each request",
		Config: ccproxy.ConfigFor(DefaultConfig), OptionalRequires: []string{pricing},
		Hooks: []ccproxy.HookSpec{{
			Priority: priority, Queue: queue, ReadOnly: true,
			New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return hooks.Observe(Name, p.observe, p.events()...), nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// plugin is the runtime. Its fields do not change once it is initialized.
type plugin struct {
	cfg      *Config
	client   *sink // nil if clients' requests are not logged
	provider *sink // nil if calls of providers are not logged
	calls    calls
	prices   Pricer // nil if nobody knows prices
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	cfg, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	if !cfg.ClientEnabled && !cfg.ProviderEnabled {
		return fmt.Errorf("%w: client_enabled = false", ccproxy.ErrSkip)
	}
	p.cfg = cfg
	p.prices, err = ccproxy.ServiceOf[Pricer](pc, pricing)
	if err != nil && !errors.Is(err, ccproxy.ErrUnknownService) {
		return err
	}
	if cfg.ClientEnabled {
		p.client = &sink{message: "request", format: cfg.ClientFormat, logger: pc.Logger, out: cfg.Writer}
		if err := p.client.open(cfg, cfg.ClientLogFile); err != nil {
			return err
		}
	}
	if cfg.ProviderEnabled {
		p.provider = &sink{
			message: "provider request", format: cfg.ProviderFormat, logger: pc.Logger, out: cfg.ProviderWriter,
		}
		return p.provider.open(cfg, cfg.ProviderLogFile)
	}
	return nil
}

// Shutdown implements [ccproxy.Plugin]. The proxy has delivered all events before.
func (p *plugin) Shutdown(context.Context) error {
	return errors.Join(p.client.close(), p.provider.close())
}

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	h := ccproxy.Health{}
	if p.provider != nil {
		h.Details = map[string]any{"calls_without_line": p.calls.skipped.Load()}
	}
	for _, s := range []*sink{p.client, p.provider} {
		if s == nil || s.file == nil {
			continue
		}
		lost, err := s.file.state()
		if h.Details == nil {
			h.Details = make(map[string]any)
		}
		key := "lost_lines"
		if s == p.provider {
			key = "lost_provider_lines"
		}
		h.Details[key] = lost
		if err != nil {
			h.Status, h.Output = ccproxy.HealthWarn, "the log file cannot be written: "+err.Error()
		}
	}
	return h
}

var _ ccproxy.HealthChecker = (*plugin)(nil)

// events are those that the plugin has to be told of.
func (p *plugin) events() []hooks.Event {
	all := []hooks.Event{hooks.EventRequestCompleted, hooks.EventRequestFailed}
	if p.provider != nil {
		all = append(all, hooks.EventProviderRequestPrepared, hooks.EventProviderResponseReceived,
			hooks.EventProviderError, hooks.EventProviderStreamEnd)
	}
	return all
}

func (p *plugin) observe(ctx context.Context, hc *hooks.Context) error {
	cost := p.cost(hc)
	var err error
	if p.provider != nil {
		err = p.observeCalls(ctx, hc, cost)
	}
	e := newEntry(hc)
	if p.client == nil || e == nil || p.excluded(e.req.Path) {
		return err
	}
	e.cost = cost
	return errors.Join(err, p.client.write(ctx, e))
}

// observeCalls writes a line for each call of a provider that has ended with an event. If its request has, too, that
// had a cost.
func (p *plugin) observeCalls(ctx context.Context, hc *hooks.Context, cost float64) error {
	var errs []error
	for _, c := range p.calls.observe(hc) {
		c.cost = cost
		errs = append(errs, p.provider.write(ctx, c))
	}
	return errors.Join(errs...)
}

// excluded reports whether a path is one of the excluded ones or below one.
func (p *plugin) excluded(path string) bool {
	for _, prefix := range p.cfg.ExcludePaths {
		rest, ok := strings.CutPrefix(path, strings.TrimRight(prefix, "/"))
		if ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}
