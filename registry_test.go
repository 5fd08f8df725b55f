package ccproxy_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/oauth"
)

func TestBadManifests(t *testing.T) {
	t.Parallel()
	route := func(change func(*ccproxy.RouteSpec)) func(*ccproxy.Manifest) {
		return func(m *ccproxy.Manifest) {
			r := routeOf("good")
			change(&r)
			m.Routes = []ccproxy.RouteSpec{r}
		}
	}
	endpoint := func(e ...ccproxy.Endpoint) func(*ccproxy.Manifest) {
		return route(func(r *ccproxy.RouteSpec) { r.Endpoints = e })
	}
	prefix := func(p string) func(*ccproxy.Manifest) { return route(func(r *ccproxy.RouteSpec) { r.Prefix = p }) }
	task := func(change func(*ccproxy.TaskSpec)) func(*ccproxy.Manifest) {
		return func(m *ccproxy.Manifest) {
			s := ccproxy.TaskSpec{Name: "t", Interval: time.Minute, New: taskNew}
			change(&s)
			m.Tasks = []ccproxy.TaskSpec{s}
		}
	}
	provider := func(specs ...ccproxy.ProviderSpec) func(*ccproxy.Manifest) {
		return func(m *ccproxy.Manifest) { m.Kind, m.Providers = ccproxy.KindProvider, specs }
	}
	named := func(name string) func(*ccproxy.Manifest) { return func(m *ccproxy.Manifest) { m.Name = name } }
	tests := []struct {
		name  string
		spoil func(*ccproxy.Manifest)
		says  string
	}{
		{"no name", named(""), "name"},
		{"name in upper case", named("Good"), "name"},
		{"name with a dash", named("go-od"), "name"},
		{"name that begins with a digit", named("1good"), "name"},
		{"name with a dot", named("a.b"), "name"},
		{"name with a line break", named("good\n"), "name"},
		{"unknown kind", func(m *ccproxy.Manifest) { m.Kind = 9 }, "kind"},
		{"system plugin with a provider", func(m *ccproxy.Manifest) {
			m.Providers = []ccproxy.ProviderSpec{providerSpec("x")}
		}, "has providers"},
		{"auth plugin with a provider", func(m *ccproxy.Manifest) {
			m.Kind, m.Providers = ccproxy.KindAuth, []ccproxy.ProviderSpec{providerSpec("x")}
		}, "has providers"},
		{"provider plugin without one", func(m *ccproxy.Manifest) { m.Kind = ccproxy.KindProvider }, "no providers"},
		{"auth plugin without an OAuth provider", func(m *ccproxy.Manifest) { m.Kind = ccproxy.KindAuth }, "OAuth"},
		{"depends on itself", func(m *ccproxy.Manifest) { m.Dependencies = []string{"good"} }, "itself"},
		{"empty dependency", func(m *ccproxy.Manifest) { m.Dependencies = []string{""} }, "dependency"},
		{"dependency twice", func(m *ccproxy.Manifest) { m.Dependencies = []string{"a", "a"} }, `"a"`},
		{"service provided twice", func(m *ccproxy.Manifest) { m.Provides = []string{"a", "a"} }, "Provides"},
		{"empty required service", func(m *ccproxy.Manifest) { m.Requires = []string{""} }, "Requires"},
		{"empty optional service", func(m *ccproxy.Manifest) { m.OptionalRequires = []string{""} }, "OptionalRequires"},
		{"provider in upper case", provider(providerSpec("Claude")), "Claude"},
		{"provider with an empty segment", provider(providerSpec("a//b")), "a//b"},
		{"provider with dots", provider(providerSpec("../x")), "../x"},
		{"provider twice", provider(providerSpec("x"), providerSpec("x")), "twice"},
		{"provider without formats", provider(ccproxy.ProviderSpec{Name: "x", New: providerSpec("x").New}), "formats"},
		{"provider with an empty format", provider(ccproxy.ProviderSpec{
			Name: "x", Formats: []adapters.Format{""}, New: providerSpec("x").New,
		}), "formats"},
		{"provider without New", provider(ccproxy.ProviderSpec{Name: "x", Formats: []adapters.Format{"f"}}), "provider x"},
		{"OAuth provider without a name", func(m *ccproxy.Manifest) {
			m.OAuthProviders = []ccproxy.OAuthProviderSpec{{New: newOf[oauth.Provider](nil, noStep)}}
		}, "OAuth"},
		{"OAuth provider without New", func(m *ccproxy.Manifest) {
			m.OAuthProviders = []ccproxy.OAuthProviderSpec{{Name: "o"}}
		}, "OAuth provider o"},
		{"hook without New", func(m *ccproxy.Manifest) { m.Hooks = []ccproxy.HookSpec{{}} }, "hook"},
		{"middleware without New", func(m *ccproxy.Manifest) {
			m.Middleware = []ccproxy.MiddlewareSpec{{Name: "mw"}}
		}, "middleware mw"},
		{"prefix without a slash", prefix("x"), `"x"`},
		{"prefix of the root", prefix("/"), `"/"`},
		{"prefix with a slash at the end", prefix("/x/"), `"/x/"`},
		{"prefix with dots", prefix("/x/../y"), "/x/../y"},
		{"prefix with an escape", prefix("/x%2fy"), "%2fy"},
		{"prefix with an empty segment", prefix("/x//y"), "/x//y"},
		{"prefix with a variable", prefix("/{x}"), "/{x}"},
		{"prefix with a query", prefix("/x?y"), "/x?y"},
		{"prefix twice", func(m *ccproxy.Manifest) {
			m.Routes = []ccproxy.RouteSpec{routeOf("x"), routeOf("x")}
		}, "twice"},
		{"route without New", route(func(r *ccproxy.RouteSpec) { r.New = nil }), "route /good"},
		{"route without endpoints", endpoint(), "endpoints"},
		{"route with an unknown policy", route(func(r *ccproxy.RouteSpec) { r.Auth = 7 }), "policy"},
		{"pattern without a slash", endpoint(ccproxy.Endpoint{Pattern: "x"}), `"x"`},
		{"pattern with an expression", endpoint(ccproxy.Endpoint{Pattern: "/{x:.*}"}), "{x:.*}"},
		{"pattern with a variable twice", endpoint(ccproxy.Endpoint{Pattern: "/{x}/{x}"}), "{x} twice"},
		{"endpoint twice", endpoint(ccproxy.Endpoint{}, ccproxy.Endpoint{Method: "get"}), "twice"},
		{"endpoint with a strange method", endpoint(ccproxy.Endpoint{Method: "GE T"}), "GE T"},
		{"endpoint with an unknown policy", endpoint(ccproxy.Endpoint{Auth: 7}), "policy"},
		{"task without a name", task(func(s *ccproxy.TaskSpec) { s.Name = "" }), "task name"},
		{"task twice", func(m *ccproxy.Manifest) {
			s := ccproxy.TaskSpec{Name: "t", Interval: time.Minute, New: taskNew}
			m.Tasks = []ccproxy.TaskSpec{s, s}
		}, "task name"},
		{"task without an interval", task(func(s *ccproxy.TaskSpec) { s.Interval = 0 }), "interval"},
		{"task in a hurry", task(func(s *ccproxy.TaskSpec) { s.Interval = time.Second - 1 }), "interval"},
		{"task with too much jitter", task(func(s *ccproxy.TaskSpec) { s.Jitter = 1.5 }), "jitter"},
		{"task with a negative timeout", task(func(s *ccproxy.TaskSpec) { s.Timeout = -1 }), "timeout"},
		{"task without New", task(func(s *ccproxy.TaskSpec) { s.New = nil }), "task t"},
		{"adapter of one format", func(m *ccproxy.Manifest) {
			m.FormatAdapters = []ccproxy.FormatAdapterSpec{{From: "a", To: "a", New: newOf[adapters.FormatAdapter](nil, noStep)}}
		}, "formats"},
		{"adapter without New", func(m *ccproxy.Manifest) {
			m.FormatAdapters = []ccproxy.FormatAdapterSpec{{From: "a", To: "b"}}
		}, "format adapter"},
		{"required pair with one format", func(m *ccproxy.Manifest) {
			m.RequiresFormatAdapters = []adapters.FormatPair{{From: "a"}}
		}, "required format adapter"},
		{"auth command without New", func(m *ccproxy.Manifest) {
			m.AuthCommands = []ccproxy.AuthCommandSpec{{Name: "login"}}
		}, "auth command login"},
		{"command without a name", func(m *ccproxy.Manifest) { m.Commands = []ccproxy.CommandSpec{{}} }, "command"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := ccproxy.Manifest{Name: "good"}
			tt.spoil(&m)
			var reg ccproxy.Registry
			for what, err := range map[string]error{
				"Register": reg.Register(plain(ccproxy.Manifest{Name: "before"}), plain(m)), "Replace": reg.Replace(plain(m)),
			} {
				perr, ok := errors.AsType[*ccproxy.PluginError](err)
				if !ok || !errors.Is(err, ccproxy.ErrInvalidManifest) || perr.Plugin != m.Name || perr.Op != "register" {
					t.Errorf("%s = %#v, want a PluginError around ErrInvalidManifest", what, err)
				} else if !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%s = %v, want it to say %q", what, err, tt.says)
				}
			}
			if left := reg.Manifests(); len(left) != 0 {
				t.Errorf("manifests after the errors: %v", left)
			}
		})
	}
}

