package embedding_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// newProxy makes a proxy that runs.
func newProxy(ctx context.Context, logger *slog.Logger) (*ccproxy.Proxy, error) {
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory(), echo.Factory()); err != nil {
		return nil, err
	}
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret(os.Getenv("ANTHROPIC_API_KEY"))
	proxy, err := reg.Build(ccproxy.Settings{},
		ccproxy.WithLogger(logger), ccproxy.WithPluginConfig(claudeapi.Name, *cfg))
	if err != nil {
		return nil, err // all that is wrong with the settings
	}
	err = proxy.Start(ctx)
	return proxy, err
}

func Example() {
	proxy, err := newProxy(context.Background(), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())
	say(proxy, "/echo/v1/messages")
	// Output: 200 hello
}

func Example_mount() {
	proxy := started(ccproxy.Settings{})
	defer proxy.Shutdown(context.Background())

	mux := http.NewServeMux()
	mux.Handle("/llm/", proxy.Mount("/llm"))
	mux.Handle("/ai/", http.StripPrefix("/ai", proxy)) // the same, for a router that strips

	say(mux, "/llm/echo/v1/messages")
	say(mux, "/ai/echo/v1/messages")
	say(mux, "/echo/v1/messages")
	// Output:
	// 200 hello
	// 200 hello
	// 404 404 page not found
}

func Example_several() {
	plain := started(ccproxy.Settings{})
	defer plain.Shutdown(context.Background())
	polite := started(ccproxy.Settings{
		Plugins: map[string]map[string]any{"echo": {"prefix": "dear "}},
	})
	defer polite.Shutdown(context.Background())

	mux := http.NewServeMux()
	mux.Handle("/team-a/", plain.Mount("/team-a"))
	mux.Handle("/team-b/", polite.Mount("/team-b"))

	say(mux, "/team-a/echo/v1/messages")
	say(mux, "/team-b/echo/v1/messages")
	// Output:
	// 200 hello
	// 200 dear hello
}

func Example_links() {
	proxy := started(ccproxy.Settings{})
	defer proxy.Shutdown(context.Background())

	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(proxy.URLFor(r, "/plugins"))
	})
	mux := http.NewServeMux()
	mux.Handle("/llm/", http.StripPrefix("/llm", page))

	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/llm/page", nil))
	// Output: /llm/plugins
}
