package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// suite is a factory with what it needs.
type suite struct {
	factory ccproxy.Factory
	name    string
	table   map[string]any
	others  []ccproxy.Factory
	options []ccproxy.Option
}

// witness is a plugin of the suite that shows it the manifests as Build completed them.
type witness struct {
	directory ccproxy.PluginDirectory
	hooks     ccproxy.HookRegistry
}

// Initialize implements [ccproxy.Plugin].
func (w *witness) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	w.directory, w.hooks = pc.Plugins, pc.Hooks
	return nil
}

// Shutdown implements [ccproxy.Plugin].
func (*witness) Shutdown(context.Context) error { return nil }

func (w *witness) factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "plugintest_witness"}, func() ccproxy.Plugin { return w })
}

// build makes a proxy of the plugin, what it needs, and more.
func (s *suite) build(t *testing.T, more ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	return s.buildWith(t, nil, more...)
}

// buildWith does so with further options, which count more than those of the plugin's test.
func (s *suite) buildWith(t *testing.T, options []ccproxy.Option, more ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	table := map[string]any{"enabled": true} // the plugin may be off by default
	maps.Copy(table, s.table)
	p, err := s.assemble(table, options, more...)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return p
}

// tryBuild tells what Build says of a table. What WithPluginConfig gives takes the place of a table, so options of
// the test are left out.
func (s *suite) tryBuild(table map[string]any) error {
	own := *s
	own.options = nil
	_, err := own.assemble(table, nil)
	return err
}

func (s *suite) assemble(
	table map[string]any, options []ccproxy.Option, more ...ccproxy.Factory,
) (*ccproxy.Proxy, error) {
	var reg ccproxy.Registry
	if err := reg.Register(slices.Concat([]ccproxy.Factory{s.factory}, s.others, more)...); err != nil {
		return nil, err
	}
	settings := ccproxy.Settings{Plugins: map[string]map[string]any{s.name: table}}
	return reg.Build(settings, slices.Concat([]ccproxy.Option{ccproxy.WithStrictStart()}, s.options, options)...)
}

// start starts a proxy in which the plugin must run.
func (s *suite) start(t *testing.T, p *ccproxy.Proxy) {
	t.Helper()
	if err := p.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	for _, st := range p.Statuses() {
		if st.Name == s.name && st.State != "active" {
			stop(t, p)
			t.Fatalf("the plugin is %s: %v; give the suite what it needs", st.State, st.Reason)
		}
	}
}

func stop(t *testing.T, p *ccproxy.Proxy) {
	t.Helper()
	if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func (s *suite) testManifest(t *testing.T) {
	var reg ccproxy.Registry
	if err := reg.Register(s.factory); err != nil {
		t.Fatalf("Register: %v", err)
	}
	first, second := outline(reflect.ValueOf(s.factory.Manifest())), outline(reflect.ValueOf(s.factory.Manifest()))
	if first != second {
		t.Errorf("Manifest differs from call to call:\n%s\n%s", first, second)
	}
	m := s.factory.Manifest()
	if m.Description == "" {
		t.Error("the manifest has no Description")
	}
	if !m.Config.IsZero() {
		a, b := m.Config.New(), m.Config.New()
		if reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() {
			t.Error("ConfigFor's defaults return the same pointer each time: proxies would share a configuration")
		}
	}
}

// outline prints a value without its functions, which cannot be compared.
func outline(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Func:
		return strconv.FormatBool(!v.IsNil())
	case reflect.Slice:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, outline(v.Index(i)))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			parts = append(parts, v.Type().Field(i).Name+":"+outline(v.Field(i)))
		}
		return "{" + strings.Join(parts, " ") + "}"
	default:
		return fmt.Sprint(v)
	}
}

func (s *suite) testRuntimes(t *testing.T) {
	a, b := s.factory.CreateRuntime(), s.factory.CreateRuntime()
	if (a == nil) != (b == nil) {
		t.Fatal("CreateRuntime returns nil once and a plugin once")
	}
	v := reflect.ValueOf(a)
	if v.Kind() == reflect.Pointer && v.Type().Elem().Size() > 0 && v.Pointer() == reflect.ValueOf(b).Pointer() {
		t.Error("CreateRuntime returns the same value twice: two proxies would share it")
	}
}