func noStep(context.Context) error { return nil }

func taskNew(*ccproxy.PluginContext) (func(context.Context) error, error) { return noStep, nil }

type panickyFactory struct{ ccproxy.Factory }

func (panickyFactory) Manifest() ccproxy.Manifest { panic("canary") }

func TestRegister(t *testing.T) {
	t.Parallel()
	one := plain(ccproxy.Manifest{Name: "one"})
	tests := []struct {
		name      string
		factories []ccproxy.Factory
		want      error
	}{
		{"nil", []ccproxy.Factory{nil}, ccproxy.ErrInvalidManifest},
		{"panic in Manifest", []ccproxy.Factory{panickyFactory{}}, ccproxy.ErrPanic},
		{"nil pointer", []ccproxy.Factory{(*pointerFactory)(nil)}, ccproxy.ErrPanic},
		{"twice in one call", []ccproxy.Factory{plain(ccproxy.Manifest{Name: "two"}), plain(ccproxy.Manifest{Name: "two"})}, ccproxy.ErrDuplicate},
		{"taken", []ccproxy.Factory{plain(ccproxy.Manifest{Name: "two"}), one}, ccproxy.ErrDuplicate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reg := registryOf(t, one)
			err := reg.Register(tt.factories...)
			if _, ok := errors.AsType[*ccproxy.PluginError](err); !ok || !errors.Is(err, tt.want) {
				t.Errorf("Register = %v, want a PluginError around %v", err, tt.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows the value of a panic: %v", err)
			}
			if n := len(reg.Manifests()); n != 1 {
				t.Errorf("%d plugins are registered after an error, want the one before", n)
			}
		})
	}
}

