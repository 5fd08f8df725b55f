package ccproxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers"
)

// actor is a plugin whose calls are functions of the test; one that is nil does nothing.
type actor struct {
	init     func(context.Context, *ccproxy.PluginContext) error
	validate func(context.Context) error
	stop     func(context.Context) error
	health   func(context.Context) ccproxy.Health

	pc *ccproxy.PluginContext // of the last Initialize
}

func (a *actor) Initialize(ctx context.Context, pc *ccproxy.PluginContext) error {
	a.pc = pc
	if a.init == nil {
		return nil
	}
	return a.init(ctx, pc)
}

func (a *actor) Validate(ctx context.Context) error { return call(ctx, a.validate) }
func (a *actor) Shutdown(ctx context.Context) error { return call(ctx, a.stop) }

func (a *actor) HealthCheck(ctx context.Context) ccproxy.Health {
	if a.health == nil {
		return ccproxy.Health{}
	}
	return a.health(ctx)
}

func call(ctx context.Context, fn func(context.Context) error) error {
	if fn == nil {
		return nil
	}
	return fn(ctx)
}

// playedBy is the factory of a plugin that the actor plays.
func playedBy(m ccproxy.Manifest, a *actor) ccproxy.Factory {
	return ccproxy.NewFactory(m, func() ccproxy.Plugin { return a })
}

// plain is a factory of a manifest alone.
func plain(m ccproxy.Manifest) ccproxy.Factory { return ccproxy.NewFactory(m, nil) }

func registryOf(t *testing.T, factories ...ccproxy.Factory) *ccproxy.Registry {
	t.Helper()
	reg := new(ccproxy.Registry)
	if err := reg.Register(factories...); err != nil {
		t.Fatal(err)
	}
	return reg
}

// built builds a proxy of the factories.
func built(t *testing.T, s ccproxy.Settings, factories []ccproxy.Factory, opts ...ccproxy.Option) *ccproxy.Proxy {
	t.Helper()
	p, err := registryOf(t, factories...).Build(s, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// running builds and starts a proxy that is shut down when the test ends, unless the test does.
func running(t *testing.T, s ccproxy.Settings, factories []ccproxy.Factory, opts ...ccproxy.Option) *ccproxy.Proxy {
	t.Helper()
	p := built(t, s, factories, opts...)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) })
	return p
}

// visit sends one request to a handler.
func visit(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	h.ServeHTTP(w, r)
	return w
}

// visited decodes the JSON answer to a GET.
func visited(t *testing.T, h http.Handler, path string) map[string]any {
	t.Helper()
	w := visit(h, http.MethodGet, path, "")
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("GET %s: %d %s: %v", path, w.Code, w.Body, err)
	}
	return v
}

// detailsOf are the details of a plugin's health.
func detailsOf(t *testing.T, h http.Handler, plugin string) map[string]any {
	t.Helper()
	d, ok := visited(t, h, "/plugins/"+plugin+"/health")["details"].(map[string]any)
	if !ok {
		t.Fatalf("no details of %s", plugin)
	}
	return d
}

// statesOf maps the plugins of a proxy to their states.
func statesOf(p *ccproxy.Proxy) map[string]string {
	states := make(map[string]string)
	for _, s := range p.Statuses() {
		states[s.Name] = s.State
	}
	return states
}

// journal is a list of what happened, for several goroutines.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

func (j *journal) count(line string) int {
	n := 0
	for _, l := range j.all() {
		if l == line {
			n++
		}
	}
	return n
}

var errPlanned = errors.New("planned failure")

// panicWith panics with a value that may be nil.
func panicWith(v any) { panic(v) }

// hazard is a way in which a plugin's code does not do what it should.
type hazard struct {
	name string
	deaf bool // it hangs and does not heed its context
	do   func(ctx context.Context, release <-chan struct{}) error
}

func hazards() []hazard {
	return []hazard{
		{name: "error", do: func(context.Context, <-chan struct{}) error { return errPlanned }},
		{name: "panic", do: func(context.Context, <-chan struct{}) error { panic("canary-panic-value") }},
		{name: "panic nil", do: func(context.Context, <-chan struct{}) error { panicWith(nil); return nil }},
		{name: "goexit", do: func(context.Context, <-chan struct{}) error { runtime.Goexit(); return nil }},
		{name: "hang", do: func(ctx context.Context, _ <-chan struct{}) error { <-ctx.Done(); return ctx.Err() }},
		{name: "deaf hang", deaf: true, do: func(_ context.Context, release <-chan struct{}) error {
			<-release
			return nil
		}},
	}
}

// foreignFormat is a format that no provider of the project speaks.
const foreignFormat adapters.Format = "test.foreign"

func foreignPair() adapters.FormatPair {
	return adapters.FormatPair{From: foreignFormat, To: adapters.AnthropicMessages}
}

func okHandler(*ccproxy.PluginContext) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }), nil
}

func routeOf(plugin string) ccproxy.RouteSpec {
	return ccproxy.RouteSpec{Prefix: "/" + plugin, Endpoints: []ccproxy.Endpoint{{}}, New: okHandler}
}

// idleProvider is a provider that is never called.
type idleProvider struct{}

func (idleProvider) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }
func (idleProvider) Do(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
	return nil, ccproxy.ErrUnsupported
}

func providerSpec(name string) ccproxy.ProviderSpec {
	return ccproxy.ProviderSpec{
		Name: name, Formats: []adapters.Format{adapters.AnthropicMessages},
		New: func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return idleProvider{}, nil },
	}
}

// idleOAuth is an OAuth provider that is never asked.
type idleOAuth struct {
	oauth.Provider
	name string
}

func (o idleOAuth) Info() oauth.Info { return oauth.Info{Name: o.name} }

// newOf is the New of a spec that first runs a step of the test.
func newOf[T any](v T, step func(context.Context) error) func(*ccproxy.PluginContext) (T, error) {
	return func(pc *ccproxy.PluginContext) (T, error) {
		err := step(pc.Context())
		return v, err
	}
}

func passMiddleware(next http.Handler) http.Handler { return next }

var _ middleware.Func = passMiddleware

func silentHook(name string, j *journal) hooks.Hook {
	return hooks.Observe(name, func(_ context.Context, hc *hooks.Context) error {
		j.add(name + " " + string(hc.Event))
		return nil
	}, hooks.EventRequestStarted)
}

// upstreamFactory is a provider of Anthropic's format at an address.
func upstreamFactory(name, address string) ccproxy.Factory {
	return providers.New(ccproxy.Manifest{Name: name}, providers.Upstream{
		BaseURL: address, Formats: []adapters.Format{adapters.AnthropicMessages},
		Credentials:   providers.HeaderKey("X-Api-Key", ccproxy.NewSecret("key")),
		DefaultHeader: http.Header{"Anthropic-Version": {"2023-06-01"}},
	})
}
