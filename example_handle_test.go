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

// A Handle stands where the proxy would, and is given another one when the configuration changes.
func ExampleHandle() {
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory())
	var handle ccproxy.Handle // give this to the server
	load := func(prefix string) error {
		next, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{"echo": {"prefix": prefix}}})
		if err != nil {
			return err // the old configuration goes on
		}
		return handle.Swap(context.Background(), next)
	}
	say := func() {
		w := httptest.NewRecorder()
		handle.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/echo/v1/messages", strings.NewReader(exampleRequest)))
		_, text, _ := strings.Cut(w.Body.String(), `"text":"`)
		text, _, _ = strings.Cut(text, `"`)
		fmt.Println(strings.TrimSpace(fmt.Sprint(w.Code, " ", text)))
	}
	say()
	fmt.Println(load("first "))
	say()
	fmt.Println(load("second "))
	say()
	fmt.Println(handle.Swap(context.Background(), nil))
	say()
	// Output:
	// 503
	// <nil>
	// 200 first hello
	// <nil>
	// 200 second hello
	// <nil>
	// 503
}
