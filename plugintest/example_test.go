package plugintest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// GreeterConfig is the table [plugins.greeter].
type GreeterConfig struct {
	Greeting string `toml:"greeting" validate:"required,max=40"`
}

// greeterFactory returns a plugin that has a page of its own, and needs another plugin.
func greeterFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "greeter", Description: "Greets whoever comes", Dependencies: []string{echo.Name},
		Config: ccproxy.ConfigFor(func() *GreeterConfig { return &GreeterConfig{Greeting: "Hello"} }),
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/greeter", Endpoints: []ccproxy.Endpoint{{Method: http.MethodGet}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				cfg, err := ccproxy.ConfigOf[GreeterConfig](pc)
				if err != nil {
					return nil, err
				}
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, cfg.Greeting)
				}), nil
			},
		}},
	}, nil)
}

// checkGreeter is what TestGreeter does: it has the suite look at the plugin with its defaults, and with a table.
func checkGreeter(t *testing.T) {
	t.Helper()
	upstream := new(providertest.Upstream) // nothing leaves the process
	defer upstream.Close()
	always := []plugintest.Option{
		plugintest.Plugins(echo.Factory()),
		plugintest.Build(ccproxy.WithTransport(upstream.Transport())),
	}
	plugintest.TestFactory(t, greeterFactory(), always...)
	plugintest.TestFactory(t, greeterFactory(), append(always, plugintest.Table(map[string]any{"greeting": "Ahoy"}))...)
}

// The suite checks what all plugins promise, see checkGreeter. What a plugin itself does is for tests like this one.
func ExampleTestFactory() {
	ctx := context.Background()
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory(), greeterFactory()); err != nil {
		fmt.Println(err)
		return
	}
	build := func(greeting string) (*ccproxy.Proxy, error) {
		return reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{"greeter": {"greeting": greeting}}})
	}

	_, err := build("")
	fmt.Println(errors.Is(err, ccproxy.ErrConfig))
	proxy, err := build("Ahoy")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/greeter", nil))
	fmt.Println(w.Code, w.Body)
	fmt.Println(proxy.Shutdown(ctx))
	// Output:
	// true
	// 200 Ahoy
	// <nil>
}
