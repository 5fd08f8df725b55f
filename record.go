package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/sched"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// The states of a plugin, as shown in listings.
const (
	stateLoaded   = "loaded"   // will start
	stateStarting = "starting" // is being started
	stateActive   = "active"
	stateFailed   = "failed"   // a call failed; rolled back
	stateSkipped  = "skipped"  // opted out, or lacks something
	stateDisabled = "disabled" // switched off by the settings
	stateStopped  = "stopped"
)

// record is one plugin of a proxy, through its whole life.
type record struct {
	name     string
	manifest Manifest
	config   any
	runtime  Plugin
	pc       *PluginContext
	logger   *slog.Logger

	ctx    context.Context //nolint:containedctx // ends when the plugin is told to stop
	cancel context.CancelFunc
	ledger ledger

	// What the specs made; written while starting, read-only once published.
	providers  []mountedProvider
	middleware []middleware.Entry
	handlers   []http.Handler // one for each route of the manifest

	mu        sync.Mutex
	state     string
	reason    error
	abandoned []string // calls that were given up and still run
	panics    []string // goroutines of the plugin that panicked, at most a few
	workers   int
	idle      chan struct{} // closed when the last worker of a stopping plugin ends
	shutdown  bool          // Shutdown was called
	probe     *probe        // the health check that is being made
}

type mountedProvider struct {
	name     string
	spec     ProviderSpec
	provider Provider
}

// PluginStatus tells how a plugin of a proxy is doing.
type PluginStatus struct {
	Name, Version string
	Kind          Kind
	// State is "loaded", "starting", "active", "failed", "skipped", "disabled" or "stopped".
	State string
	// Reason is why it is failed, skipped or disabled; else nil.
	Reason error
	// Abandoned names calls that did not return in time and still hold a goroutine.
	Abandoned []string
}

func (r *record) status() PluginStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return PluginStatus{
		Name: r.name, Version: r.manifest.version(), Kind: r.manifest.Kind,
		State: r.state, Reason: r.reason, Abandoned: slices.Clone(r.abandoned),
	}
}

// optedOut tells whether it was the plugin's own decision not to run.
func (r *record) optedOut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state == stateSkipped && errors.Is(r.reason, ErrSkip)
}

func (m Manifest) version() string {
	if m.Version == "" {
		return "0.0.0"
	}
	return m.Version
}

func (r *record) set(state string, reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.reason = state, reason
}

func (r *record) is(state string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state == state
}

// abandon notes a call that still runs, and what to do when it returns.
func (r *record) abandon(op string, c *call, then func()) {
	label := fmt.Sprintf("%s since %s", op, time.Now().UTC().Format(time.RFC3339))
	r.mu.Lock()
	r.abandoned = append(r.abandoned, label)
	r.mu.Unlock()
	late := func() {
		r.mu.Lock()
		if i := slices.Index(r.abandoned, label); i >= 0 {
			r.abandoned = slices.Delete(r.abandoned, i, i+1)
		}
		r.mu.Unlock()
		then()
	}
	if !c.abandon(late) {
		late()
	}
}

// spawn runs fn on a goroutine that the plugin's stop waits for.
func (r *record) spawn(name string, fn func(context.Context)) {
	r.mu.Lock()
	r.workers++
	r.mu.Unlock()
	c := begin(func() error { fn(r.ctx); return nil })
	late := func() { r.workerEnded(name, c.err) }
	if !c.abandon(late) {
		late()
	}
}

const maxPanicsShown = 8

