package ccproxy_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// A host holds each of its customers to what they have paid for. Its limiter outlives the proxy, which may be swapped.
func ExampleWithLimiter() {
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory()); err != nil {
		fmt.Println(err)
		return
	}
	var limiter limit.Local
	proxy, err := reg.Build(ccproxy.Settings{
		Security: ccproxy.Security{Limits: limit.Policy{RequestsPerMinute: 60}}, // who has no own
	}, ccproxy.WithLimiter(&limiter))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := proxy.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = proxy.Shutdown(ctx) }()

	customer := ccproxy.Caller{ID: "customer-7", Limits: limit.Policy{RequestsPerMinute: 1}}
	for range 2 {
		r := httptest.NewRequestWithContext(ccproxy.ContextWithCaller(ctx, customer), "POST", "/v1/messages",
			strings.NewReader(`{"model":"echo-1","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}`))
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 429
}
