package analytics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/analytics"
)

// A proxy that keeps its records in memory, and what it says of the last day.
func ExampleFactory() {
	var reg ccproxy.Registry
	if err := reg.Register(analytics.Factory(), echo.Factory()); err != nil {
		fmt.Println(err)
		return
	}
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{analytics.Name: {"enabled": true}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = proxy.Shutdown(context.Background()) }()

	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/logs/analytics?hours=24", http.NoBody))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), `"total_requests":0`))
	// Output: 200 true
}

// Stores can be asked without a proxy, for reports of one's own.
func ExampleOpenSQLite() {
	ctx := context.Background()
	store, err := analytics.OpenMemory(ctx) // or OpenSQLite(ctx, "analytics.db")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	days, err := store.Aggregate(ctx, analytics.Aggregation{
		Filter: analytics.Filter{Callers: analytics.Words{Any: []string{"alice"}}},
		By:     []analytics.Dimension{analytics.ByDay, analytics.ByModel},
	})
	fmt.Println(len(days), err)
	// Output: 0 <nil>
}
