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

// A proxy whose host does not authenticate asks for keys itself. Each may be good for some models only.
func ExampleSecurity() {
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory())
	proxy, err := reg.Build(ccproxy.Settings{Security: ccproxy.Security{
		Keys: []ccproxy.APIKey{
			{Name: "alice", Value: ccproxy.NewSecret("9f2c-a71b-d08e-alice")},
			{Name: "batch", Value: ccproxy.NewSecret("51c4-6be2-f390-batch"), Models: []string{"small"}},
		},
		Hosts:   []string{"localhost", "example.com"},
		Origins: []string{"http://localhost:*"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	for _, key := range []string{"9f2c-a71b-d08e-alice", "51c4-6be2-f390-batch", "guessed-key"} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/echo/v1/messages", strings.NewReader(exampleRequest))
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 403
	// 401
}

// A value that documentation shows is no key, and the error does not show it either.
func ExampleSecurity_wrongSettings() {
	var reg ccproxy.Registry
	_, err := reg.Build(ccproxy.Settings{Security: ccproxy.Security{
		Keys:    []ccproxy.APIKey{{Name: "alice", Value: ccproxy.NewSecret("your-api-key")}},
		Origins: []string{"null"},
	}})
	fmt.Println(err)
	// Output:
	// security.keys: invalid configuration: API key 1: the value is a sample as documentation shows it; make a random one
	// security.origins: invalid configuration: origin "null" is refused: every sandboxed page has it
}
