// Package analytics keeps a record of every request, with its tokens, cost, times and outcome, in SQLite or PostgreSQL,
// and answers questions about them: pages of records, sums, and what happens at the moment.
//
// # Configuration
//
// The table [plugins.analytics]; see [Config]. The plugin is off by default. With enabled = true alone, the latest
// records are kept in memory and no file is made.
//
// Records are written in batches, beside the requests: nothing waits for the database. A shutdown writes what is left.
// A process that is killed loses the records of the batch that was not written yet, which are those of the last
// flush_interval, batch_size at most while the database keeps up. While it does not, up to queue_size records wait;
// those on top are dropped and counted. The plugin's health tells how many were written, wait and were dropped.
//
// # Sums
//
// Sums over whole hours come from tables of sums that are kept along with the records: one by hours and models, one by
// hours and accounts, and one by days and callers, each by provider, status and outcome, too. They are exact: a record
// is in them as soon as it is stored, and no longer when it is deleted. What a question has of hours (or days, where
// callers are asked for) at its begin and end that are not whole is added up record by record, and so is all of it that
// asks for sessions, durations, hours of callers, or two of models, accounts and callers.
//
// A database of before there were such tables gets them while it is in use; until then, sums over old records take
// longer. No older version of the plugin may write to it at the same time.
//
// # Routes
//
// All of them ask for a key where the settings have keys.
//
//   - GET /logs/query: records, the latest first, in pages. The parameters are those of every filter (start_time and
//     end_time as seconds since 1970 or RFC 3339; model, provider, caller, account, session and outcome as lists
//     "a,b" or "!a"; status as 429 or 5xx, status_code_min, status_code_max, min_duration_ms, max_duration_ms), and
//     limit (1 to 10000), order (asc or desc) and cursor, which is next_cursor of the page before.
//   - GET /logs/analytics: sums over the last hours (1 to 168, by default 24) or from start_time on, over every
//     filter, in all, by provider, and by the dimensions of group_by (hour, day, model, provider, caller, account,
//     outcome).
//   - GET /logs/stream: records as they come, as server-sent events of type "log". A client that does not read fast
//     enough is sent an event "overflow" and is let go.
//   - POST /logs/reset: deletes everything, be it written or not; requests that are under way leave no record either.
//     It exists only with reset_enabled = true. The file of SQLite is made small and has nothing of them any more,
//     unless somebody else reads it at that moment; what retention deletes is overwritten in time.
//
// # Hooks
//
// analytics observes request.completed and request.failed, with priority 750.
//
// # Services
//
// It provides "analytics", a [*Service], and uses "pricing" if there is one, see [Pricer], unless the provider says
// itself what a call cost. Without a price the cost is unknown, never zero.
package analytics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// Name is the plugin's name, and that of its service.
const Name = "analytics"

