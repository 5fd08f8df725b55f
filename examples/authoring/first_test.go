package authoring_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/plugintest"
)

// greeterFactory returns the plugin greeter.
func greeterFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "greeter", Version: "1.0.0", Description: "Greets whoever comes by",
		Routes: []ccproxy.RouteSpec{{
			Prefix:    "/greet",
			Endpoints: []ccproxy.Endpoint{{Pattern: "/{name}", Summary: "Greet somebody"}},
			New:       newGreeter,
		}},
	}, nil)
}

func newGreeter(*ccproxy.PluginContext) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s\n", r.PathValue("name"))
	}), nil
}

// The smallest plugin is its manifest: it has nothing to start and nothing to stop.
func Example() {
	var settings ccproxy.Settings
	proxy, stop := start(settings, greeterFactory())
	defer stop()
	get(proxy, "/greet/world")
	// Output: 200 hello world
}

func TestGreeter(t *testing.T) { //nolint:paralleltest // the suite counts goroutines
	plugintest.TestFactory(t, greeterFactory())
}
