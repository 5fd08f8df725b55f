// Package accesslog writes one line for each request when it has ended, streams included: to the plugin's logger, to
// a file, or to a writer of the application's.
//
// # Configuration
//
// The table [plugins.access_log]; see [Config]. With client_enabled = false the plugin opts out. Without
// client_log_file it writes no file: each request is a record of level INFO in the proxy's log.
//
// A structured line is a JSON object of these members, of which those without a value are left out: timestamp (of the
// request's arrival), request_id, method, path, query, status_code, duration_ms, client_ip, user_agent, body_size (of
// the request), error, endpoint, model, service_type (the provider), tokens_input, tokens_output, cost_usd. The formats
// common and combined are those of the Apache HTTP server; since events do not tell a request's protocol, it is always
// HTTP/1.1 there.
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
// access_log observes request.completed and request.failed, with priority 750.
//
// # Services
//
// None.
package accesslog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
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
		Config: ccproxy.ConfigFor(DefaultConfig),
		Hooks: []ccproxy.HookSpec{{
			Priority: priority, Queue: queue,
			New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return hooks.Observe(Name, p.observe, hooks.EventRequestCompleted, hooks.EventRequestFailed), nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// plugin is the runtime. Its fields do not change once it is initialized.
type plugin struct {
	cfg    *Config
	logger *slog.Logger
	out    io.Writer // takes whole lines; nil means the logger
	file   *file     // the one that out is, if it is one
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	cfg, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	if !cfg.ClientEnabled {
		return fmt.Errorf("%w: client_enabled = false", ccproxy.ErrSkip)
	}
	p.cfg, p.logger, p.out = cfg, pc.Logger, cfg.Writer
	if p.out != nil || cfg.ClientLogFile == "" {
		return nil
	}
	p.file = &file{path: cfg.ClientLogFile, batch: cfg.BufferSize, interval: cfg.FlushInterval, logger: pc.Logger}
	p.out = p.file
	return p.file.open()
}

// Shutdown implements [ccproxy.Plugin]. The proxy has delivered all events before.
func (p *plugin) Shutdown(context.Context) error {
	if p.file == nil {
		return nil
	}
	return p.file.close()
}

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	if p.file == nil {
		return ccproxy.Health{}
	}
	lost, err := p.file.state()
	h := ccproxy.Health{Details: map[string]any{"lost_lines": lost}}
	if err != nil {
		h.Status, h.Output = ccproxy.HealthWarn, "the log file cannot be written: "+err.Error()
	}
	return h
}

var _ ccproxy.HealthChecker = (*plugin)(nil)

func (p *plugin) observe(ctx context.Context, hc *hooks.Context) error {
	e, ok := newEntry(hc)
	if !ok || p.excluded(e.req.Path) {
		return nil
	}
	if p.out != nil {
		_, err := p.out.Write(append(e.line(p.cfg.ClientFormat), '\n'))
		return err
	}
	attrs := e.attrs()
	if p.cfg.ClientFormat != FormatStructured {
		attrs = []slog.Attr{slog.String("line", string(e.line(p.cfg.ClientFormat)))}
	}
	p.logger.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
	return nil
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
