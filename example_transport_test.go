package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// A job of the host's own is a caller with limits of its own, though it calls without a port and without a key.
func ExampleTransportCaller() {
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory())
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

	nightly := ccproxy.TransportCaller(ccproxy.Caller{ID: "nightly", Limits: limit.Policy{RequestsPerMinute: 1}})
	for _, options := range [][]ccproxy.TransportOption{nil, {nightly}} {
		client := &http.Client{Transport: proxy.Transport(options...)}
		for range 2 {
			resp, err := client.Post("http://proxy/echo/v1/messages", "application/json", strings.NewReader(exampleRequest))
			if err != nil {
				fmt.Println(err)
				return
			}
			_ = resp.Body.Close()
			fmt.Println(resp.Status)
		}
	}
	// Output:
	// 200 OK
	// 200 OK
	// 200 OK
	// 429 Too Many Requests
}
