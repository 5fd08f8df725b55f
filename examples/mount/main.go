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
	var reg ccproxy.Registry
	if err := reg.Register(bundled.Factories()...); err != nil {
		log.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		log.Fatal(err)
	}
	if err := proxy.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	http.Handle("/llm/", proxy.Mount("/llm"))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil)) //nolint:gosec // an example of the fewest lines
}
