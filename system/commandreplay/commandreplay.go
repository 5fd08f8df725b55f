// Package commandreplay writes scripts that send requests again with curl, for whoever has to find out what an upstream
// makes of one. It is off by default.
//
// # Configuration
//
// The table [plugins.command_replay]; see [Config]. Without log_dir the plugin opts out.
//
// # Files
//
// Each request has a script for the POSIX shell, <time>_<request id>_<number>_<side>_curl.sh, and its body beside it,
// in a file of the same name that ends in _body. Both are of mode 0600, in a directory of mode 0700; number and size of
// all files are bounded at any moment: the oldest make room, but not for one that is larger than all may be, which is
// lost. A script is run with sh.
//
// While files cannot be written requests go on without. Health warns then and counts the requests that have no script
// (scripts_lost), and the log tells when that begins and when it is over, once a minute at most.
//
// Credentials are not in it: header fields and query keys that had one are variables of the environment, which the
// script asks for, such as REPLAY_X_API_KEY. Those in bodies are [REDACTED]. Whatever else a request has reaches curl
// as it was, and nothing of it is run or expanded.
//
// # Routes
//
// None.
//
// # Hooks
//
// It observes http.request: the proxy tells of what upstreams are sent, and request_tracer, if it runs, of what clients
// send.
//
// # Services
//
// None.
package commandreplay

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
	"github.com/ccproxy-go/ccproxy/internal/spool"
)

// Name is the plugin's name.
const Name = "command_replay"

// priority is before that of hooks that have none.
const priority = 200

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Writes scripts that send requests again with curl",
		DefaultOff: true, Config: ccproxy.ConfigFor(DefaultConfig),
		Hooks: []ccproxy.HookSpec{{
			Priority: priority, ReadOnly: true,
			New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return hooks.On(Name, p.observe), nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// plugin is the runtime. Its fields do not change once it is initialized.
type plugin struct {
	cfg      *Config
	scrubber *scrub.Scrubber
	budget   *spool.Budget
	files    *spool.Spool
	number   atomic.Uint64 // of the last script
	skipped  atomic.Int64  // requests that there was no memory for
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
	p.cfg, p.scrubber, p.budget = cfg, scrub.New(), spool.NewBudget(cfg.MaxMemory)
	p.files, err = spool.Open(spool.Options{
		Dir: cfg.LogDir, MaxFiles: cfg.MaxFiles, MaxBytes: cfg.MaxTotalSize, Owns: ownFile,
		Logger: pc.Logger,
	})
	if err != nil {
		return fmt.Errorf("log_dir: %w", err)
	}
	return nil
}

// Shutdown implements [ccproxy.Plugin]. The proxy has delivered all events before.
func (p *plugin) Shutdown(ctx context.Context) error { return p.files.Close(ctx) }

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	st := p.files.State()
	h := ccproxy.Health{Details: map[string]any{
		"files_written": st.Written, "scripts_lost": st.Lost + p.skipped.Load(),
	}}
	if st.Err != nil {
		h.Status, h.Output = ccproxy.HealthWarn, "scripts cannot be written: "+st.Err.Error()
	}
	return h
}

var _ ccproxy.HealthChecker = (*plugin)(nil)

func (p *plugin) observe(_ context.Context, hc *hooks.Context, req *hooks.HTTPRequest) error {
	if req == nil || !p.wanted(req) {
		return nil
	}
	if !p.budget.Take(len(req.Body)) {
		p.skipped.Add(1)
		return nil
	}
	side := "client"
	if req.Upstream {
		side = "provider"
	}
	base := fmt.Sprintf("%s_%s_%06d_%s", hc.Time.UTC().Format("20060102T150405.000000000Z"),
		spool.SafeName(req.ID), p.number.Add(1), side)
	taken := p.files.Put(func() []spool.File {
		defer p.budget.Return(len(req.Body))
		return p.script(base, req)
	})
	if !taken {
		p.budget.Return(len(req.Body))
	}
	return nil
}

// wanted reports whether a request has a script.
func (p *plugin) wanted(req *hooks.HTTPRequest) bool {
	if req.Upstream && !p.cfg.ProviderRequests || !req.Upstream && !p.cfg.ClientRequests {
		return false
	}
	return !has(req.URL, p.cfg.ExcludeURLs) && (len(p.cfg.IncludeURLs) == 0 || has(req.URL, p.cfg.IncludeURLs))
}

// has reports whether one of the patterns is in a URL.
func has(address string, patterns []string) bool {
	for _, pattern := range patterns {
		if strings.Contains(address, pattern) {
			return true
		}
	}
	return false
}

// ownFile tells the names of files that the plugin writes.
func ownFile(name string) bool {
	if name != filepath.Base(name) {
		return false
	}
	own := regexp.MustCompile(`^\d{8}T\d{6}\.\d{9}Z_[\w.-]*_\d{6,}_(?:client|provider)_(?:curl\.sh|body)$`)
	return own.MatchString(name)
}
