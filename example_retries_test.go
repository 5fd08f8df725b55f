package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// A model on a machine of one's own may execute a call twice, so it is also asked again after a 500. The others keep
// the general policy, which here is none.
func ExampleRetryPolicy() {
	var up providertest.Upstream
	defer up.Close()
	var reg ccproxy.Registry
	_ = reg.Register(upstreamAt("local", "https://local.example"), upstreamAt("metered", "https://metered.example"))
	proxy, err := reg.Build(ccproxy.Settings{Retries: ccproxy.Retries{Providers: map[string]ccproxy.RetryPolicy{
		"local": {Max: 2, Statuses: []int{429, 500, 503}, BaseDelay: time.Millisecond},
	}}}, ccproxy.WithTransport(up.Transport()))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	for _, provider := range []string{"local", "metered"} {
		up.Reset() // forgets what it was sent, and what was not used of its errors
		for range 2 {
			up.Enqueue(providertest.Error(http.StatusInternalServerError, "api_error", "Internal error", nil))
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/"+provider+"/v1/messages", strings.NewReader(exampleRequest))
		proxy.ServeHTTP(w, r)
		fmt.Println(provider, w.Code, "calls:", len(up.Requests()))
	}
	// Output:
	// local 200 calls: 3
	// metered 500 calls: 1
}
