package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"github.com/ccproxy-go/ccproxy"
)

// visits is a plugin with a state that its routes share.
type visits struct{ count atomic.Int64 }

func (v *visits) Initialize(context.Context, *ccproxy.PluginContext) error { return nil }
func (v *visits) Shutdown(context.Context) error                           { return nil }

// newVisits makes the handler of a route, of the manifest and so of no plugin in particular: RuntimeOf finds the one
// that runs in this proxy.
func newVisits(pc *ccproxy.PluginContext) (http.Handler, error) {
	v, err := ccproxy.RuntimeOf[*visits](pc)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "visit %d", v.count.Add(1))
	}), nil
}

// A manifest is shared by all proxies of a factory, a runtime belongs to one.
func ExampleRuntimeOf() {
	var reg ccproxy.Registry
	_ = reg.Register(ccproxy.NewFactory(ccproxy.Manifest{
		Name:   "visits",
		Routes: []ccproxy.RouteSpec{{Prefix: "/visits", Endpoints: []ccproxy.Endpoint{{}}, New: newVisits}},
	}, func() ccproxy.Plugin { return new(visits) }))
	for range 2 {
		proxy, err := reg.Build(ccproxy.Settings{})
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := proxy.Start(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		for range 2 {
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/visits", nil))
			fmt.Println(w.Body)
		}
		_ = proxy.Shutdown(context.Background())
	}
	// Output:
	// visit 1
	// visit 2
	// visit 1
	// visit 2
}
