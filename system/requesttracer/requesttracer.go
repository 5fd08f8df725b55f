// Package requesttracer writes what clients and the proxy, and the proxy and its upstreams, say to each other to files,
// for whoever has to find out why a request went wrong. It is off by default.
//
// # Configuration
//
// The table [plugins.request_tracer]; see [Config]. Without log_dir the plugin opts out. The plugin goes by the name
// raw_http_logger, too, with a table of that name and the same keys; there it writes no JSON unless told to.
//
// # Files
//
// Each message has a file of JSON and one of raw HTTP, of mode 0600, in one directory of mode 0700:
//
//	<time>_<request id>_<number>_<stage>.json
//	<time>_<request id>_<number>_<stage>.http
//
// with the stages client_request, client_response, provider_request and provider_response. The number tells messages
// of one moment apart; call counts the calls of upstreams for one request. Number and size of all files are bounded at
// any moment: the oldest make room, but not for one that is larger than all may be, which is lost. Files are written
// when an exchange has ended, by a goroutine of their own.
//
// While files cannot be written requests go on without. Health warns then and counts the exchanges that lost a file
// (traces_lost), and the log tells when that begins and when it is over, once a minute at most.
//
// Credentials are replaced by [REDACTED]: header fields, URLs, members of JSON that are named like one, what looks like
// a key of a well-known service, and those of the request itself wherever they come up. What people and models wrote
// stays: a trace is as private as the conversation. Exchanges with token endpoints are not traced.
//
// An answer that did not come to its end says why, on both sides: the member error of the JSON document, and the field
// X-Trace-Error, the last of the head, of raw HTTP, which no message has of its own there. Such is one whose client is
// gone or whose upstream broke it off, and a stream that ends with an error or without its last event.
//
// A body longer than max_body_size is cut off, and says so, and so is one that max_memory has no room for; an encoded
// one (Content-Encoding) is left out, because nobody could tell what is secret in it. The events of a stream are kept
// as they came; the JSON document has what they add up to besides: text, thinking, calls of tools, usage.
//
// # Routes
//
// None.
//
// # Hooks
//
// It observes none. It emits http.request for clients' requests that it traces, with the body redacted, once they have
// been answered; events of the proxy's own tell of upstreams alone.
//
// # Services
//
// None.
package requesttracer

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
	"github.com/ccproxy-go/ccproxy/internal/spool"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// Name is the plugin's name, and Alias the one that it goes by, too.
const (
	Name  = "request_tracer"
	Alias = "raw_http_logger"
)

// Factory returns the plugin.
func Factory() ccproxy.Factory { return factory(Name, DefaultConfig) }

// AliasFactory returns the plugin as raw_http_logger, which writes raw HTTP only unless it is told otherwise.
func AliasFactory() ccproxy.Factory {
	return factory(Alias, func() *Config {
		c := DefaultConfig()
		c.JSONLogs = false
		return c
	})
}

func factory(name string, defaults func() *Config) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: name, Version: "1.0.0", Description: "Writes requests and answers of clients and upstreams to files",
		DefaultOff: true, Config: ccproxy.ConfigFor(defaults),
		Middleware: []ccproxy.MiddlewareSpec{{
			Layer: middleware.LayerObservability,
			New: func(pc *ccproxy.PluginContext) (middleware.Func, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return p.trace, nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// plugin is the runtime. Its fields do not change once it is initialized.
type plugin struct {
	cfg      *Config
	hooks    ccproxy.HookRegistry
	scrubber *scrub.Scrubber
	budget   *spool.Budget
	files    *spool.Spool
	dropped  map[string]bool // fields that are left out, by their names in lower case
	number   atomic.Uint64   // of the last file
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	cfg, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	if cfg.LogDir == "" {
		return fmt.Errorf("%w: no log_dir", ccproxy.ErrSkip)
	}
	p.cfg, p.hooks, p.scrubber, p.budget = cfg, pc.Hooks, scrub.New(), spool.NewBudget(cfg.MaxMemory)
	p.dropped = make(map[string]bool)
	for _, name := range cfg.ExcludeHeaders {
		p.dropped[strings.ToLower(name)] = true
	}
	p.files, err = spool.Open(spool.Options{
		Dir: cfg.LogDir, MaxFiles: cfg.MaxFiles, MaxBytes: cfg.MaxTotalSize, Owns: ownFile,
		Logger: pc.Logger,
	})
	if err != nil {
		return fmt.Errorf("log_dir: %w", err)
	}
	return nil
}

// Shutdown implements [ccproxy.Plugin]. The proxy has answered all requests before.
func (p *plugin) Shutdown(ctx context.Context) error { return p.files.Close(ctx) }

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	st := p.files.State()
	h := ccproxy.Health{Details: map[string]any{"files_written": st.Written, "traces_lost": st.Lost}}
	if st.Err != nil {
		h.Status, h.Output = ccproxy.HealthWarn, "traces cannot be written: "+st.Err.Error()
	}
	return h
}

var _ ccproxy.HealthChecker = (*plugin)(nil)

// wanted reports whether requests for a path are traced.
func (p *plugin) wanted(path string) bool {
	return !below(path, p.cfg.ExcludePaths) && (len(p.cfg.IncludePaths) == 0 || below(path, p.cfg.IncludePaths))
}

// below reports whether a path is one of the prefixes or below one.
func below(path string, prefixes []string) bool {
	for _, prefix := range prefixes {
		rest, ok := strings.CutPrefix(path, strings.TrimRight(prefix, "/"))
		if ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// trace is the middleware.
func (p *plugin) trace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.wanted(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		c := p.client(w, r)
		defer c.end()
		next.ServeHTTP(c.writer, c.request)
		c.returned = true
	})
}
