// Command customsystem shows a system plugin of one's own, plugin.go: a hook that counts requests, a route that shows
// the count, a service that other plugins ask for it, and a configuration. GET http://127.0.0.1:8080/counter
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

func main() {
	var reg ccproxy.Registry
	if err := reg.Register(factory(), echo.Factory()); err != nil {
		log.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{"counter": {"provider": "echo"}}})
	if err != nil {
		log.Fatal(err)
	}
	if err := proxy.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", proxy)) //nolint:gosec // an example of the fewest lines
}