func (s *suite) testLife(t *testing.T) {
	w := new(witness)
	p := s.build(t, w.factory())
	s.start(t, p)
	s.checkHealth(t, p)
	for _, m := range w.directory.Manifests() {
		if m.Name == s.name {
			checkRoutes(t, p, &m)
		}
	}
	stop(t, p)
	stop(t, p)
	if got := send(t, p, http.MethodGet, "/health/live").Code; got != http.StatusServiceUnavailable {
		t.Errorf("the proxy answers %d after Shutdown", got)
	}
}

func (s *suite) checkHealth(t *testing.T, p *ccproxy.Proxy) {
	t.Helper()
	w := send(t, p, http.MethodGet, "/plugins/"+s.name+"/health")
	var health struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &health); err != nil || w.Code != http.StatusOK {
		t.Fatalf("health: %d %s: %v", w.Code, w.Body, err)
	}
	if health.Status != "healthy" && health.Status != "unknown" {
		t.Errorf("health after a start: %s", w.Body)
	}
}

// checkRoutes checks that what a manifest declares is there. What it answers is not the suite's to know.
func checkRoutes(t *testing.T, p *ccproxy.Proxy, m *ccproxy.Manifest) {
	t.Helper()
	check := func(method, path string) {
		w := send(t, p, method, path)
		missing := w.Code == http.StatusNotFound && !strings.Contains(path, variableValue)
		if missing || w.Code == http.StatusMethodNotAllowed {
			t.Errorf("%s %s, which the manifest declares, answers %d %s", method, path, w.Code, w.Body)
		}
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s answers a request without a body with %d %s", method, path, w.Code, w.Body)
		}
	}
	for _, spec := range m.Providers {
		name := spec.Name
		if name == "" {
			name = m.Name
		}
		check(http.MethodGet, "/"+name+"/v1/models")
	}
	for _, route := range m.Routes {
		for _, e := range route.Endpoints {
			method := strings.ToUpper(e.Method)
			if method == "" {
				method = http.MethodGet
			}
			check(method, route.Prefix+filled(e.Pattern))
		}
	}
}

const variableValue = "plugintest-value"

// filled puts a value in the place of each variable of a pattern.
func filled(pattern string) string {
	segments := strings.Split(pattern, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = variableValue
		}
	}
	return strings.Join(segments, "/")
}

func send(t *testing.T, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := leaver{httptest.NewRecorder(), cancel}
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, path, http.NoBody))
	return w.ResponseRecorder
}

// leaver is a client that leaves when the answer has begun: that of an endpoint that streams has no end.
type leaver struct {
	*httptest.ResponseRecorder

	leave context.CancelFunc
}

// Flush implements [http.Flusher].
func (l leaver) Flush() {
	l.ResponseRecorder.Flush()
	l.leave()
}

func (s *suite) testShutdownFirst(t *testing.T) {
	p := s.build(t)
	stop(t, p)
	if err := p.Start(t.Context()); !errors.Is(err, ccproxy.ErrState) {
		t.Errorf("Start after Shutdown: %v, want ErrState", err)
	}
}

var errOnPurpose = errors.New("failed on purpose")

// saboteur is a plugin that fails when the plugin under test has started.
type saboteur struct{ witness }

// Initialize implements [ccproxy.Plugin].
func (*saboteur) Initialize(context.Context, *ccproxy.PluginContext) error { return errOnPurpose }

func (s *suite) testFailedStart(t *testing.T) {
	m := ccproxy.Manifest{Name: "plugintest_saboteur", Dependencies: []string{s.name}}
	p := s.build(t, ccproxy.NewFactory(m, func() ccproxy.Plugin { return new(saboteur) }))
	if err := p.Start(t.Context()); !errors.Is(err, errOnPurpose) {
		t.Errorf("Start: %v, want the failure of the plugin that depends on this one", err)
	}
	for _, st := range p.Statuses() {
		if st.Name == s.name && (st.State != "stopped" || len(st.Abandoned) > 0) {
			t.Errorf("after a start that failed the plugin is %s, abandoned calls: %v", st.State, st.Abandoned)
		}
	}
	stop(t, p)
}

func (s *suite) testEndedContext(t *testing.T) {
	p := s.build(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	if err := p.Start(ctx); err == nil {
		t.Error("Start succeeds with a context that has ended")
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Start with a context that has ended took %v", took)
	}
	stop(t, p)
}

func (s *suite) testSideBySide(t *testing.T) {
	first, second := s.build(t), s.build(t)
	s.start(t, first)
	s.start(t, second)
	stop(t, first)
	s.checkHealth(t, second)
	stop(t, second)
}
