package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPluginIsShort(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("plugin.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(src)) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	if n > 50 {
		t.Errorf("the plugin has %d lines, and should show that 50 are enough", n)
	}
}

// reader is another plugin: it uses the service, through a small interface of its own.
type reader struct {
	requests interface{ Count() int64 }
}

func (r *reader) Initialize(_ context.Context, pc *ccproxy.PluginContext) (err error) {
	r.requests, err = ccproxy.ServiceOf[interface{ Count() int64 }](pc, "request_counter")
	return err
}

func (r *reader) Shutdown(context.Context) error { return nil }

func build(t *testing.T, r *reader, provider string) (*ccproxy.Proxy, error) {
	t.Helper()
	var reg ccproxy.Registry
	user := ccproxy.Manifest{Name: "a_reader", Requires: []string{"request_counter"}}
	err := reg.Register(factory(), echo.Factory(), ccproxy.NewFactory(user, func() ccproxy.Plugin { return r }))
	if err != nil {
		t.Fatal(err)
	}
	s := ccproxy.Settings{Plugins: map[string]map[string]any{"counter": {"provider": provider}}}
	return reg.Build(s, ccproxy.WithStrictStart())
}

func TestCounter(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]string{"echo": `{"requests":2}`, "other": `{"requests":0}`} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &reader{}
				proxy, err := build(t, r, provider)
				if err != nil {
					t.Fatal(err)
				}
				if err := proxy.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				defer proxy.Shutdown(context.Background())
				for range 2 {
					proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/plugins", nil))
					ask(proxy)
				}
				synctest.Wait() // hooks are told off the path of the request
				w := httptest.NewRecorder()
				proxy.ServeHTTP(w, httptest.NewRequest("GET", "/counter", nil))
				if got := strings.TrimSpace(w.Body.String()); got != want {
					t.Errorf("GET /counter = %s, want %s", got, want)
				}
				if got := r.requests.Count(); provider == "echo" && got != 2 {
					t.Errorf("the service counts %d, want 2", got)
				}
			})
		})
	}
}

func ask(proxy *ccproxy.Proxy) {
	body := strings.NewReader(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
	proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/echo/v1/messages", body))
}

func TestCounterNeedsAProvider(t *testing.T) {
	t.Parallel()
	if _, err := build(t, &reader{}, ""); !errors.Is(err, ccproxy.ErrConfig) {
		t.Errorf("Build with an empty provider = %v, want an ErrConfig", err)
	}
}
