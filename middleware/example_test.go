package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ccproxy-go/ccproxy/middleware"
)

func ExampleChain() {
	wrap := middleware.Chain(
		middleware.Entry{Name: "recover", Layer: middleware.LayerObservability, Func: middleware.Recover(nil, nil)},
		middleware.Entry{Name: "request_id", Layer: middleware.LayerSecurity, Func: middleware.RequestID()},
	)
	handler := wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Request-Id", "req-1")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("X-Request-Id"))
	// Output: 500 req-1
}
