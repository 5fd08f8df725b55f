package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/sched"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// Start starts the plugins in order and begins to serve. A plugin that fails is rolled back and left out, with
// all that depends on it; the others start, and /plugins shows the reason. With [WithStrictStart], or when ctx
// ends, everything is undone and Start fails. A second Start is [ErrState].
func (p *Proxy) Start(ctx context.Context) error {
	return p.start(ctx, p.records, true)
}

// StartOnly starts the named plugins and what they depend on, for commands that serve no requests: no provider,
// middleware, route or task of theirs is made, and ServeHTTP goes on answering 503. The plugins must be CLISafe.
func (p *Proxy) StartOnly(ctx context.Context, names ...string) error {
	wanted := make(map[string]bool)
	for _, name := range names {
		r := p.byName[name]
		if r == nil {
			return &PluginError{Plugin: name, Op: "start", Err: p.absent(name)}
		}
		if !r.manifest.CLISafe {
			return &PluginError{Plugin: name, Op: "start", Err: invalid("it is not CLISafe")}
		}
		wanted[name] = true
	}
	var chosen []*record
	for _, r := range slices.Backward(p.records) { // in reverse, what is needed comes after what needs it
		if wanted[r.name] {
			chosen = append(chosen, r)
			for _, dep := range p.plan.edges(r.manifest, false) {
				wanted[dep] = true
			}
		}
	}
	slices.Reverse(chosen)
	return p.start(ctx, chosen, false)
}

// absent tells why a plugin is not one of those that run.
func (p *Proxy) absent(name string) error {
	for _, s := range p.plan.resolution.Skipped {
		if s.Plugin == name {
			return s.Reason
		}
	}
	return ErrUnknownPlugin
}

func (p *Proxy) start(ctx context.Context, records []*record, serve bool) error {
	if !p.state.CompareAndSwap(proxyNew, proxyStarting) {
		return fmt.Errorf("start: %w: started or shut down before", ErrState)
	}
	p.lifecycle.Lock()
	defer p.lifecycle.Unlock()
	err := p.startRecords(ctx, records, serve)
	if err == nil && serve {
		err = p.publish(ctx)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		p.state.Store(proxyStopped)
		return errors.Join(err, p.stopAll(context.WithoutCancel(ctx), "start failed"))
	}
	p.state.Store(proxyRunning)
	p.announce()
	return nil
}

func (p *Proxy) startRecords(ctx context.Context, records []*record, serve bool) error {
	if !p.settings.Features.ManualFormatAdapters {
		for _, r := range records {
			add := func(context.Context) error { return addAdapters(r) }
			if err := p.step(ctx, r, "format adapters", add); err != nil {
				return err
			}
		}
	}
	for _, r := range records {
		if err := p.startRecord(ctx, r, serve); err != nil {
			return err
		}
	}
	return nil
}

// startRecord takes one plugin from loaded to active. Its error ends the whole start.
func (p *Proxy) startRecord(ctx context.Context, r *record, serve bool) error {
	if !r.is(stateLoaded) {
		return nil
	}
	r.set(stateStarting, nil)
	steps := []struct {
		op string
		do func(context.Context) error
	}{
		{"initialize", func(ctx context.Context) error { return r.runtime.Initialize(ctx, r.pc) }},
		{"validate", func(ctx context.Context) error {
			if v, ok := r.runtime.(Validator); ok {
				return v.Validate(ctx)
			}
			return nil
		}},
		{"oauth providers", func(context.Context) error { return addOAuth(r) }},
		{"providers", func(context.Context) error { return addProviders(r, serve) }},
		{"hooks", func(context.Context) error { return addHooks(r) }},
	}
	for _, s := range steps {
		if err := p.step(ctx, r, s.op, s.do); err != nil || !r.is(stateStarting) {
			return err
		}
	}
	r.set(stateActive, nil)
	p.emit(r.name, &hooks.PluginLoaded{Name: r.name, Version: r.manifest.version(), Kind: r.manifest.Kind.String()})
	return nil
}

