package ccproxy_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// The phases in which the victim of the ensemble can be made to fail.
var startPhases = []string{
	"format adapters", "initialize", "validate", "oauth providers", "providers", "hooks", "middleware", "routes", "tasks",
}

// ensemble is a graph of eight plugins. gamma, which has one of everything, is the victim: delta depends on it,
// zeta on delta, epsilon requires its service and theta its format pair; alpha and beta it needs itself, and eta
// would only like its service.
type ensemble struct {
	journal journal
	actors  map[string]*actor
	phase   string
	hazard  func(context.Context) error
}

func (e *ensemble) at(phase string) func(context.Context) error {
	return func(ctx context.Context) error {
		if phase != e.phase {
			return nil
		}
		return e.hazard(ctx)
	}
}

func (e *ensemble) factories() []ccproxy.Factory {
	e.actors = make(map[string]*actor)
	manifests := []ccproxy.Manifest{
		{Name: "alpha"},
		{Name: "beta", Provides: []string{"svc.beta"}},
		{Name: "gamma", Dependencies: []string{"alpha"}, Requires: []string{"svc.beta"}, Provides: []string{"svc.gamma"}},
		{Name: "delta", Dependencies: []string{"gamma"}},
		{Name: "epsilon", Requires: []string{"svc.gamma"}},
		{Name: "zeta", Dependencies: []string{"delta"}},
		{Name: "eta", OptionalRequires: []string{"svc.gamma"}},
		{Name: "theta", RequiresFormatAdapters: []adapters.FormatPair{foreignPair()}},
	}
	var out []ccproxy.Factory
	for _, m := range manifests {
		m.Routes = []ccproxy.RouteSpec{routeOf(m.Name)}
		a := e.actor(m.Name)
		if m.Name == "gamma" {
			m = e.victim(m, a)
		}
		out = append(out, playedBy(m, a))
	}
	return out
}

func (e *ensemble) actor(name string) *actor {
	a := &actor{}
	a.init = func(_ context.Context, pc *ccproxy.PluginContext) error {
		e.journal.add("init " + name)
		for _, svc := range pc.Manifest().Provides {
			if err := pc.Provide(svc, name); err != nil {
				return err
			}
		}
		return nil
	}
	a.stop = func(context.Context) error {
		e.journal.add("stop " + name)
		return nil
	}
	e.actors[name] = a
	return a
}

func (e *ensemble) victim(m ccproxy.Manifest, a *actor) ccproxy.Manifest {
	initialize, stop := a.init, a.stop
	a.init = func(ctx context.Context, pc *ccproxy.PluginContext) error {
		if err := initialize(ctx, pc); err != nil {
			return err
		}
		defer e.journal.add("initialized gamma")
		return e.at("initialize")(ctx)
	}
	a.validate = e.at("validate")
	a.stop = func(ctx context.Context) error {
		_ = stop(ctx)
		return e.at("shutdown")(ctx)
	}
	m.Kind = ccproxy.KindProvider
	m.FormatAdapters = []ccproxy.FormatAdapterSpec{{
		From: foreignPair().From, To: foreignPair().To,
		New: newOf[adapters.FormatAdapter](adapters.Funcs{Name: "foreign"}, e.at("format adapters")),
	}}
	m.OAuthProviders = []ccproxy.OAuthProviderSpec{{
		Name: "gamma_oauth", New: newOf[oauth.Provider](idleOAuth{name: "gamma_oauth"}, e.at("oauth providers")),
	}}
	m.Providers = []ccproxy.ProviderSpec{providerSpec("gamma_llm")}
	m.Providers[0].New = newOf[ccproxy.Provider](idleProvider{}, e.at("providers"))
	m.Hooks = []ccproxy.HookSpec{{New: newOf(silentHook("gamma_hook", &e.journal), e.at("hooks"))}}
	m.Middleware = []ccproxy.MiddlewareSpec{{New: newOf[middleware.Func](passMiddleware, e.at("middleware"))}}
	handler, _ := okHandler(nil)
	m.Routes[0].New = newOf(handler, e.at("routes"))
	m.Tasks = []ccproxy.TaskSpec{{
		Name: "tick", Interval: time.Minute,
		New: newOf(func(context.Context) error { e.journal.add("tick"); return nil }, e.at("tasks")),
	}}
	return m
}

