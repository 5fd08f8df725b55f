package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// A service whose clients send short texts takes no more than those. What is not set has its default.
func ExampleLimits() {
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory())
	proxy, err := reg.Build(ccproxy.Settings{Limits: ccproxy.Limits{BodyBytes: 16 << 10, JSONDepth: 8}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	for _, content := range []string{
		`"hello"`,
		`"` + strings.Repeat("hello ", 10_000) + `"`,
		strings.Repeat(`[`, 10) + strings.Repeat(`]`, 10),
	} {
		body := `{"model":"echo-1","max_tokens":9,"messages":[{"role":"user","content":` + content + `}]}`
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/echo/v1/messages", strings.NewReader(body)))
		fmt.Println(len(body), "bytes:", w.Result().Status)
	}
	// Output:
	// 80 bytes: 200 OK
	// 60075 bytes: 413 Request Entity Too Large
	// 93 bytes: 400 Bad Request
}
