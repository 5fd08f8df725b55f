// Command customprovider shows a provider plugin of one's own, plugin.go. Clients of OpenAI's Chat Completions take
// http://127.0.0.1:8080/shout/v1 as their base URL.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
)

func main() {
	var reg ccproxy.Registry
	if err := reg.Register(factory()); err != nil {
		log.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		log.Fatal(err)
	}
	if err := proxy.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", proxy)) //nolint:gosec // an example of the fewest lines
}