// everythingGone tells whether nothing of the victim is left in the proxy.
func (e *ensemble) everythingGone(t *testing.T, p *ccproxy.Proxy) {
	t.Helper()
	for path, want := range map[string]int{
		"/alpha": 200, "/beta": 200, "/eta": 200, "/gamma": 404, "/delta": 404, "/epsilon": 404, "/zeta": 404, "/theta": 404,
		"/gamma_llm/v1/models": 404,
	} {
		if got := visit(p, http.MethodGet, path, "").Code; got != want {
			t.Errorf("GET %s = %d, want %d", path, got, want)
		}
	}
	eta := e.actors["eta"].pc
	if _, err := ccproxy.ServiceOf[string](eta, "svc.gamma"); !errors.Is(err, ccproxy.ErrUnknownService) {
		t.Errorf("service of the victim: %v", err)
	}
	if svc, err := ccproxy.ServiceOf[string](eta, "svc.beta"); svc != "beta" || err != nil {
		t.Errorf("service of another plugin = %q, %v", svc, err)
	}
	if pairs := eta.Formats.Pairs(); slices.Contains(pairs, foreignPair()) {
		t.Errorf("format pairs left: %v", pairs)
	}
	if infos := eta.OAuth.Infos(); len(infos) != 0 {
		t.Errorf("OAuth providers left: %v", infos)
	}
	for _, m := range p.Middleware() {
		if m.Source != "" {
			t.Errorf("middleware left: %v", m)
		}
	}
	time.Sleep(time.Hour) // in the bubble: tasks would run, hooks have run
	synctest.Wait()
	if n := e.journal.count("tick"); n != 0 {
		t.Errorf("the victim's task ran %d times", n)
	}
	if n := e.journal.count("gamma_hook request.started"); n != 0 {
		t.Errorf("the victim's hook was told of %d requests", n)
	}
}

// stoppedOnce checks that each plugin that was initialized is stopped exactly once, after all that need it; only a
// victim that was deaf may be stopped after what it needed.
func (e *ensemble) stoppedOnce(t *testing.T, deaf bool) {
	t.Helper()
	lines := e.journal.all()
	for name := range e.actors {
		inits, stops := e.journal.count("init "+name), e.journal.count("stop "+name)
		if name == "gamma" {
			inits = 1 // it is stopped even if its format adapters failed
		}
		if inits != stops {
			t.Errorf("%s: initialized %d times, stopped %d times", name, inits, stops)
		}
	}
	for _, edge := range [][2]string{
		{"zeta", "delta"}, {"delta", "gamma"}, {"epsilon", "gamma"}, {"theta", "gamma"}, {"gamma", "alpha"}, {"gamma", "beta"},
	} {
		first, then := slices.Index(lines, "stop "+edge[0]), slices.Index(lines, "stop "+edge[1])
		if first >= 0 && then >= 0 && first > then && (!deaf || edge[0] != "gamma") {
			t.Errorf("%s was stopped after %s, which it needs: %v", edge[0], edge[1], lines)
		}
	}
	if i := slices.Index(lines, "initialized gamma"); i > slices.Index(lines, "stop gamma") {
		t.Errorf("Shutdown was called while Initialize ran: %v", lines)
	}
}

func TestFailureLeavesOutOnePluginAndItsDependents(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"alpha": "active", "beta": "active", "eta": "active", "gamma": "failed",
		"delta": "skipped", "epsilon": "skipped", "zeta": "skipped", "theta": "skipped",
	}
	for _, phase := range startPhases {
		for _, hz := range hazards() {
			t.Run(phase+"/"+hz.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					release := make(chan struct{})
					e := &ensemble{phase: phase, hazard: func(ctx context.Context) error { return hz.do(ctx, release) }}
					p := built(t, ccproxy.Settings{}, e.factories())
					if err := p.Start(t.Context()); err != nil {
						t.Fatalf("Start = %v", err)
					}
					synctest.Wait()
					if diff := cmp.Diff(want, statesOf(p)); diff != "" {
						t.Errorf("states (-want +got):\n%s", diff)
					}
					checkReasons(t, p, phase, hz)
					e.everythingGone(t, p)
					checkAbandoned(t, p, e, hz, release)
					if err := p.Shutdown(t.Context()); err != nil {
						t.Errorf("Shutdown = %v", err)
					}
					e.stoppedOnce(t, hz.deaf)
				})
			})
		}
	}
}

