// Package authoring_test holds the plugins of docs/plugins.md: each block of code there is a part of one of these
// files.
package authoring_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hello = `{"model":"echo-1","max_tokens":64,"messages":[{"role":"user","content":"hello"}]}`

// start starts a proxy of some plugins and the echo provider. stop ends it, when hooks have been told of everything.
func start(settings ccproxy.Settings, factories ...ccproxy.Factory) (proxy *ccproxy.Proxy, stop func()) {
	return startWith(settings, nil, append(factories, echo.Factory())...)
}

func startWith(
	settings ccproxy.Settings, options []ccproxy.Option, factories ...ccproxy.Factory,
) (proxy *ccproxy.Proxy, stop func()) {
	var reg ccproxy.Registry
	if err := reg.Register(factories...); err != nil {
		panic(err)
	}
	proxy, err := reg.Build(settings, append(options, ccproxy.WithStrictStart())...)
	if err != nil {
		panic(err)
	}
	if err := proxy.Start(context.Background()); err != nil {
		panic(err)
	}
	return proxy, func() { _ = proxy.Shutdown(context.Background()) }
}

// get prints the answer to a GET.
func get(h http.Handler, path string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

// ask posts a body and returns the answer.
func ask(h http.Handler, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	return w
}
