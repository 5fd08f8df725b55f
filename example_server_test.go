package ccproxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// A server of its own for the proxy, from the port to the stop. In a program, ctx ends with signal.NotifyContext.
func ExampleProxy_StopServer() {
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory())
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := ccproxy.NewServer(proxy)
	go func() { _ = server.Serve(listener) }()

	resp, err := http.Get("http://" + listener.Addr().String() + "/health/ready")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println("ready:", resp.Status)

	interrupt()
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	fmt.Println("stopped:", proxy.StopServer(stopping, server))
	// Output:
	// ready: 200 OK
	// stopped: <nil>
}