func checkReasons(t *testing.T, p *ccproxy.Proxy, phase string, hz hazard) {
	t.Helper()
	kinds := map[string]error{
		"error": errPlanned, "panic": ccproxy.ErrPanic, "panic nil": ccproxy.ErrPanic, "goexit": ccproxy.ErrExited,
		"deaf hang": ccproxy.ErrAbandoned,
	}
	for _, s := range p.Statuses() {
		switch s.State {
		case "skipped":
			if !errors.Is(s.Reason, ccproxy.ErrMissingDependency) || !strings.Contains(s.Reason.Error(), `"gamma"`) {
				t.Errorf("reason of %s: %v", s.Name, s.Reason)
			}
		case "failed":
			perr, ok := errors.AsType[*ccproxy.PluginError](s.Reason)
			if !ok || perr.Op != phase || perr.Plugin != "gamma" {
				t.Errorf("reason of %s: %#v", s.Name, s.Reason)
			}
			if kind := kinds[hz.name]; kind != nil && !errors.Is(s.Reason, kind) {
				t.Errorf("reason of %s: %v, want a %v", s.Name, s.Reason, kind)
			}
			if strings.Contains(s.Reason.Error(), "canary") {
				t.Errorf("reason shows the value of a panic: %v", s.Reason)
			}
		}
	}
}

// checkAbandoned checks that a call that hangs is named until it returns, and that Shutdown waits for that.
func checkAbandoned(t *testing.T, p *ccproxy.Proxy, e *ensemble, hz hazard, release chan struct{}) {
	t.Helper()
	abandoned, _ := detailsOf(t, p, "gamma")["abandoned"].([]any)
	if !hz.deaf {
		if len(abandoned) != 0 {
			t.Errorf("abandoned = %v, want none", abandoned)
		}
		return
	}
	if len(abandoned) != 1 || !strings.HasPrefix(abandoned[0].(string), e.phase+" since ") {
		t.Errorf("abandoned = %v, want one call of %s", abandoned, e.phase)
	}
	if n := e.journal.count("stop gamma"); n != 0 {
		t.Errorf("Shutdown was called %d times while %s ran", n, e.phase)
	}
	close(release)
	synctest.Wait()
	if after := detailsOf(t, p, "gamma")["abandoned"]; after != nil {
		t.Errorf("abandoned after the call returned = %v", after)
	}
	if n := e.journal.count("stop gamma"); n != 1 {
		t.Errorf("Shutdown was called %d times once %s returned", n, e.phase)
	}
	e.everythingGone(t, p)
}

func TestStrictStartUndoesEverything(t *testing.T) {
	t.Parallel()
	for _, phase := range startPhases {
		for _, hz := range hazards() {
			t.Run(phase+"/"+hz.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					release := make(chan struct{})
					e := &ensemble{phase: phase, hazard: func(ctx context.Context) error { return hz.do(ctx, release) }}
					p := built(t, ccproxy.Settings{}, e.factories(), ccproxy.WithStrictStart())
					err := p.Start(t.Context())
					if perr, ok := errors.AsType[*ccproxy.PluginError](err); !ok || perr.Plugin != "gamma" || perr.Op != phase {
						t.Fatalf("Start = %v", err)
					}
					close(release)
					synctest.Wait()
					e.stoppedOnce(t, hz.deaf)
					if got := visit(p, http.MethodGet, "/alpha", "").Code; got != http.StatusServiceUnavailable {
						t.Errorf("GET /alpha after a failed start = %d", got)
					}
					if err := p.Start(t.Context()); !errors.Is(err, ccproxy.ErrState) {
						t.Errorf("second Start = %v, want ErrState", err)
					}
					if err := p.Shutdown(t.Context()); err != nil {
						t.Errorf("Shutdown after a failed start = %v", err)
					}
				})
			})
		}
	}
}

