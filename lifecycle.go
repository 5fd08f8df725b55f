package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// Start starts the plugins in order and begins to serve. A plugin that fails is rolled back and left out, with
// all that depends on it; the others start, and /plugins shows the reason. With [WithStrictStart], or when ctx
// ends, everything is undone and Start fails. A second Start is [ErrState].
func (p *Proxy) Start(ctx context.Context) error {
	return p.start(ctx, func(ctx context.Context) (*serving, error) {
		if err := p.startRecords(ctx, p.records, true); err != nil {
			return nil, err
		}
		return p.assemble(ctx)
	})
}

// StartOnly starts the named plugins and what they depend on, for commands that serve no requests: no provider,
// middleware, route or task of theirs is made, and ServeHTTP goes on answering 503. All of them must be CLISafe.
// Unlike with [Proxy.Start], a named plugin that does not start is an error, and everything is undone.
func (p *Proxy) StartOnly(ctx context.Context, names ...string) error {
	wanted := make(map[string]bool)
	for _, name := range names {
		if p.byName[name] == nil {
			return &PluginError{Plugin: name, Op: "start", Err: p.absent(name)}
		}
		wanted[name] = true
	}
	var chosen []*record
	for _, r := range slices.Backward(p.records) { // in reverse, what is needed comes after what needs it
		if !wanted[r.name] {
			continue
		}
		if !r.manifest.CLISafe {
			err := invalid("a command may not start it, it is not CLISafe")
			return &PluginError{Plugin: r.name, Op: "start", Err: err}
		}
		chosen = append(chosen, r)
		for _, dep := range p.plan.edges(r.manifest, false) {
			wanted[dep] = true
		}
	}
	slices.Reverse(chosen)
	return p.start(ctx, func(ctx context.Context) (*serving, error) {
		if err := p.startRecords(ctx, chosen, false); err != nil {
			return nil, err
		}
		return nil, p.allActive(names)
	})
}

