package ccproxy_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// board is a plugin with a page for operators.
func board() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "board",
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/board", Endpoints: []ccproxy.Endpoint{{}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				return page{pc.Plugins}, nil
			},
		}},
	}, nil)
}

// page knows the proxy through its directory of plugins, which a test may replace.
type page struct{ plugins ccproxy.PluginDirectory }

func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "not running:", p.notRunning())
	monitor, ok := p.plugins.(ccproxy.Monitor)
	if !ok {
		return
	}
	breakers := monitor.Breakers()
	for _, provider := range slices.Sorted(maps.Keys(breakers)) {
		health := monitor.Health(r.Context(), provider) // the plugin has the same name
		fmt.Fprintf(w, "%s: %s, breaker %s\n", provider, health.Status, breakers[provider])
	}
	if !monitor.KeyRequired() {
		fmt.Fprintln(w, "anybody may call")
	}
}

func (p page) notRunning() []string {
	var names []string
	for _, s := range p.plugins.Statuses() {
		if s.State != "active" {
			names = append(names, s.Name+" is "+s.State)
		}
	}
	return names
}

// A plugin that shows how the proxy is finds a Monitor behind its directory of plugins.
func ExampleMonitor() {
	up := providertest.Upstream{Handler: func(r providertest.Request) providertest.Reply {
		return map[string]providertest.Reply{"b.example": providertest.Drop()}[r.Host]
	}}
	defer up.Close()
	var reg ccproxy.Registry
	_ = reg.Register(board(), upstreamAt("a", "https://a.example"), upstreamAt("b", "https://b.example"),
		upstreamAt("c", "https://c.example"))
	proxy, err := reg.Build(ccproxy.Settings{
		DisabledPlugins: []string{"c"},
		Breakers:        ccproxy.Breakers{BreakerPolicy: ccproxy.BreakerPolicy{Failures: 1}},
	}, ccproxy.WithTransport(up.Transport()))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	for _, path := range []string{"/a/v1/messages", "/b/v1/messages"} {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(exampleRequest)))
		fmt.Println(path, w.Code)
	}
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/board", nil))
	fmt.Print(w.Body)
	// Output:
	// /a/v1/messages 200
	// /b/v1/messages 502
	// not running: [c is disabled]
	// a: pass, breaker closed
	// b: warn, breaker open
	// anybody may call
}
