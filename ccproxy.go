package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/lease"
	"github.com/ccproxy-go/ccproxy/internal/sched"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// Version is the version of this library.
const Version = "0.1.0"

// minTaskInterval keeps a mistyped interval from becoming a busy loop.
const minTaskInterval = time.Second

// Proxy is an http.Handler that [Registry.Build] makes. Any number of proxies can run in one process; they share
// nothing. Its methods may be called concurrently.
//
// Its life is Build, [Proxy.Start], serve, [Proxy.Shutdown]; a proxy is not started a second time.
type Proxy struct {
	options  options
	settings Settings
	limits   Limits
	streams  Streams
	logger   *slog.Logger
	plan     *plan
	records  []*record // those that run, in the order of their start
	byName   map[string]*record

	hooks     hooks.Registry
	formats   adapters.Registry
	oauth     oauth.Registry
	accounts  accounts
	tasks     sched.Scheduler
	bodies    lease.Pool
	docs      sync.Pool // of *rawjson.Doc
	transport http.RoundTripper
	own       *http.Transport // nil when the application gave one

	servicesMu sync.RWMutex
	services   map[string]service

	lifecycle  sync.Mutex // held by Start and Shutdown
	state      atomic.Int32
	live       atomic.Pointer[serving]
	interrupt  atomic.Pointer[context.CancelCauseFunc] // ends a start that is under way
	flights    flights
	exchanges  atomic.Uint64 // begun so far
	guard      guard
	callers    *callerLimits
	complaints hostComplaints
	known      [2]string            // members of a request that the proxy reads
	models     map[string]modelMap  // by provider
	cards      map[string][]Model   // by provider
	upstreams  map[string]*upstream // by provider
	fallbacks  []compiledFallback
	summary    []middleware.SummaryEntry
}

type service struct {
	value any
	owner string
}

// The states of a proxy.
const (
	proxyNew int32 = iota
	proxyStarting
	proxyRunning
	proxyDraining
	proxyStopped
)

// Build makes a proxy of the registered plugins: it configures and resolves them, without I/O and without
// running any of them. An error joins everything that is wrong with the settings.
func (r *Registry) Build(s Settings, opts ...Option) (*Proxy, error) {
	var o options
	for _, opt := range opts {
		opt.apply(&o)
	}
	s = s.clone()
	pl, err := r.plan(s, o)
	g, guardErr := s.Security.guard()
	if err := errors.Join(o.err, o.checkDial(), guardErr, err); err != nil {
		return nil, err
	}
	models, mapErr := modelMaps(s, pl)
	cards, cardErr := modelCards(s, pl)
	upstreams, upstreamErr := s.upstreams(pl)
	fallbacks, fallbackErr := s.compileFallbacks(pl)
	if err := errors.Join(mapErr, cardErr, upstreamErr, fallbackErr, s.Features.check(s)); err != nil {
		return nil, err
	}
	if o.logger == nil {
		o.logger = slog.New(slog.DiscardHandler)
	}
	if o.cli == nil {
		o.cli = &pathDetector{}
	}
	if o.tracer == nil {
		o.tracer = debugTracer{o.logger}
	}
	p := &Proxy{
		options: o, settings: s, limits: s.Limits.withDefaults(), streams: s.Streams.withDefaults(),
		logger: o.logger, plan: pl,
		byName: make(map[string]*record), services: make(map[string]service), transport: o.transport,
		guard: g, callers: newCallerLimits(s.Security, o),
		known: [2]string{"model", "stream"}, models: models, cards: cards,
		upstreams: upstreams, fallbacks: fallbacks,
	}
	if p.transport == nil {
		p.own = newUpstreamTransport(o.dial)
		p.transport = p.own
	}
	p.accounts.setUp(p, o)
	p.hooks.SetLogger(o.logger)
	p.formats.SetLogger(o.logger)
	for _, c := range codecs() {
		if err := p.formats.RegisterCodec(c); err != nil {
			return nil, err
		}
	}
	p.tasks.Logger = o.logger
	var errs []error
	for _, name := range pl.resolution.Order {
		rec, err := p.newRecord(pl.plugins[name])
		if err != nil {
			errs = append(errs, &PluginError{Plugin: name, Op: "create", Err: err})
			continue
		}
		p.records = append(p.records, rec)
		p.byName[name] = rec
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, skipped := range pl.resolution.Skipped {
		p.logger.Debug("plugin not started", "plugin", skipped.Plugin, "reason", skipped.Reason)
	}
	return p, nil
}

func (p *Proxy) newRecord(pl *planned) (*record, error) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &record{
		name: pl.name, manifest: pl.manifest, config: pl.config, state: stateLoaded,
		ctx: ctx, cancel: cancel, logger: p.logger.With("plugin", pl.name),
	}
	err := guardCall(func() error {
		r.runtime = pl.factory.CreateRuntime()
		return nil
	})
	if err != nil {
		cancel()
		return nil, err
	}
	if r.runtime == nil {
		r.runtime = manifestOnly{}
	}
	r.pc = &PluginContext{record: r, proxy: p, CoreServices: CoreServices{
		Settings:   p.settings.only(pl.name),
		Logger:     r.logger,
		HTTPClient: p.newManagedClient(pl.name),
		Hooks:      ownedHooks{&p.hooks, r},
		Formats:    ownedFormats{&p.formats, r},
		OAuth:      ownedOAuth{&p.oauth, &p.accounts, r},
		Plugins:    directory{p},
		CLI:        p.options.cli,
		Tracer:     p.options.tracer,
		Streams:    streaming{p.limits.WriteTimeout},
	}}
	return r, nil
}

// provide adds a service of a plugin.
func (p *Proxy) provide(r *record, name string, value any) error {
	fail := func(err error) error { return &PluginError{Plugin: r.name, Op: "provide", Err: err} }
	declared := false
	for _, svc := range r.manifest.Provides {
		declared = declared || svc == name
	}
	if !declared {
		return fail(invalid("service %q is not in Provides", name))
	}
	if value == nil {
		return fail(invalid("service %q is nil", name))
	}
	if r.ledger.isClosed() {
		return fail(fmt.Errorf("service %q: plugin was stopped: %w", name, ErrState))
	}
	p.servicesMu.Lock()
	if other, taken := p.services[name]; taken {
		p.servicesMu.Unlock()
		return fail(fmt.Errorf("service %q of plugin %s: %w", name, other.owner, ErrDuplicate))
	}
	p.services[name] = service{value: value, owner: r.name}
	p.servicesMu.Unlock()
	r.ledger.add(func() {
		p.servicesMu.Lock()
		defer p.servicesMu.Unlock()
		delete(p.services, name)
	})
	return nil
}

func (p *Proxy) service(name string) (any, bool) {
	p.servicesMu.RLock()
	defer p.servicesMu.RUnlock()
	s, ok := p.services[name]
	return s.value, ok
}

// emit sends an event that belongs to no request.
func (p *Proxy) emit(plugin string, payload hooks.Payload) {
	if p.hooks.Enabled(payload.Event()) {
		p.hooks.Emit(hooks.Context{Plugin: plugin, Payload: payload})
	}
}

// directory shows the plugins of a proxy to one of them.
type directory struct{ proxy *Proxy }

func (d directory) Manifests() []Manifest {
	ms := make([]Manifest, 0, len(d.proxy.plan.manifests))
	for _, m := range d.proxy.plan.manifests {
		ms = append(ms, m.clone())
	}
	return ms
}

func (d directory) Statuses() []PluginStatus { return d.proxy.Statuses() }
