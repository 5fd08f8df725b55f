package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"

	"github.com/ccproxy-go/ccproxy"
)

// newNotes answers all endpoints of the plugin.
func newNotes(*ccproxy.PluginContext) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, known := ccproxy.CallerFrom(r.Context())
		if !known {
			caller.ID = "somebody"
		}
		fmt.Fprintf(w, "%s reads %s", caller.ID, r.URL.Path)
	}), nil
}

// What is public needs no key, what is required needs one even where the settings ask for none, and by default the
// settings decide. A handler is told who calls.
func ExampleAuthPolicy() {
	policy := func(path string, p ccproxy.AuthPolicy) ccproxy.Endpoint {
		return ccproxy.Endpoint{Pattern: path, Auth: p}
	}
	var reg ccproxy.Registry
	_ = reg.Register(ccproxy.NewFactory(ccproxy.Manifest{Name: "notes", Routes: []ccproxy.RouteSpec{{
		Prefix: "/notes", New: newNotes,
		Endpoints: []ccproxy.Endpoint{
			policy("/help", ccproxy.AuthPublic), policy("/mine", ccproxy.AuthDefault), policy("/all", ccproxy.AuthRequired),
		},
	}}}, nil))
	proxy, err := reg.Build(ccproxy.Settings{}) // without keys
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	ctx := context.Background()
	alice := ccproxy.ContextWithCaller(ctx, ccproxy.Caller{ID: "alice"})
	for _, ctx := range []context.Context{ctx, alice} {
		for _, path := range []string{"/notes/help", "/notes/mine", "/notes/all"} {
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
			if w.Code == http.StatusOK {
				fmt.Println(w.Body)
			} else {
				fmt.Println(path, "is", w.Result().Status)
			}
		}
	}
	// Output:
	// somebody reads /notes/help
	// somebody reads /notes/mine
	// /notes/all is 401 Unauthorized
	// alice reads /notes/help
	// alice reads /notes/mine
	// alice reads /notes/all
}

// A host that publishes the proxy looks at what anybody may reach.
func ExampleProxy_Endpoints() {
	var reg ccproxy.Registry
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	public := slices.DeleteFunc(proxy.Endpoints(), func(e ccproxy.EndpointInfo) bool {
		return e.Auth != ccproxy.AuthPublic
	})
	for _, e := range public {
		fmt.Println(e.Method, e.Path)
	}
	// Output:
	// GET /
	// GET /health
	// GET /health/live
	// GET /health/ready
	// GET /oauth/{provider}/callback
}
