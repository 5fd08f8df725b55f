package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ccproxy-go/ccproxy/middleware"
)

// entries are a server's, in no order.
func entries() []middleware.Entry {
	return []middleware.Entry{
		{Name: "tenant", Source: "billing", Layer: middleware.LayerSecurity, Func: named("tenant")},
		{Name: "trace", Source: "tracing", Layer: middleware.LayerObservability, Func: named("trace")},
		{Name: "api_key", Layer: middleware.LayerSecurity, Func: named("api_key")},
		// A place of its own: after what observes, before what transforms.
		{Name: "sample", Source: "tracing", Layer: middleware.LayerObservability + 50, Func: named("sample")},
	}
}

// named is middleware that tells when a request comes and when its answer leaves.
func named(name string) middleware.Func {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Println(">", name)
			next.ServeHTTP(w, r)
			fmt.Println("<", name)
		})
	}
}

// A page of an operator's shows what requests pass, without a request.
func ExampleSummary() {
	lines := middleware.Summary(entries())
	source := func(e middleware.SummaryEntry) string {
		if e.Source == "" {
			return "core"
		}
		return e.Source
	}
	for _, line := range lines {
		fmt.Printf("%d %s: %s of %s\n", line.Priority, line.Layer, line.Name, source(line))
	}
	// Output:
	// 100 security: api_key of core
	// 100 security: tenant of billing
	// 200 observability: trace of tracing
	// 250 250: sample of tracing
}

// What has to stand in a layer can be cut out of the sorted entries and wrapped by itself.
func ExampleSort() {
	sorted := entries()
	middleware.Sort(sorted)
	wrapUpTo := func(last middleware.Layer) middleware.Func {
		n := 0
		for n < len(sorted) && sorted[n].Layer <= last {
			n++
		}
		return middleware.Chain(sorted[:n]...)
	}

	guarded := wrapUpTo(middleware.LayerSecurity)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		fmt.Println("a page that needs the guards alone")
	}))
	guarded.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/status", nil))
	// Output:
	// > api_key
	// > tenant
	// a page that needs the guards alone
	// < tenant
	// < api_key
}
