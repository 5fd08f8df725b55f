package ccproxy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

func needs(name string, deps ...string) ccproxy.Manifest {
	return ccproxy.Manifest{Name: name, Dependencies: deps}
}

// services makes a manifest of "+svc" (provides), "!svc" (requires) and "?svc" (would like).
func services(name string, marks ...string) ccproxy.Manifest {
	m := ccproxy.Manifest{Name: name}
	for _, mark := range marks {
		switch svc := mark[1:]; mark[0] {
		case '+':
			m.Provides = append(m.Provides, svc)
		case '!':
			m.Requires = append(m.Requires, svc)
		default:
			m.OptionalRequires = append(m.OptionalRequires, svc)
		}
	}
	return m
}

// resolveCase is a registry with settings, and what is to come of it.
type resolveCase struct {
	name      string
	manifests []ccproxy.Manifest
	settings  ccproxy.Settings
	order     string
	skipped   map[string]string // plugin to reason
	services  map[string]string
}

func TestResolveDependencies(t *testing.T) {
	t.Parallel()
	pair := []adapters.FormatPair{foreignPair()}
	adapter := []ccproxy.FormatAdapterSpec{{
		From: foreignPair().From, To: foreignPair().To, New: newOf[adapters.FormatAdapter](adapters.Funcs{}, noStep),
	}}
	resolveAll(t, []resolveCase{
		{name: "nothing", order: ""},
		{name: "by name", manifests: []ccproxy.Manifest{needs("c"), needs("a"), needs("b")}, order: "a b c"},
		{
			name: "after dependencies", manifests: []ccproxy.Manifest{needs("a", "c"), needs("b"), needs("c", "d"), needs("d")},
			order: "b d c a",
		},
		{
			name: "missing dependency, to the fixed point", manifests: []ccproxy.Manifest{needs("a", "b"), needs("b", "c"), needs("c", "gone"), needs("d")},
			order: "d", skipped: map[string]string{
				"a": `missing dependency: plugin "b"`, "b": `missing dependency: plugin "c"`, "c": `missing dependency: plugin "gone"`,
			},
		},
		{
			name: "required service", manifests: []ccproxy.Manifest{services("a", "!s"), services("b", "+s")},
			order: "b a", services: map[string]string{"s": "b"},
		},
		{
			name: "missing service", manifests: []ccproxy.Manifest{services("a", "!s"), needs("b", "a")},
			order: "", skipped: map[string]string{"a": `missing dependency: service "s"`, "b": `missing dependency: plugin "a"`},
		},
		{
			name: "optional service orders", manifests: []ccproxy.Manifest{services("a", "?s"), services("b", "+s")},
			order: "b a", services: map[string]string{"s": "b"},
		},
		{name: "optional service may be missing", manifests: []ccproxy.Manifest{services("a", "?s")}, order: "a"},
		{
			name: "first provider by name", manifests: []ccproxy.Manifest{services("a", "!s"), services("y", "+s"), services("x", "+s")},
			order: "x a y", services: map[string]string{"s": "x"},
		},
		{
			name: "provider of the service is off", manifests: []ccproxy.Manifest{services("a", "!s"), services("b", "+s")},
			settings: ccproxy.Settings{DisabledPlugins: []string{"b"}},
			skipped:  map[string]string{"a": `missing dependency: service "s"`, "b": "disabled via config"},
		},
		{
			name: "own service", manifests: []ccproxy.Manifest{services("a", "+s", "!s")}, order: "a", services: map[string]string{"s": "a"},
		},
		{
			name: "cycle", manifests: []ccproxy.Manifest{needs("a", "b"), needs("b", "a"), needs("c", "a"), needs("d")},
			order: "d", skipped: map[string]string{
				"a": "circular dependency: a, b", "b": "circular dependency: a, b", "c": `missing dependency: plugin "a"`,
			},
		},
		{
			name: "two cycles have a reason each", manifests: []ccproxy.Manifest{needs("a", "b"), needs("b", "a"), needs("x", "y"), needs("y", "x")},
			skipped: map[string]string{
				"a": "circular dependency: a, b", "b": "circular dependency: a, b",
				"x": "circular dependency: x, y", "y": "circular dependency: x, y",
			},
		},
		{
			name: "cycle through services", manifests: []ccproxy.Manifest{services("a", "+s", "!t"), services("b", "+t", "!s")},
			skipped: map[string]string{"a": "circular dependency: a, b", "b": "circular dependency: a, b"},
		},
		{
			name: "optional edge gives way", manifests: []ccproxy.Manifest{services("a", "+s", "?t"), services("b", "+t", "!s")},
			order: "a b", services: map[string]string{"s": "a", "t": "b"},
		},
		{
			name: "optional cycle", manifests: []ccproxy.Manifest{services("b", "+t", "?s"), services("a", "+s", "?t")},
			order: "a b", services: map[string]string{"s": "a", "t": "b"},
		},
		{
			name:      "who is outside of an optional cycle waits for it",
			manifests: []ccproxy.Manifest{services("a", "?s"), services("x", "+s", "?t"), services("y", "+t", "?s")},
			order:     "x a y", services: map[string]string{"s": "x", "t": "y"},
		},
		{
			name: "the cycle that others wait for is entered first",
			manifests: []ccproxy.Manifest{
				services("a", "+sa", "?sb", "?sx"), services("b", "+sb", "?sa"), services("x", "+sx", "?sy"), services("y", "+sy", "?sx"),
			},
			order: "x y a b", services: map[string]string{"sa": "a", "sb": "b", "sx": "x", "sy": "y"},
		},
		{
			name: "required format pair", manifests: []ccproxy.Manifest{
				{Name: "a", RequiresFormatAdapters: pair}, {Name: "b", FormatAdapters: adapter},
			},
			order: "a b",
		},
		{
			name: "missing format pair", manifests: []ccproxy.Manifest{{Name: "a", RequiresFormatAdapters: pair}, needs("b", "a")},
			skipped: map[string]string{
				"a": "missing dependency: format adapter " + foreignPair().String(), "b": `missing dependency: plugin "a"`,
			},
		},
		{
			name: "the adapter's plugin lacks something", manifests: []ccproxy.Manifest{
				{Name: "a", RequiresFormatAdapters: pair}, {Name: "b", FormatAdapters: adapter, Dependencies: []string{"gone"}},
			},
			skipped: map[string]string{
				"a": "missing dependency: format adapter " + foreignPair().String(), "b": `missing dependency: plugin "gone"`,
			},
		},
	})
}

