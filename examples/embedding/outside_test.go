package embedding_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

func Example_inProcess() {
	proxy := started(ccproxy.Settings{})
	defer proxy.Shutdown(context.Background())

	client := &http.Client{
		Transport: proxy.Transport(ccproxy.TransportCaller(ccproxy.Caller{ID: "nightly-report"})),
	}
	resp, err := client.Post("http://proxy/echo/v1/messages", "application/json", strings.NewReader(hello))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, textOf(string(body)), err)
	// Output: 200 hello <nil>
}

func Example_logger() {
	var reg ccproxy.Registry
	var lines bytes.Buffer

	logger := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelInfo}))
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithLogger(logger.WithGroup("llm")))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = proxy.Start(context.Background())
	_ = proxy.Shutdown(context.Background())
	fmt.Println(strings.Contains(lines.String(), `msg="proxy started" llm.plugins=`))
	// Output: true
}

func Example_transport() {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("asked for", r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"type":"message","content":[{"type":"text","text":"from upstream"}]}`)
	}))
	defer upstream.Close()
	var reg ccproxy.Registry
	_ = reg.Register(claudeapi.Factory())
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey, cfg.BaseURL = ccproxy.NewSecret("sk-of-the-example"), upstream.URL
	settings := ccproxy.Settings{}
	withKey := ccproxy.WithPluginConfig(claudeapi.Name, *cfg)
	corporate := func(*http.Request) (*url.URL, error) { return nil, nil }

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = corporate // such as http.ProxyURL(address)
	transport.ResponseHeaderTimeout = 5 * time.Minute
	proxy, err := reg.Build(settings, withKey, ccproxy.WithTransport(transport))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer transport.CloseIdleConnections() // whose it is closes it
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())
	say(proxy, "/claude/v1/messages")
	// Output:
	// asked for /v1/messages
	// 200 from upstream
}

func Example_middleware() {
	counted := 0
	count := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			counted++
			next.ServeHTTP(w, r)
		})
	}
	proxy := started(ccproxy.Settings{}, ccproxy.WithMiddleware(count)) // outside of all the proxy's own
	defer proxy.Shutdown(context.Background())
	say(proxy, "/echo/v1/messages")
	for _, m := range proxy.Middleware() {
		fmt.Println(m.Priority, m.Name)
	}
	fmt.Println(counted)
	// Output:
	// 200 hello
	// 50 request_id
	// 60 observe
	// 70 limits
	// 80 cors
	// 90 origin_guard
	// 100 api_key
	// 1
}
