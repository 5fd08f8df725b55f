// Command mount shows the proxy as a guest: below /llm/ of a server that has other things to do.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
)

func main() {
	handler, shutdown, err := newHandler(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	err = http.ListenAndServe("127.0.0.1:8080", handler) //nolint:gosec // an example of the fewest lines
	log.Fatal(err, shutdown(context.Background()))
}

// newHandler returns the server's routes and what ends the proxy among them.
func newHandler(ctx context.Context) (_ http.Handler, shutdown func(context.Context) error, err error) {
	var reg ccproxy.Registry
	if err := reg.Register(bundled.Factories()...); err != nil {
		return nil, nil, err
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		return nil, nil, err
	}
	if err := proxy.Start(ctx); err != nil {
		return nil, nil, err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/", http.NotFound) // whatever the server is there for
	routes.Handle("/llm/", proxy.Mount("/llm"))
	return routes, proxy.Shutdown, nil
}
