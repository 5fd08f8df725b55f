package authoring_test

import (
	"context"
	"fmt"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
)

// serve starts a proxy of the plugins that ship and one more.
func serve(ctx context.Context) (*ccproxy.Proxy, error) {
	var reg ccproxy.Registry
	if err := reg.Register(append(bundled.Factories(), greeterFactory())...); err != nil {
		return nil, err
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		return nil, err
	}
	if err := proxy.Start(ctx); err != nil {
		return nil, err
	}
	return proxy, nil
}

// A program registers its own plugins beside those that ship.
func Example_program() {
	ctx := context.Background()
	proxy, err := serve(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(ctx)
	get(proxy, "/greet/everybody")
	// Output: 200 hello everybody
}