func TestShutdownHazards(t *testing.T) {
	t.Parallel()
	for _, hz := range hazards() {
		t.Run(hz.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				e := &ensemble{phase: "shutdown", hazard: func(ctx context.Context) error { return hz.do(ctx, release) }}
				p := built(t, ccproxy.Settings{}, e.factories())
				if err := p.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				err := p.Shutdown(t.Context())
				if perr, ok := errors.AsType[*ccproxy.PluginError](err); !ok || perr.Plugin != "gamma" || perr.Op != "shutdown" {
					t.Errorf("Shutdown = %v", err)
				}
				if took := time.Since(begun); took > 6*time.Second {
					t.Errorf("Shutdown took %v", took)
				}
				e.stoppedOnce(t, false)
				want := []string{"stop zeta", "stop theta", "stop eta", "stop epsilon", "stop delta", "stop gamma", "stop beta", "stop alpha"}
				var stops []string
				for _, line := range e.journal.all() {
					if strings.HasPrefix(line, "stop ") {
						stops = append(stops, line)
					}
				}
				started := slices.DeleteFunc(e.journal.all(), func(l string) bool { return !strings.HasPrefix(l, "init ") })
				slices.Reverse(started)
				for i := range started {
					started[i] = strings.Replace(started[i], "init", "stop", 1)
				}
				if diff := cmp.Diff(started, stops); diff != "" || len(stops) != len(want) {
					t.Errorf("order of stops (-reverse order of starts +got):\n%s", diff)
				}
				close(release)
				if err := p.Shutdown(t.Context()); err != nil {
					t.Errorf("second Shutdown = %v", err)
				}
			})
		})
	}
}

func TestCallsOutOfOrder(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		run   func(ctx context.Context, p *ccproxy.Proxy) error
		want  error
		inits int
	}{
		{"start twice", func(ctx context.Context, p *ccproxy.Proxy) error {
			return errors.Join(p.Start(ctx), p.Start(ctx))
		}, ccproxy.ErrState, 1},
		{"start after shutdown", func(ctx context.Context, p *ccproxy.Proxy) error {
			return errors.Join(p.Shutdown(ctx), p.Start(ctx))
		}, ccproxy.ErrState, 0},
		{"start only after start", func(ctx context.Context, p *ccproxy.Proxy) error {
			return errors.Join(p.Start(ctx), p.StartOnly(ctx, "only"))
		}, ccproxy.ErrState, 1},
		{"drain before start", func(ctx context.Context, p *ccproxy.Proxy) error {
			return errors.Join(p.Drain(ctx), p.Start(ctx))
		}, ccproxy.ErrState, 1},
		{"shutdown before start", func(ctx context.Context, p *ccproxy.Proxy) error { return p.Shutdown(ctx) }, nil, 0},
		{"shutdown twice", func(ctx context.Context, p *ccproxy.Proxy) error {
			return errors.Join(p.Start(ctx), p.Shutdown(ctx), p.Shutdown(ctx))
		}, nil, 1},
		{"drain after shutdown", func(ctx context.Context, p *ccproxy.Proxy) error {
			return errors.Join(p.Start(ctx), p.Shutdown(ctx), p.Drain(ctx))
		}, nil, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := &ensemble{}
				p := built(t, ccproxy.Settings{}, []ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "only", CLISafe: true}, e.named("only"))})
				if err := tt.run(t.Context(), p); !errors.Is(err, tt.want) {
					t.Errorf("error = %v, want %v", err, tt.want)
				}
				if err := p.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown = %v", err)
				}
				if i, s := e.journal.count("init only"), e.journal.count("stop only"); i != tt.inits || s != tt.inits {
					t.Errorf("initialized %d and stopped %d times, want %d", i, s, tt.inits)
				}
				if got := visit(p, http.MethodGet, "/", "").Code; got != http.StatusServiceUnavailable {
					t.Errorf("GET / in the end = %d", got)
				}
			})
		})
	}
}

func (e *ensemble) named(name string) *actor {
	if e.actors == nil {
		e.actors = make(map[string]*actor)
	}
	return e.actor(name)
}