const (
	priority = 750
	// hookQueue is how many requests may end before the first of them is looked at.
	hookQueue     = 8192
	pruneInterval = 10 * time.Minute
	memoryRecords = 100_000
)

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Keeps a record of every request and answers questions about them",
		DefaultOff: true, Config: ccproxy.ConfigFor(DefaultConfig), Configure: configure,
		Provides: []string{Name}, OptionalRequires: []string{pricing},
		Hooks: []ccproxy.HookSpec{{
			Priority: priority, Queue: hookQueue, ReadOnly: true,
			New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return hooks.Observe(Name, p.observe, hooks.EventRequestCompleted, hooks.EventRequestFailed), nil
			},
		}},
		Tasks: []ccproxy.TaskSpec{{
			Name: "retention", Interval: pruneInterval, Immediate: true, Timeout: pruneInterval,
			New: func(pc *ccproxy.PluginContext) (func(context.Context) error, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return p.prune, nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// configure declares the routes that the configuration asks for.
func configure(cfg any, m *ccproxy.Manifest) error {
	c, ok := cfg.(*Config)
	if !ok {
		return fmt.Errorf("analytics: configuration is %T: %w", cfg, ccproxy.ErrConfig)
	}
	chosen := 0
	for _, set := range []bool{c.Path != "", !c.Postgres.IsZero(), c.Store != nil} {
		chosen += int(number(set))
	}
	if chosen > 1 {
		return fmt.Errorf("plugins.analytics: path, postgres and a store exclude each other: %w", ccproxy.ErrConfig)
	}
	if c.QueueSize < c.BatchSize {
		return fmt.Errorf("plugins.analytics.queue_size: must be batch_size at least: %w", ccproxy.ErrConfig)
	}
	m.Routes = append(m.Routes, ccproxy.RouteSpec{
		Prefix: "/logs", Tags: []string{"logs"}, Endpoints: endpoints(c.ResetEnabled),
		New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
			p, err := ccproxy.RuntimeOf[*plugin](pc)
			if err != nil {
				return nil, err
			}
			return p.handler(pc), nil
		},
	})
	return nil
}

// plugin is the runtime. Its fields do not change once it is initialized, but for reset.
type plugin struct {
	cfg     *Config
	logger  *slog.Logger
	store   Store
	backend string
	price   pricer
	writer  *writer
	live    broker
	reset   atomic.Int64 // when everything was deleted, in microseconds since 1970
	drafts  sync.Pool    // of *Record: one is larger than the stack that a goroutine begins with
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(ctx context.Context, pc *ccproxy.PluginContext) error {
	cfg, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	if p.price, err = findPricer(pc); err != nil {
		return err
	}
	p.cfg, p.logger = cfg, pc.Logger
	if err := p.open(ctx); err != nil {
		return err
	}
	p.live.subscribers, p.live.buffer = cfg.StreamSubscribers, cfg.StreamBuffer
	p.writer = newWriter(p.store, cfg, pc.Logger)
	p.writer.keep = p.keep()
	pc.Go("writer", func(context.Context) { p.writer.run() }) // ends with Shutdown, which comes after the last event
	return pc.Provide(Name, &Service{store: p.store, backend: p.backend, live: &p.live})
}

func (p *plugin) open(ctx context.Context) (err error) {
	switch {
	case p.cfg.Store != nil:
		p.store, p.backend = p.cfg.Store, "application"
	case !p.cfg.Postgres.IsZero():
		p.backend = "postgres"
		p.store, err = OpenPostgres(ctx, p.cfg.Postgres)
	case p.cfg.Path != "":
		p.backend = "sqlite"
		p.store, err = OpenSQLite(ctx, p.cfg.Path)
	default:
		p.backend = "memory"
		p.store, err = OpenMemory(ctx)
	}
	return err
}

// keep is how many records are kept, zero for all.
func (p *plugin) keep() int64 {
	if p.backend == "memory" {
		return cmp.Or(p.cfg.MaxRecords, memoryRecords)
	}
	return p.cfg.MaxRecords
}

// Shutdown implements [ccproxy.Plugin]. The proxy has delivered all events before.
func (p *plugin) Shutdown(ctx context.Context) error {
	p.live.close()
	var err error
	if p.writer != nil {
		err = p.writer.close(ctx)
	}
	if p.store != nil {
		err = errors.Join(err, p.store.Close())
	}
	return err
}

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	s := p.writer.state()
	open, slow := p.live.state()
	h := ccproxy.Health{Details: map[string]any{
		"backend": p.backend, "written": s.written, "pending": s.pending, "dropped": s.dropped,
		"stream_clients": open, "stream_clients_too_slow": slow,
	}}
	if s.err != nil {
		h.Status, h.Output = ccproxy.HealthWarn, "records cannot be written: "+s.err.Error()
	}
	return h
}

var _ ccproxy.HealthChecker = (*plugin)(nil)

func (p *plugin) observe(_ context.Context, hc *hooks.Context) error {
	r, _ := p.drafts.Get().(*Record)
	if r == nil {
		r = new(Record)
	}
	if p.fill(r, hc) && !p.excluded(r.Path) && r.Time.UnixMicro() >= p.reset.Load() {
		p.writer.add(r)
		p.live.publish(r)
	}
	*r = Record{}
	p.drafts.Put(r)
	return nil
}

// excluded reports whether a path is one of the excluded ones or below one.
func (p *plugin) excluded(path string) bool {
	return slices.ContainsFunc(p.cfg.ExcludePaths, func(prefix string) bool {
		rest, ok := strings.CutPrefix(path, strings.TrimRight(prefix, "/"))
		return ok && (rest == "" || rest[0] == '/')
	})
}

// prune is the task that forgets old records.
func (p *plugin) prune(ctx context.Context) error {
	var before time.Time
	if p.cfg.Retention > 0 {
		before = time.Now().Add(-p.cfg.Retention)
	}
	n, err := p.store.Prune(ctx, before, p.keep())
	if n > 0 {
		p.logger.DebugContext(ctx, "old records deleted", "records", n)
	}
	return err
}

// Service is what other plugins get as "analytics". Its methods may be called concurrently.
type Service struct {
	store   Store
	backend string
	live    *broker
}

// Query returns a page of records. Those of the last moments may not be there yet.
func (s *Service) Query(ctx context.Context, q Query) (Page, error) { return s.store.Query(ctx, q) }

// Aggregate returns sums, see [Store].
func (s *Service) Aggregate(ctx context.Context, a Aggregation) ([]Group, error) {
	return s.store.Aggregate(ctx, a)
}

// Backend returns where the records are: "memory", "sqlite", "postgres" or "application".
func (s *Service) Backend() string { return s.backend }
