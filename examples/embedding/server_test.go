package embedding_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// serve answers until ctx ends, and then until all that runs has ended, for half a minute at most.
func serve(ctx context.Context, proxy *ccproxy.Proxy, listener net.Listener) error {
	server := ccproxy.NewServer(proxy)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return errors.Join(err, proxy.StopServer(ctx, server))
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return proxy.StopServer(ctx, server)
}

func Example_server() {
	proxy := started(ccproxy.Settings{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- serve(ctx, proxy, listener) }()
	status, body, err := post("http://"+listener.Addr().String(), false)
	fmt.Println(status, textOf(body), err)
	stop()
	fmt.Println(<-done)
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// 200 hello <nil>
	// <nil>
}

// A stream takes longer than the server's WriteTimeout, and arrives whole.
func Example_writeTimeout() {
	proxy := started(ccproxy.Settings{Plugins: map[string]map[string]any{"echo": {"delay": "50ms"}}})
	defer proxy.Shutdown(context.Background())

	unhurried := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // models take their time
			next.ServeHTTP(w, r)
		})
	}

	for _, h := range []http.Handler{proxy, unhurried(proxy)} {
		server := httptest.NewUnstartedServer(h)
		server.Config.WriteTimeout = 150 * time.Millisecond
		server.Start()
		status, body, err := post(server.URL, true)
		fmt.Println(status, strings.HasSuffix(body, "data: {\"type\":\"message_stop\"}\n\n"), err)
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	}
	// Output:
	// 200 true <nil>
	// 200 true <nil>
}

func Example_handle() {
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory())
	var handle ccproxy.Handle
	mux := http.NewServeMux()
	mux.Handle("/llm/", handle.Mount("/llm"))

	reload := func(ctx context.Context, s ccproxy.Settings) error {
		next, err := reg.Build(s)
		if err != nil {
			return err // the old proxy goes on
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // for what runs in the old proxy
		defer cancel()
		return handle.Swap(ctx, next)
	}

	for _, prefix := range []string{"one ", "two "} {
		fmt.Println(reload(context.Background(), ccproxy.Settings{
			Plugins: map[string]map[string]any{"echo": {"prefix": prefix}},
		}))
		say(mux, "/llm/echo/v1/messages")
	}
	fmt.Println(handle.Swap(context.Background(), nil))
	// Output:
	// <nil>
	// 200 one hello
	// <nil>
	// 200 two hello
	// <nil>
}

func Example_reloader() {
	dir, err := os.MkdirTemp("", "embedding")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ccproxy.toml")
	write := func(toml string) { _ = os.WriteFile(path, []byte(toml), 0o600) }
	write("[plugins.echo]\nprefix = \"one \"\n")
	var reg ccproxy.Registry
	_ = reg.Register(echo.Factory())
	logger := slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(context.Background())

	var handle ccproxy.Handle
	reloader := config.Reloader{
		Registry: &reg, Options: config.Options{Path: path}, Handle: &handle, Logger: logger,
	}
	if err := reloader.Reload(ctx); err != nil { // the first proxy
		fmt.Println(err)
	}
	done := make(chan error)
	go func() { done <- reloader.Run(ctx) }() // every later one

	say(&handle, "/echo/v1/messages")
	write("[plugins.echo]\nprefix = \"two \"\n")
	fmt.Println(reloader.Reload(ctx)) // as for a signal; Run would notice too
	say(&handle, "/echo/v1/messages")
	stop()
	fmt.Println(<-done, handle.Swap(context.Background(), nil))
	// Output:
	// 200 one hello
	// <nil>
	// 200 two hello
	// <nil> <nil>
}

func Example_health() {
	proxy := started(ccproxy.Settings{})
	ask := func(path string) {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, w.Code)
	}
	ask("/health/ready")
	_ = proxy.Drain(context.Background())
	ask("/health/ready")
	ask("/health/live")
	_ = proxy.Shutdown(context.Background())
	ask("/health/live")
	// Output:
	// /health/ready 200
	// /health/ready 503
	// /health/live 200
	// /health/live 503
}