type pointerFactory struct{ name string }

func (f *pointerFactory) Manifest() ccproxy.Manifest    { return ccproxy.Manifest{Name: f.name} }
func (f *pointerFactory) CreateRuntime() ccproxy.Plugin { return nil }

func TestReplace(t *testing.T) {
	t.Parallel()
	reg := registryOf(t, plain(ccproxy.Manifest{Name: "b", Version: "1"}), plain(ccproxy.Manifest{Name: "a"}))
	for _, m := range []ccproxy.Manifest{{Name: "b", Version: "2"}, {Name: "c"}} {
		if err := reg.Replace(plain(m)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, m := range reg.Manifests() {
		got = append(got, m.Name+m.Version)
	}
	if diff := cmp.Diff([]string{"a", "b2", "c"}, got); diff != "" {
		t.Errorf("manifests (-want +got):\n%s", diff)
	}
}

func TestManifestsAreCopies(t *testing.T) {
	t.Parallel()
	reg := registryOf(t, plain(ccproxy.Manifest{Name: "a", Provides: []string{"svc"}, Routes: []ccproxy.RouteSpec{routeOf("a")}}))
	m := reg.Manifests()[0]
	m.Provides[0], m.Routes[0].Endpoints[0].Pattern = "spoiled", "/spoiled"
	again := reg.Manifests()[0]
	if again.Provides[0] != "svc" || again.Routes[0].Endpoints[0].Pattern != "" {
		t.Errorf("a caller changed a registered manifest: %+v", again)
	}
}

// Build may ask for runtimes and configurations, but starts, dials and calls nothing.
func TestBuildRunsNothing(t *testing.T) {
	t.Parallel()
	var j journal
	note := func(what string) func(context.Context) error {
		return func(context.Context) error { j.add(what); return nil }
	}
	m := ccproxy.Manifest{
		Name: "all", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{providerSpec("all")},
		Configure:  func(any, *ccproxy.Manifest) error { j.add("configure"); return nil },
		Hooks:      []ccproxy.HookSpec{{New: newOf[hooks.Hook](nil, note("hook"))}},
		Middleware: []ccproxy.MiddlewareSpec{{New: newOf[middleware.Func](nil, note("middleware"))}},
		Tasks:      []ccproxy.TaskSpec{{Name: "t", Interval: time.Minute, New: newOf(noStep, note("task"))}},
		Routes:     []ccproxy.RouteSpec{routeOf("route")},
	}
	m.Providers[0].New = newOf[ccproxy.Provider](nil, note("provider"))
	m.Routes[0].New = newOf[http.Handler](nil, note("route"))
	a := &actor{
		init:     func(context.Context, *ccproxy.PluginContext) error { j.add("init"); return nil },
		validate: note("validate"), stop: note("stop"),
	}
	f := ccproxy.NewFactory(m, func() ccproxy.Plugin { j.add("create"); return a })
	dials := transportFunc(func(*http.Request) (*http.Response, error) { j.add("dial"); return nil, errPlanned })
	built(t, ccproxy.Settings{}, []ccproxy.Factory{f}, ccproxy.WithTransport(dials))
	if diff := cmp.Diff([]string{"configure", "create"}, j.all()); diff != "" {
		t.Errorf("calls of Build (-want +got):\n%s", diff)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCreateRuntimeFails(t *testing.T) {
	t.Parallel()
	for _, hz := range hazards()[1:4] {
		t.Run(hz.name, func(t *testing.T) {
			t.Parallel()
			reg := registryOf(t, ccproxy.NewFactory(ccproxy.Manifest{Name: "bad"}, func() ccproxy.Plugin {
				_ = hz.do(t.Context(), nil)
				return nil
			}))
			_, err := reg.Build(ccproxy.Settings{})
			if perr, ok := errors.AsType[*ccproxy.PluginError](err); !ok || perr.Plugin != "bad" {
				t.Errorf("Build = %v, want a PluginError of the plugin", err)
			}
		})
	}
}