// step runs one guarded piece of a plugin's start. When it fails, the plugin is rolled back; the step's own error
// is returned only when it ends the whole start.
func (p *Proxy) step(ctx context.Context, r *record, op string, do func(context.Context) error) error {
	if !r.is(stateStarting) && !r.is(stateLoaded) && !r.is(stateActive) {
		return nil
	}
	pending, err := guarded(ctx, p.limits.PluginStart, do)
	if err == nil {
		return nil
	}
	perr := &PluginError{Plugin: r.name, Op: op, Err: err}
	p.fail(ctx, r, perr, pending)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.options.strict && !errors.Is(err, ErrSkip) {
		return perr
	}
	return nil
}

// fail rolls a plugin back, after those that depend on it.
func (p *Proxy) fail(ctx context.Context, r *record, perr *PluginError, pending *call) {
	needs := p.plan.dependents(r.name)
	for _, d := range slices.Backward(p.records) {
		if !needs[d.name] || d.is(stateFailed) || d.is(stateSkipped) {
			continue
		}
		reason := fmt.Errorf("%w: plugin %q did not start", ErrMissingDependency, r.name)
		if d.is(stateLoaded) {
			d.set(stateSkipped, reason)
			d.cancel()
			d.ledger.close()
			continue
		}
		d.set(stateSkipped, reason)
		p.stopRecord(ctx, d, nil, "dependency failed")
	}
	if errors.Is(perr.Err, ErrSkip) {
		r.set(stateSkipped, perr.Err)
		p.logger.InfoContext(ctx, "plugin opted out", "plugin", r.name, "reason", perr.Err)
	} else {
		r.set(stateFailed, perr)
		p.logger.ErrorContext(ctx, "plugin failed to start", "plugin", r.name, "op", perr.Op, "error", perr.Err)
		p.emit(r.name, &hooks.PluginError{Name: r.name, Op: perr.Op, Err: perr.Err.Error()})
	}
	p.stopRecord(ctx, r, pending, perr.Op)
}

func (p *Proxy) stopRecord(ctx context.Context, r *record, pending *call, op string) {
	err := r.stop(context.WithoutCancel(ctx), p.limits.PluginStop, pending, op)
	if err != nil {
		p.logger.ErrorContext(ctx, "plugin failed to stop", "plugin", r.name, "error", err)
	}
}