func TestResolveSettings(t *testing.T) {
	t.Parallel()
	off := ccproxy.Manifest{Name: "off", DefaultOff: true}
	enabled := func(name string, on bool) map[string]map[string]any {
		return map[string]map[string]any{name: {"enabled": on}}
	}
	resolveAll(t, []resolveCase{
		{
			name: "all off", manifests: []ccproxy.Manifest{needs("a")}, settings: ccproxy.Settings{DisablePlugins: true},
			skipped: map[string]string{"a": "disabled via plugin system disabled"},
		},
		{
			name: "allow list", manifests: []ccproxy.Manifest{needs("a"), needs("b")},
			settings: ccproxy.Settings{EnabledPlugins: []string{"b"}},
			order:    "b", skipped: map[string]string{"a": "disabled via not allow-listed"},
		},
		{
			name: "empty allow list", manifests: []ccproxy.Manifest{needs("a")}, settings: ccproxy.Settings{EnabledPlugins: []string{}},
			skipped: map[string]string{"a": "disabled via not allow-listed"},
		},
		{
			name: "the deny list wins", manifests: []ccproxy.Manifest{needs("a"), needs("b")},
			settings: ccproxy.Settings{EnabledPlugins: []string{"a", "b"}, DisabledPlugins: []string{"a"}},
			order:    "b", skipped: map[string]string{"a": "disabled via config"},
		},
		{
			name: "enabled = false", manifests: []ccproxy.Manifest{needs("a"), needs("b", "a")},
			settings: ccproxy.Settings{Plugins: enabled("a", false)},
			skipped:  map[string]string{"a": "disabled via config", "b": `missing dependency: plugin "a"`},
		},
		{
			name: "enabled = false wins over the allow list", manifests: []ccproxy.Manifest{needs("a")},
			settings: ccproxy.Settings{EnabledPlugins: []string{"a"}, Plugins: enabled("a", false)},
			skipped:  map[string]string{"a": "disabled via config"},
		},
		{
			name: "enabled = true does not replace the allow list", manifests: []ccproxy.Manifest{needs("a")},
			settings: ccproxy.Settings{EnabledPlugins: []string{}, Plugins: enabled("a", true)},
			skipped:  map[string]string{"a": "disabled via not allow-listed"},
		},
		{name: "off by default", manifests: []ccproxy.Manifest{off}, skipped: map[string]string{"off": "disabled by default"}},
		{
			name: "off by default, enabled", manifests: []ccproxy.Manifest{off},
			settings: ccproxy.Settings{Plugins: enabled("off", true)}, order: "off",
		},
		{
			name: "off by default, allow-listed", manifests: []ccproxy.Manifest{off},
			settings: ccproxy.Settings{EnabledPlugins: []string{"off"}}, order: "off",
		},
		{
			name: "off by default, with a table only", manifests: []ccproxy.Manifest{off},
			settings: ccproxy.Settings{Plugins: map[string]map[string]any{"off": {}}},
			skipped:  map[string]string{"off": "disabled by default"},
		},
	})
}

