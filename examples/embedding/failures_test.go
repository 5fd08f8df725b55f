package embedding_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// failing are settings for upstreams that fail and callers that ask too much.
func failing() ccproxy.Settings {
	return ccproxy.Settings{
		Retries: ccproxy.Retries{RetryPolicy: ccproxy.RetryPolicy{Max: 1, BaseDelay: 200 * time.Millisecond}},
		Fallbacks: []ccproxy.Fallback{
			{Match: "claude-", Kind: "prefix", Targets: []string{"echo/echo-1"}},
		},
		Breakers: ccproxy.Breakers{BreakerPolicy: ccproxy.BreakerPolicy{Failures: 5, Cooldown: 20 * time.Second}},
		Limits:   ccproxy.Limits{StreamIdle: 2 * time.Minute, WriteTimeout: 20 * time.Second},
		Security: ccproxy.Security{Limits: limit.Policy{Concurrency: 8, RequestsPerMinute: 600}},
	}
}

// An upstream that is overloaded is asked once more, then another provider answers.
func Example_failures() {
	up := new(providertest.Upstream)
	defer up.Close()
	overloaded := providertest.Error(529, "overloaded_error", "Overloaded", nil)
	up.Enqueue(overloaded, providertest.Stream(providertest.ErrorEvent("overloaded_error", "Overloaded")))
	var reg ccproxy.Registry
	_ = reg.Register(claudeapi.Factory(), echo.Factory())
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret("key-of-the-service")

	proxy, err := reg.Build(failing(), ccproxy.WithPluginConfig(claudeapi.Name, *cfg), ccproxy.WithTransport(up.Transport()))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = proxy.Start(context.Background())
	defer proxy.Shutdown(context.Background())
	w := httptest.NewRecorder()
	body := strings.NewReader(`{"model":"claude-sonnet-4-5","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/claude/v1/messages", body))
	fmt.Println(w.Code, w.Header().Get("X-CCProxy-Answered-By"), len(up.Requests()))
	// Output:
	// 200 echo/echo-1 2
}

// TestFailuresInTOML holds the page's TOML against what is said in Go beside it.
func TestFailuresInTOML(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/embedding.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```toml\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("the page has no TOML")
	}
	path := filepath.Join(t.TempDir(), "ccproxy.toml")
	if err := os.WriteFile(path, block[1], 0o600); err != nil {
		t.Fatal(err)
	}
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory(), echo.Factory()); err != nil {
		t.Fatal(err)
	}
	file, err := config.Load(&reg, config.Options{Path: path, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	want, got := failing(), file.Settings
	for name, diff := range map[string]string{
		"retries": cmp.Diff(want.Retries, got.Retries), "fallbacks": cmp.Diff(want.Fallbacks, got.Fallbacks),
		"breakers": cmp.Diff(want.Breakers, got.Breakers), "limits": cmp.Diff(want.Limits, got.Limits),
		"limits of callers": cmp.Diff(want.Security.Limits, got.Security.Limits),
	} {
		if diff != "" {
			t.Errorf("%s mismatch (-Go +TOML):\n%s", name, diff)
		}
	}
}

type peerKey struct{}

// ownServer is a host's server, which prepares connections for clients that take nothing.
func ownServer(h http.Handler) *http.Server {
	bounded := ccproxy.NewServer(nil).ConnContext
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(bounded(ctx, c), peerKey{}, c.RemoteAddr()) // with what your own adds
		},
	}
}

// TestClientThatTakesNothing shows what ConnContext is for: the connection is reset, and nothing waits for the client.
func TestClientThatTakesNothing(t *testing.T) {
	t.Parallel()
	up := new(providertest.Upstream)
	defer up.Close()
	up.Enqueue(providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}},
		`{"x":"`+strings.Repeat("0", 64<<20)+`"}`))
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory()); err != nil {
		t.Fatal(err)
	}
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret("key-of-the-service")
	proxy, err := reg.Build(ccproxy.Settings{Limits: ccproxy.Limits{WriteTimeout: 300 * time.Millisecond}},
		ccproxy.WithPluginConfig(claudeapi.Name, *cfg), ccproxy.WithTransport(up.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer proxy.Shutdown(context.Background())
	ended := make(chan struct{})
	server := ownServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		proxy.ServeHTTP(w, r)
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const ask = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	fmt.Fprintf(conn, "POST /claude/v1/messages HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		len(ask), ask)
	<-ended
	if n, err := io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("what the client had not taken waited for it: %d bytes, %v", n, err)
	}
}
