package ccproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// greeterConfig is the table [plugins.greeter].
type greeterConfig struct {
	Greeting string        `toml:"greeting" validate:"required"`
	Timeout  time.Duration `toml:"timeout" validate:"gt=0"`
}

// A plugin without a runtime of its own is a manifest: this one adds a route, configured by its table.
func ExampleNewFactory() {
	factory := ccproxy.NewFactory(ccproxy.Manifest{
		Name: "greeter", Description: "Greets",
		Config: ccproxy.ConfigFor(func() *greeterConfig { return &greeterConfig{Greeting: "hello", Timeout: time.Minute} }),
		Routes: []ccproxy.RouteSpec{{
			Prefix:    "/greet",
			Endpoints: []ccproxy.Endpoint{{Pattern: "/{name}", Summary: "Greet somebody"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				cfg, err := ccproxy.ConfigOf[greeterConfig](pc)
				if err != nil {
					return nil, err
				}
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					fmt.Fprintf(w, "%s %s within %v", cfg.Greeting, r.PathValue("name"), cfg.Timeout)
				}), nil
			},
		}},
	}, nil)

	var reg ccproxy.Registry
	_ = reg.Register(factory)
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{"greeter": {"timeout": "90s"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/greet/world", nil))
	fmt.Println(w.Body)
	// Output: hello world within 1m30s
}

// ConfigFor declares a configuration with its defaults; ConfigOf is how the plugin gets it.
func ExampleConfigFor() {
	spec := ccproxy.ConfigFor(func() *greeterConfig { return &greeterConfig{Greeting: "hello", Timeout: time.Minute} })
	reg := new(ccproxy.Registry)
	_ = reg.Register(ccproxy.NewFactory(ccproxy.Manifest{Name: "greeter", Config: spec}, nil))
	_, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{"greeter": {"greeting": "", "timeout": "soon"}}})
	fmt.Println(err)
	// Output: plugin greeter: configure: plugins.greeter.timeout: value does not fit: invalid configuration
}

// clock is a plugin that provides a service.
type clock struct{ now time.Time }

func (c *clock) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide("clock", c)
}
func (c *clock) Shutdown(context.Context) error { return nil }
func (c *clock) Now() time.Time                 { return c.now }

// wall is a plugin that uses the service through a small interface of its own: it does not import the other one.
type wall struct{ out io.Writer }

func (w *wall) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	c, err := ccproxy.ServiceOf[interface{ Now() time.Time }](pc, "clock")
	if err != nil {
		return err
	}
	fmt.Fprintln(w.out, "it is", c.Now().Format(time.Kitchen))
	return nil
}

func (w *wall) Shutdown(context.Context) error { return nil }

// A command starts single plugins and what they need, without serving anything.
func ExampleServiceOf() {
	var reg ccproxy.Registry
	var out stdout
	_ = reg.Register(
		ccproxy.NewFactory(ccproxy.Manifest{Name: "a_wall", CLISafe: true, Requires: []string{"clock"}}, func() ccproxy.Plugin { return &wall{out} }),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "clock", CLISafe: true, Provides: []string{"clock"}}, func() ccproxy.Plugin {
			return &clock{time.Date(2026, 1, 1, 15, 4, 0, 0, time.UTC)}
		}),
	)
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(proxy.StartOnly(context.Background(), "a_wall"))
	fmt.Println(proxy.Shutdown(context.Background()))
	// Output:
	// it is 3:04PM
	// <nil>
	// <nil>
}

// stdout prints where an example's output is looked for.
type stdout struct{}

func (stdout) Write(b []byte) (int, error) { return fmt.Print(string(b)) }

// A command, such as one that logs in, starts one plugin with what it needs and nothing else.
func ExampleProxy_StartOnly() {
	var reg ccproxy.Registry
	_ = reg.Register(
		ccproxy.NewFactory(ccproxy.Manifest{Name: "login", CLISafe: true, Dependencies: []string{"store"}}, nil),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "store", CLISafe: true}, nil),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "heavy"}, nil),
	)
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(proxy.StartOnly(context.Background(), "heavy"))
	fmt.Println(proxy.StartOnly(context.Background(), "login"))
	for _, s := range proxy.Statuses() {
		fmt.Println(s.Name, s.State)
	}
	_ = proxy.Shutdown(context.Background())
	// Output:
	// plugin heavy: start: a command may not start it, it is not CLISafe: invalid manifest
	// <nil>
	// heavy loaded
	// login active
	// store active
}