func resolveAll(t *testing.T, tests []resolveCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var factories []ccproxy.Factory
			for _, m := range tt.manifests {
				factories = append(factories, plain(m))
			}
			reg := registryOf(t, factories...)
			res, err := reg.ResolveDependencies(tt.settings)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(res.Order, " "); got != tt.order {
				t.Errorf("order = %q, want %q", got, tt.order)
			}
			skipped := make(map[string]string)
			for _, s := range res.Skipped {
				skipped[s.Plugin] = s.Reason.Error()
				known := errors.Is(s.Reason, ccproxy.ErrDisabled) || errors.Is(s.Reason, ccproxy.ErrMissingDependency) ||
					errors.Is(s.Reason, ccproxy.ErrCycle)
				if !known {
					t.Errorf("reason of %s is of no kind: %v", s.Plugin, s.Reason)
				}
			}
			if diff := cmp.Diff(orEmpty(tt.skipped), skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(orEmpty(tt.services), res.Services); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
			agreesWithBuild(t, reg, tt.settings, res)
		})
	}
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// agreesWithBuild checks that a proxy starts what was resolved, and shows the same reasons.
func agreesWithBuild(t *testing.T, reg *ccproxy.Registry, s ccproxy.Settings, res ccproxy.Resolution) {
	t.Helper()
	p, err := reg.Build(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(t.Context())
	if !s.DisablePlugins {
		status := visited(t, p, "/plugins/status")
		order := []string{}
		for _, name := range status["initialization_order"].([]any) {
			order = append(order, name.(string))
		}
		if diff := cmp.Diff(append([]string{}, res.Order...), order); diff != "" {
			t.Errorf("order of Build (-resolved +got):\n%s", diff)
		}
	}
	left := make(map[string]string)
	for _, st := range p.Statuses() {
		if st.State != "active" {
			left[st.Name] = st.Reason.Error()
		}
	}
	for _, sk := range res.Skipped {
		if left[sk.Plugin] != sk.Reason.Error() {
			t.Errorf("status of %s says %q, resolved was %q", sk.Plugin, left[sk.Plugin], sk.Reason)
		}
		delete(left, sk.Plugin)
	}
	if len(left) != 0 {
		t.Errorf("plugins that resolved but do not run: %v", left)
	}
}

func TestRouteConflicts(t *testing.T) {
	t.Parallel()
	provider := func(plugin, name string) ccproxy.Manifest {
		return ccproxy.Manifest{Name: plugin, Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{providerSpec(name)}}
	}
	route := func(plugin, prefix string) ccproxy.Manifest {
		r := routeOf(plugin)
		r.Prefix = prefix
		return ccproxy.Manifest{Name: plugin, Routes: []ccproxy.RouteSpec{r}}
	}
	tests := []struct {
		name      string
		manifests []ccproxy.Manifest
		owners    []string // that the error names; none: no error
	}{
		{"equal prefixes", []ccproxy.Manifest{route("a", "/x"), route("b", "/x")}, []string{"a", "b", "/x"}},
		{"equal providers", []ccproxy.Manifest{provider("a", "x"), provider("b", "x")}, []string{"a", "b", "/x"}},
		{"route and provider", []ccproxy.Manifest{route("a", "/x"), provider("b", "x")}, []string{"a", "b", "/x"}},
		{"the core's health", []ccproxy.Manifest{route("a", "/health")}, []string{"core", "a", "/health"}},
		{"the core's readiness", []ccproxy.Manifest{route("a", "/health/ready")}, []string{"core", "a", "/health/ready"}},
		{"the core's plugins", []ccproxy.Manifest{route("a", "/plugins")}, []string{"core", "a", "/plugins"}},
		{"the core's status", []ccproxy.Manifest{route("a", "/plugins/status")}, []string{"core", "a", "/plugins/status"}},
		{"the core's version", []ccproxy.Manifest{provider("a", "v1")}, []string{"core", "a", "/v1"}},
		{"nested prefixes", []ccproxy.Manifest{route("a", "/x"), route("b", "/x/y")}, nil},
		{"prefixes that only begin alike", []ccproxy.Manifest{route("a", "/x"), route("b", "/xy")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var factories []ccproxy.Factory
			for _, m := range tt.manifests {
				factories = append(factories, plain(m))
			}
			reg := registryOf(t, factories...)
			_, err := reg.Build(ccproxy.Settings{})
			if tt.owners == nil {
				if err != nil {
					t.Errorf("Build = %v", err)
				}
				return
			}
			if !errors.Is(err, ccproxy.ErrRouteConflict) {
				t.Fatalf("Build = %v, want ErrRouteConflict", err)
			}
			for _, owner := range tt.owners {
				if !strings.Contains(err.Error(), owner) {
					t.Errorf("error %q does not name %s", err, owner)
				}
			}
			if len(factories) < 2 {
				return
			}
			if _, err := reg.Build(ccproxy.Settings{DisabledPlugins: []string{"b"}}); err != nil {
				t.Errorf("Build without one of the two = %v", err)
			}
		})
	}
}