// allActive joins why those of the plugins that do not run did not start.
func (p *Proxy) allActive(names []string) error {
	var errs []error
	for _, name := range names {
		if s := p.byName[name].status(); s.State != stateActive {
			errs = append(errs, &PluginError{Plugin: name, Op: "start", Err: s.Reason})
		}
	}
	return errors.Join(errs...)
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

// start runs the start of plugins, and publishes what is to be served, if anything.
func (p *Proxy) start(ctx context.Context, run func(context.Context) (*serving, error)) error {
	if !p.state.CompareAndSwap(proxyNew, proxyStarting) {
		return fmt.Errorf("start: %w: started or shut down before", ErrState)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.interrupt.Store(&cancel)
	p.lifecycle.Lock()
	defer p.lifecycle.Unlock()
	live, err := run(ctx)
	if err == nil {
		err = context.Cause(ctx)
	}
	// A Shutdown that took the lock first has stopped everything already.
	if err == nil && !p.state.CompareAndSwap(proxyStarting, proxyRunning) {
		err = errInterrupted
	}
	if err != nil {
		p.state.Store(proxyStopped)
		return errors.Join(err, p.stopAll(ctx, "start failed"))
	}
	p.live.Store(live)
	active := p.activeNames()
	p.logger.InfoContext(ctx, "proxy started", "plugins", active)
	if live != nil {
		p.emit("", &hooks.AppReady{Version: Version, Plugins: active})
	}
	return nil
}

var errInterrupted = fmt.Errorf("start: %w: shut down meanwhile", ErrState)

func (p *Proxy) startRecords(ctx context.Context, records []*record, serve bool) error {
	if !p.settings.Features.ManualFormatAdapters {
		for _, r := range records {
			add := func(context.Context) error { return r.addAdapters() }
			if err := p.step(ctx, r, "format adapters", add); err != nil {
				return err
			}
		}
	}
	for _, r := range records {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := p.startRecord(ctx, r, serve); err != nil {
			return err
		}
	}
	// The hooks of all plugins are there, and nothing is served yet.
	p.emit("", &hooks.AppStartup{Version: Version, Plugins: p.activeNames()})
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
		{"oauth providers", func(context.Context) error { return r.addOAuth() }},
		{"providers", func(context.Context) error { return r.addProviders(serve) }},
		{"hooks", func(context.Context) error { return r.addHooks() }},
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
	needs := p.plan.dependents(r.name, func(name string) bool { return p.byName[name].dropped() })
	for _, d := range slices.Backward(p.records) {
		if !needs[d.name] || d.dropped() {
			continue
		}
		reason := fmt.Errorf("%w: plugin %q did not start", ErrMissingDependency, r.name)
		if d.is(stateLoaded) {
			d.set(stateSkipped, reason)
			d.cancel()
			d.ledger.close()
			continue
		}
		p.withdraw(ctx, d, stateSkipped, reason, nil, "dependency failed")
	}
	if errors.Is(perr.Err, ErrSkip) {
		p.logger.InfoContext(ctx, "plugin opted out", "plugin", r.name, "reason", perr.Err)
		p.withdraw(ctx, r, stateSkipped, perr.Err, pending, perr.Op)
		return
	}
	p.logger.ErrorContext(ctx, "plugin failed to start", "plugin", r.name, "op", perr.Op, "error", perr.Err)
	p.emit(r.name, &hooks.PluginError{Name: r.name, Op: perr.Op, Err: perr.Err.Error()})
	p.withdraw(ctx, r, stateFailed, perr, pending, perr.Op)
}

// withdraw stops a plugin before the proxy runs. Whoever was told that it was loaded is told that it is not.
func (p *Proxy) withdraw(ctx context.Context, r *record, state string, reason error, pending *call, op string) {
	loaded := r.is(stateActive)
	r.set(state, reason)
	p.stopRecord(ctx, r, pending, op)
	if loaded {
		p.emitUnloaded(r, reason.Error())
	}
}

func (p *Proxy) stopRecord(ctx context.Context, r *record, pending *call, op string) {
	err := r.stop(context.WithoutCancel(ctx), p.limits.PluginStop, pending, op)
	if err != nil {
		p.logger.ErrorContext(ctx, "plugin failed to stop", "plugin", r.name, "error", err)
	}
}

// assemble makes middleware, routes and tasks of the active plugins, and puts together what the proxy serves.
func (p *Proxy) assemble(ctx context.Context) (*serving, error) {
	for _, r := range p.records {
		if !r.is(stateActive) {
			continue
		}
		steps := []struct {
			op string
			do func(context.Context) error
		}{
			{"middleware", func(context.Context) error { return r.addMiddleware() }},
			{"routes", func(context.Context) error { return r.addRoutes() }},
			{"tasks", func(context.Context) error { return r.addTasks(&p.tasks) }},
		}
		for _, s := range steps {
			if err := p.step(ctx, r, s.op, s.do); err != nil {
				return nil, err
			}
		}
	}
	var live *serving
	err := guardCall(func() error { // middleware is called here, the application's own too
		live = p.newServing()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("start: middleware: %w", err)
	}
	p.tasks.Start(context.WithoutCancel(ctx))
	return live, nil
}

func (p *Proxy) activeNames() []string {
	var active []string
	for _, r := range p.records {
		if r.is(stateActive) {
			active = append(active, r.name)
		}
	}
	return active
}

// Drain takes the proxy out of service: readiness turns off, new requests are answered 503, and Drain returns
// when the running ones, streams included, have ended. When ctx ends first, its error is returned and they go on.
// A proxy that does not serve yet cannot be drained: that is [ErrState].
func (p *Proxy) Drain(ctx context.Context) error {
	if p.state.Load() < proxyRunning {
		return fmt.Errorf("drain: %w: not started", ErrState)
	}
	p.state.CompareAndSwap(proxyRunning, proxyDraining)
	return p.flights.drain(ctx)
}

// Shutdown drains, cancels the requests that ctx did not leave enough time for, and stops the plugins in the
// reverse order of their start, each within Limits.PluginStop. Its error joins all that went wrong. Called before
// Start, it releases what Build took; called while the proxy starts, it ends the start; called again, it does
// nothing.
func (p *Proxy) Shutdown(ctx context.Context) error {
	if interrupt := p.interrupt.Load(); interrupt != nil {
		(*interrupt)(errInterrupted)
	}
	p.state.CompareAndSwap(proxyRunning, proxyDraining)
	drainErr := p.flights.drain(ctx)
	if drainErr != nil {
		p.flights.cancelAll()
		p.awaitCancelled(ctx)
	}
	p.lifecycle.Lock()
	defer p.lifecycle.Unlock()
	if p.state.Swap(proxyStopped) == proxyStopped {
		return nil
	}
	if drainErr != nil {
		drainErr = fmt.Errorf("drain: %w", drainErr)
	}
	return errors.Join(drainErr, p.stopAll(ctx, "shutdown"))
}

// awaitCancelled gives requests that were cancelled a moment to return, so that no plugin is stopped under them.
func (p *Proxy) awaitCancelled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelledLeaveWithin)
	defer cancel()
	_ = p.flights.drain(ctx) // who ignores its context is left behind
}

const cancelledLeaveWithin = time.Second

// stopAll stops whatever was started, in reverse. Each part has its own limit, whatever is left of that of asked.
func (p *Proxy) stopAll(asked context.Context, reason string) error {
	ctx := context.WithoutCancel(asked)
	p.live.Store(nil)
	p.emit("", &hooks.AppShutdown{Version: Version, Plugins: p.activeNames(), Reason: reason})
	var errs []error
	bounded := func(limit time.Duration, fn func(context.Context) error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if err := fn(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	bounded(p.limits.PluginStop, p.tasks.Stop)
	if err := p.accounts.stop(asked); err != nil {
		errs = append(errs, err)
	}
	// One limit for all flushes: a hook that hangs costs it once, not once for each plugin.
	flushCtx, cancel := context.WithTimeout(ctx, p.limits.PluginStop)
	defer cancel()
	for _, r := range slices.Backward(p.records) {
		if r.is(stateActive) {
			_ = p.hooks.Flush(flushCtx) // what is left is delivered or counted when the registry closes
		}
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
	p.emitUnloaded(r, reason)
	return err
}

func (p *Proxy) emitUnloaded(r *record, reason string) {
	p.emit(r.name, &hooks.PluginUnloaded{
		Name: r.name, Version: r.manifest.version(), Kind: r.manifest.Kind.String(), Reason: reason,
	})
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