func (r *record) workerEnded(name string, err error) {
	if err != nil {
		r.logger.Error("goroutine of plugin ended", "goroutine", name, "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && len(r.panics) < maxPanicsShown {
		r.panics = append(r.panics, name+": "+err.Error())
	}
	r.workers--
	if r.workers == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
}

// join waits for the goroutines that the plugin started.
func (r *record) join(ctx context.Context) error {
	r.mu.Lock()
	if r.workers == 0 {
		r.mu.Unlock()
		return nil
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	idle, n := r.idle, r.workers
	r.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d goroutines still run: %w", n, ErrAbandoned)
	}
}

// stop undoes everything that the plugin registered and calls Shutdown, once, and only when pending, a call of
// the plugin that was given up, has returned.
func (r *record) stop(ctx context.Context, limit time.Duration, pending *call, op string) error {
	r.cancel()
	r.ledger.close()
	if pending != nil && !pending.returns(graceAfterDeadline) { // it may have waited for the plugin's context
		r.abandon(op, pending, func() {
			// The goroutine of the late call is the last one of the plugin: it may take what it needs.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
			defer cancel()
			if err := guardInline(func() error { return r.shutdownOnce(ctx) }); err != nil {
				r.logger.ErrorContext(ctx, "shutdown of abandoned plugin", "error", err)
			}
		})
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	late, err := guarded(ctx, limit, r.shutdownOnce)
	if late != nil {
		r.abandon("shutdown", late, func() {})
		return err
	}
	if err != nil {
		return err
	}
	return r.join(ctx)
}

// guardInline is guardCall on the calling goroutine, for one that is the plugin's own.
func guardInline(fn func() error) (err error) {
	c := &call{done: make(chan struct{})}
	defer func() { err = c.err }()
	c.run(fn)
	return nil
}

func (r *record) shutdownOnce(ctx context.Context) error {
	r.mu.Lock()
	called := r.shutdown
	r.shutdown = true
	r.mu.Unlock()
	if called || r.runtime == nil {
		return nil
	}
	return r.runtime.Shutdown(ctx)
}

// dropped tells whether the plugin failed or was left out while the proxy started.
func (r *record) dropped() bool { return r.is(stateFailed) || r.is(stateSkipped) }

// made is what New of one of the plugin's specs returns. A plugin that was given up meanwhile makes nothing more:
// its late call would otherwise go on with the next spec.
func made[T any](r *record, create func(*PluginContext) (T, error)) (T, error) {
	v, err := create(r.pc)
	if err == nil && r.ledger.isClosed() {
		err = fmt.Errorf("plugin was stopped: %w", ErrState)
	}
	return v, err
}

func (r *record) addAdapters() error {
	for _, s := range r.manifest.FormatAdapters {
		a, err := made(r, s.New)
		if err != nil {
			return err
		}
		reg := adapters.Registration{
			Pair: s.Pair(), Adapter: a, Priority: s.Priority, Plugin: r.name, Description: s.Description,
		}
		if _, err := r.pc.Formats.Register(reg); err != nil {
			return err
		}
	}
	return nil
}

func (r *record) addOAuth() error {
	for _, s := range r.manifest.OAuthProviders {
		provider, err := made(r, s.New)
		if err != nil {
			return err
		}
		if _, err := r.pc.OAuth.Register(provider); err != nil {
			return err
		}
	}
	return nil
}

func (r *record) addProviders(serve bool) error {
	if !serve {
		return nil
	}
	for _, s := range r.manifest.Providers {
		provider, err := made(r, s.New)
		if err != nil {
			return err
		}
		if provider == nil {
			return invalid("New of provider %s returned nil", s.name(r.name))
		}
		r.providers = append(r.providers, mountedProvider{name: s.name(r.name), spec: s, provider: provider})
	}
	return nil
}

func (r *record) addHooks() error {
	for _, s := range r.manifest.Hooks {
		h, err := made(r, s.New)
		if err != nil {
			return err
		}
		if _, err := r.pc.Hooks.Register(h, s.options(r.name)); err != nil {
			return err
		}
	}
	return nil
}

func (r *record) addMiddleware() error {
	for _, s := range r.manifest.Middleware {
		fn, err := made(r, s.New)
		if err != nil {
			return err
		}
		if fn == nil || !wraps(fn) {
			return invalid("middleware %s is nil, or makes nil of a handler", s.Name)
		}
		e := middleware.Entry{Name: s.Name, Source: r.name, Layer: s.Layer, Func: fn}
		if e.Name == "" {
			e.Name = r.name
		}
		if e.Layer == 0 {
			e.Layer = middleware.LayerApplication
		}
		r.middleware = append(r.middleware, e)
	}
	return nil
}

// wraps tries middleware while its panic is still that of its plugin alone.
func wraps(fn middleware.Func) bool { return fn(http.NotFoundHandler()) != nil }

func (r *record) addRoutes() error {
	for _, s := range r.manifest.Routes {
		for _, fn := range s.Middleware {
			if fn == nil || !wraps(fn) {
				return invalid("middleware of route %s is nil, or makes nil of a handler", s.Prefix)
			}
		}
		h, err := made(r, s.New)
		if err != nil {
			return err
		}
		if h == nil {
			return invalid("New of route %s returned nil", s.Prefix)
		}
		r.handlers = append(r.handlers, h)
	}
	return nil
}

func (r *record) addTasks(tasks *sched.Scheduler) error {
	for _, s := range r.manifest.Tasks {
		run, err := made(r, s.New)
		if err != nil {
			return err
		}
		remove, err := tasks.Add(r.name, sched.Task{
			Name: s.Name, Interval: s.Interval, Jitter: s.Jitter, Immediate: s.Immediate, Timeout: s.Timeout, Run: run,
		})
		if err != nil {
			return err
		}
		r.ledger.add(remove)
	}
	return nil
}
