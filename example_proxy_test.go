package ccproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// exampleRequest says hello in Anthropic's format.
const exampleRequest = `{"model":"echo-1","max_tokens":64,"messages":[{"role":"user","content":"hello"}]}`

// A host builds a proxy of plugins, starts it, and mounts it below a path of its own server.
func ExampleRegistry_Build() {
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory()); err != nil {
		fmt.Println(err)
		return
	}
	proxy, err := reg.Build(ccproxy.Settings{
		Plugins: map[string]map[string]any{"echo": {"prefix": "you said: "}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	mux := http.NewServeMux()
	mux.Handle("/llm/", proxy.Mount("/llm"))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/llm/echo/v1/messages", strings.NewReader(exampleRequest)))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), "you said: hello"))
	// Output: 200 true
}

// A wrong configuration is an error of Build that names the full key.
func ExampleRegistry_Build_wrongSettings() {
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory()); err != nil {
		fmt.Println(err)
		return
	}
	_, err := reg.Build(ccproxy.Settings{
		Plugins: map[string]map[string]any{"ehco": {}, "echo": {"perfix": "x"}},
	})
	fmt.Println(err)
	// Output:
	// plugin echo: configure: plugins.echo.perfix: unknown key (did you mean "prefix"?): invalid configuration
	// plugins.ehco: no plugin "ehco" is registered (did you mean "echo"?): invalid configuration
}

// A client in the same program needs no port.
func ExampleProxy_Transport() {
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory())
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	client := &http.Client{Transport: proxy.Transport()}
	resp, err := client.Post("http://proxy/echo/v1/messages", "application/json", strings.NewReader(exampleRequest))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, strings.Contains(string(body), "hello"), err)
	// Output: 200 true <nil>
}

// A host that authenticates by itself says who calls, and which models they may use.
func ExampleContextWithCaller() {
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory())
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	for _, models := range [][]string{nil, {"echo-1"}, {"other"}} {
		r := httptest.NewRequest(http.MethodPost, "/echo/v1/messages", strings.NewReader(exampleRequest))
		r = r.WithContext(ccproxy.ContextWithCaller(r.Context(), ccproxy.Caller{ID: "alice", Models: models}))
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, r)
		fmt.Println(models, w.Code)
	}
	// Output:
	// [] 200
	// [echo-1] 200
	// [other] 403
}
