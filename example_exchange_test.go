package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// branches notes what only middleware sees of a request, for when a hook is told how it ended. Two requests may have
// the same id at the same time; their exchanges differ.
type branches struct{ of sync.Map } // by exchange

func (b *branches) note(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.of.Store(ccproxy.ExchangeFrom(r.Context()), r.Header.Get("X-Branch"))
		next.ServeHTTP(w, r)
	})
}

func (b *branches) tell(_ context.Context, hc *hooks.Context, done *hooks.RequestCompleted) error {
	branch, _ := b.of.LoadAndDelete(hc.Exchange)
	fmt.Println(hc.RequestID, "of", branch, "has used", done.Usage.OutputTokens, "tokens")
	return nil
}

// What a plugin keeps of a request, it keeps by its exchange.
func ExampleExchangeFrom() {
	b := new(branches)
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory(), ccproxy.NewFactory(ccproxy.Manifest{
		Name: "branches",
		Middleware: []ccproxy.MiddlewareSpec{{
			New: func(*ccproxy.PluginContext) (middleware.Func, error) { return b.note, nil },
		}},
		Hooks: []ccproxy.HookSpec{{
			New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return hooks.On("branches", b.tell), nil },
		}},
	}, nil))
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{"echo": {"enabled": true}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodPost, "/echo/v1/messages",
		strings.NewReader(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}`))
	r.Header.Set("X-Request-Id", "order-7")
	r.Header.Set("X-Branch", "Lyon")
	proxy.ServeHTTP(httptest.NewRecorder(), r)
	_ = proxy.Shutdown(context.Background())
	// Output: order-7 of Lyon has used 2 tokens
}