// A drain that came too early must not leave a proxy behind that starts and then refuses every request.
func TestDrainBeforeStartChangesNothing(t *testing.T) {
	t.Parallel()
	p := built(t, ccproxy.Settings{}, []ccproxy.Factory{plain(ccproxy.Manifest{Name: "one", Routes: []ccproxy.RouteSpec{routeOf("one")}})})
	if err := p.Drain(t.Context()); !errors.Is(err, ccproxy.ErrState) {
		t.Errorf("Drain = %v", err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(context.WithoutCancel(t.Context()))
	if got := visit(p, http.MethodGet, "/one", "").Code; got != http.StatusOK {
		t.Errorf("GET /one = %d", got)
	}
}

func TestConcurrentStartsAndShutdowns(t *testing.T) {
	t.Parallel()
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			e := &ensemble{}
			p := built(t, ccproxy.Settings{}, []ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "only"}, e.named("only"))})
			started, all := make(chan error, 4), make(chan struct{}, 8)
			for range 4 {
				go func() { started <- p.Start(t.Context()); all <- struct{}{} }()
				go func() { _ = p.Shutdown(t.Context()); all <- struct{}{} }()
			}
			for range 8 {
				<-all
			}
			ok := 0
			for range 4 {
				if <-started == nil {
					ok++
				}
			}
			if ok > 1 {
				t.Errorf("%d starts succeeded", ok)
			}
			if got := visit(p, http.MethodGet, "/", "").Code; got != http.StatusServiceUnavailable {
				t.Errorf("a proxy that was shut down answers %d", got)
			}
			if i, s := e.journal.count("init only"), e.journal.count("stop only"); i != s || i > 1 {
				t.Errorf("initialized %d times, stopped %d times", i, s)
			}
		})
	}
}

func TestShutdownEndsAStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &ensemble{}
		slow, never := e.named("a_slow"), e.named("b_never")
		initialize := slow.init
		slow.init = func(ctx context.Context, pc *ccproxy.PluginContext) error {
			_ = initialize(ctx, pc)
			<-ctx.Done()
			return ctx.Err()
		}
		p := built(t, ccproxy.Settings{}, []ccproxy.Factory{
			playedBy(ccproxy.Manifest{Name: "a_slow"}, slow), playedBy(ccproxy.Manifest{Name: "b_never"}, never),
		})
		started := make(chan error)
		go func() { started <- p.Start(t.Context()) }()
		synctest.Wait()
		begun := time.Now()
		if err := p.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := <-started; !errors.Is(err, ccproxy.ErrState) {
			t.Errorf("Start = %v, want ErrState", err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("Shutdown waited %v for a start that it could end", took)
		}
		if diff := cmp.Diff([]string{"init a_slow", "stop a_slow"}, e.journal.all()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestStartContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		e := &ensemble{}
		second := e.named("b")
		initialize := second.init
		second.init = func(ctx context.Context, pc *ccproxy.PluginContext) error {
			cancel(errPlanned)
			return initialize(ctx, pc) // it does not care, and succeeds
		}
		p := built(t, ccproxy.Settings{}, []ccproxy.Factory{
			playedBy(ccproxy.Manifest{Name: "a"}, e.named("a")), playedBy(ccproxy.Manifest{Name: "b"}, second),
			playedBy(ccproxy.Manifest{Name: "c"}, e.named("c")),
		})
		if err := p.Start(ctx); !errors.Is(err, errPlanned) {
			t.Errorf("Start = %v, want the cause of its context", err)
		}
		if diff := cmp.Diff([]string{"init a", "init b", "stop b", "stop a"}, e.journal.all()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestOptOut(t *testing.T) {
	t.Parallel()
	e := &ensemble{}
	a := e.named("shy")
	a.init = func(context.Context, *ccproxy.PluginContext) error { return ccproxy.ErrSkip }
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{
		playedBy(ccproxy.Manifest{Name: "shy"}, a), plain(ccproxy.Manifest{Name: "friend", Dependencies: []string{"shy"}}),
	}, ccproxy.WithStrictStart())
	want := map[string]string{"shy": "skipped", "friend": "skipped"}
	if diff := cmp.Diff(want, statesOf(p)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if n := e.journal.count("stop shy"); n != 1 {
		t.Errorf("Shutdown was called %d times", n)
	}
}

func TestStartOnly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		names  []string
		fails  string
		want   error
		inits  []string
		plugin string // that the error names
	}{
		{"one with what it needs", []string{"auth"}, "", nil, []string{"init store", "init auth"}, ""},
		{"none", nil, "", nil, nil, ""},
		{"unknown", []string{"nobody"}, "", ccproxy.ErrUnknownPlugin, nil, "nobody"},
		{"disabled", []string{"off"}, "", ccproxy.ErrDisabled, nil, "off"},
		{"not safe", []string{"heavy"}, "", ccproxy.ErrInvalidManifest, nil, "heavy"},
		{"needs one that is not safe", []string{"careless"}, "", ccproxy.ErrInvalidManifest, nil, "heavy"},
		{"fails", []string{"auth"}, "auth", errPlanned, []string{"init store", "init auth"}, "auth"},
		{"what it needs fails", []string{"auth"}, "store", ccproxy.ErrMissingDependency, []string{"init store"}, "auth"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := &ensemble{}
				if tt.fails != "" {
					e.phase, e.hazard = "initialize "+tt.fails, func(context.Context) error { return errPlanned }
				}
				p := built(t, ccproxy.Settings{DisabledPlugins: []string{"off"}}, e.cliFactories())
				err := p.StartOnly(t.Context(), tt.names...)
				if !errors.Is(err, tt.want) {
					t.Errorf("StartOnly = %v, want %v", err, tt.want)
				}
				if perr, ok := errors.AsType[*ccproxy.PluginError](err); tt.want != nil && (!ok || perr.Plugin != tt.plugin) {
					t.Errorf("StartOnly = %v, want one that names %s", err, tt.plugin)
				}
				if diff := cmp.Diff(tt.inits, e.journal.all()[:len(tt.inits)]); len(tt.inits) > 0 && diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				if n := e.journal.count("made"); n != 0 {
					t.Errorf("%d providers, middleware, routes or tasks were made", n)
				}
				if got := visit(p, http.MethodGet, "/", "").Code; got != http.StatusServiceUnavailable {
					t.Errorf("GET / = %d", got)
				}
				if err := p.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown = %v", err)
				}
				for _, name := range []string{"store", "auth", "heavy", "careless", "other"} {
					if i, s := e.journal.count("init "+name), e.journal.count("stop "+name); i != s {
						t.Errorf("%s: initialized %d times, stopped %d times", name, i, s)
					}
				}
			})
		})
	}
}

func (e *ensemble) cliFactories() []ccproxy.Factory {
	made := func(context.Context) error { e.journal.add("made"); return nil }
	auth := ccproxy.Manifest{
		Name: "auth", CLISafe: true, Dependencies: []string{"store"}, Kind: ccproxy.KindProvider,
		Providers:  []ccproxy.ProviderSpec{providerSpec("auth")},
		Middleware: []ccproxy.MiddlewareSpec{{New: newOf[middleware.Func](passMiddleware, made)}},
		Routes:     []ccproxy.RouteSpec{routeOf("auth_route")},
		Tasks:      []ccproxy.TaskSpec{{Name: "t", Interval: time.Minute, New: newOf(made, made)}},
	}
	auth.Providers[0].New = newOf[ccproxy.Provider](idleProvider{}, made)
	auth.Routes[0].New = newOf(http.NotFoundHandler(), made)
	manifests := []ccproxy.Manifest{
		auth,
		{Name: "store", CLISafe: true},
		{Name: "heavy"},
		{Name: "careless", CLISafe: true, Dependencies: []string{"heavy"}},
		{Name: "other", CLISafe: true},
		{Name: "off", CLISafe: true},
	}
	var out []ccproxy.Factory
	for _, m := range manifests {
		a := e.named(m.Name)
		initialize, fail := a.init, e.at("initialize "+m.Name)
		a.init = func(ctx context.Context, pc *ccproxy.PluginContext) error {
			return errors.Join(initialize(ctx, pc), fail(ctx))
		}
		out = append(out, playedBy(m, a))
	}
	return out
}
