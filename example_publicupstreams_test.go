package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// Where customers choose base URLs, none of them may be that of a machine beside the proxy, but for the one that is
// there for them.
func ExampleWithPublicUpstreams() {
	model := httptest.NewServer(new(providertest.Upstream)) // it listens at 127.0.0.1
	defer model.Close()
	var reg ccproxy.Registry
	_ = reg.Register(upstreamAt("local", model.URL), upstreamAt("metadata", "http://169.254.169.254"))
	for _, allowed := range [][]netip.Prefix{nil, {netip.MustParsePrefix("127.0.0.1/32")}} {
		proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithPublicUpstreams(allowed...))
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := proxy.Start(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		for _, path := range []string{"/local/v1/messages", "/metadata/v1/messages"} {
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(exampleRequest)))
			fmt.Println(allowed, path, w.Result().Status)
		}
		_ = proxy.Shutdown(context.Background())
	}
	// Output:
	// [] /local/v1/messages 502 Bad Gateway
	// [] /metadata/v1/messages 502 Bad Gateway
	// [127.0.0.1/32] /local/v1/messages 200 OK
	// [127.0.0.1/32] /metadata/v1/messages 502 Bad Gateway
}