func addAdapters(r *record) error {
	for _, s := range r.manifest.FormatAdapters {
		a, err := s.New(r.pc)
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

func addOAuth(r *record) error {
	for _, s := range r.manifest.OAuthProviders {
		provider, err := s.New(r.pc)
		if err != nil {
			return err
		}
		if _, err := r.pc.OAuth.Register(provider); err != nil {
			return err
		}
	}
	return nil
}

func addProviders(r *record, serve bool) error {
	if !serve {
		return nil
	}
	for _, s := range r.manifest.Providers {
		provider, err := s.New(r.pc)
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

func addHooks(r *record) error {
	for _, s := range r.manifest.Hooks {
		h, err := s.New(r.pc)
		if err != nil {
			return err
		}
		if _, err := r.pc.Hooks.Register(h, s.options(r.name)); err != nil {
			return err
		}
	}
	return nil
}

// publish makes middleware, routes and tasks of the active plugins and puts all in service at once.
func (p *Proxy) publish(ctx context.Context) error {
	for _, r := range p.records {
		if !r.is(stateActive) {
			continue
		}
		if err := p.step(ctx, r, "middleware", func(context.Context) error { return addMiddleware(r) }); err != nil {
			return err
		}
		if err := p.step(ctx, r, "routes", func(context.Context) error { return addRoutes(r) }); err != nil {
			return err
		}
		if err := p.step(ctx, r, "tasks", func(context.Context) error { return p.addTasks(r) }); err != nil {
			return err
		}
	}
	p.tasks.Start(context.WithoutCancel(ctx))
	p.live.Store(p.newServing())
	return nil
}

func addMiddleware(r *record) error {
	for _, s := range r.manifest.Middleware {
		fn, err := s.New(r.pc)
		if err != nil {
			return err
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

func addRoutes(r *record) error {
	for _, s := range r.manifest.Routes {
		h, err := s.New(r.pc)
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

func (p *Proxy) addTasks(r *record) error {
	for _, s := range r.manifest.Tasks {
		run, err := s.New(r.pc)
		if err != nil {
			return err
		}
		remove, err := p.tasks.Add(r.name, sched.Task{
			Name: s.Name, Interval: s.Interval, Jitter: s.Jitter, Immediate: s.Immediate, Timeout: s.Timeout, Run: run,
		})
		if err != nil {
			return err
		}
		r.ledger.add(remove)
	}
	return nil
}

func (p *Proxy) announce() {
	var active []string
	for _, r := range p.records {
		if r.is(stateActive) {
			active = append(active, r.name)
		}
	}
	p.logger.Info("proxy started", "plugins", active)
	p.emit("", &hooks.AppStartup{Version: Version, Plugins: active})
	p.emit("", &hooks.AppReady{Version: Version, Plugins: active})
}

// Drain takes the proxy out of service: readiness turns off, new requests are answered 503, and Drain returns
// when the running ones, streams included, have ended. When ctx ends first, its error is returned and they go on.
func (p *Proxy) Drain(ctx context.Context) error {
	p.state.CompareAndSwap(proxyRunning, proxyDraining)
	return p.flights.drain(ctx)
}

// Shutdown drains, cancels the requests that ctx did not leave enough time for, and stops the plugins in the
// reverse order of their start, each within Limits.PluginStop. Its error joins all that went wrong. Called before
// Start, it releases what Build took; called again, it does nothing.
func (p *Proxy) Shutdown(ctx context.Context) error {
	drainErr := p.Drain(ctx)
	p.flights.cancelAll()
	p.lifecycle.Lock()
	defer p.lifecycle.Unlock()
	if p.state.Swap(proxyStopped) == proxyStopped {
		return nil
	}
	if drainErr != nil {
		drainErr = fmt.Errorf("drain: %w", drainErr)
	}
	return errors.Join(drainErr, p.stopAll(context.WithoutCancel(ctx), "shutdown"))
}

// stopAll stops whatever was started, in reverse. Each part has its own limit, so ctx carries none.
func (p *Proxy) stopAll(ctx context.Context, reason string) error {
	p.live.Store(nil)
	p.emit("", &hooks.AppShutdown{Version: Version, Reason: reason})
	var errs []error
	bounded := func(limit time.Duration, fn func(context.Context) error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if err := fn(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	bounded(p.limits.PluginStop, p.tasks.Stop)
	_ = p.flushHooks(ctx) // what is left is delivered or counted when the registry closes
	for _, r := range slices.Backward(p.records) {
		if err := p.retire(ctx, r, reason); err != nil {
			errs = append(errs, &PluginError{Plugin: r.name, Op: "shutdown", Err: err})
		}
	}
	bounded(p.limits.PluginStop, p.hooks.Close)
	if p.own != nil {
		p.own.CloseIdleConnections()
	}
	return errors.Join(errs...)
}

func (p *Proxy) flushHooks(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.limits.PluginStop)
	defer cancel()
	return p.hooks.Flush(ctx)
}

// retire stops one plugin that is loaded or active.
func (p *Proxy) retire(ctx context.Context, r *record, reason string) error {
	switch {
	case r.is(stateLoaded):
		r.set(stateStopped, nil)
		r.cancel()
		r.ledger.close()
		return nil
	case !r.is(stateActive):
		return nil
	}
	r.set(stateStopped, nil)
	err := r.stop(ctx, p.limits.PluginStop, nil, "shutdown")
	p.emit(r.name, &hooks.PluginUnloaded{
		Name: r.name, Version: r.manifest.version(), Kind: r.manifest.Kind.String(), Reason: reason,
	})
	return err
}

// ServeHTTP answers a request whose path starts at the proxy's own root; see [Proxy.Mount] for other paths.
// Before Start and after Shutdown every answer is 503.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	live := p.live.Load()
	if live == nil {
		writeError(w, r, "", unavailable(p.state.Load()))
		return
	}
	live.handler.ServeHTTP(w, r)
}

func unavailable(state int32) *Error {
	msg := "the proxy has not started yet"
	if state >= proxyDraining {
		msg = "the proxy is shutting down"
	}
	return &Error{Status: http.StatusServiceUnavailable, Message: msg, RetryAfter: time.Second}
}
