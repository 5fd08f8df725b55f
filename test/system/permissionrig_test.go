package system

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudesdk"
	"github.com/ccproxy-go/ccproxy/system/permissions"
)

const (
	annKey = "kQ7vTz2mWx9pLr4nHs8dBf3gJy6cAe1u" // may ask
	bobKey = "Zp5wRb8tNc2kVx7mQj4hGd9sLf6yTe3a" // may answer
)

// asking is a proxy with claude_sdk and permissions, seen by those who ask and those who answer.
type asking struct {
	proxy    *ccproxy.Proxy
	base     string
	client   *http.Client
	listener net.Listener // for the CLIs
	events   *bufio.Reader
}

// newAsking starts a proxy with what is set in the tables of the two plugins.
func newAsking(t *testing.T, sdk, desk map[string]any) *asking {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sdkTable := map[string]any{"enabled": true, "cli_path": self, "env": map[string]any{
		cliVariable: listener.Addr().String(), "GORACE": "atexit_sleep_ms=0",
	}}
	deskTable := map[string]any{"enabled": true, "approvers": []any{"bob"}}
	maps.Copy(sdkTable, sdk)
	maps.Copy(deskTable, desk)
	settings := ccproxy.Settings{
		Plugins: tables{claudesdk.Name: sdkTable, permissions.Name: deskTable},
		Security: ccproxy.Security{Keys: []ccproxy.APIKey{
			{Name: "ann", Value: ccproxy.NewSecret(annKey)}, {Name: "bob", Value: ccproxy.NewSecret(bobKey)},
		}},
	}
	settings.Limits.PluginStop = time.Minute // programs under the race detector take their time
	var reg ccproxy.Registry
	if err := reg.Register(claudesdk.Factory(), permissions.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(settings, ccproxy.WithStrictStart(), ccproxy.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(proxy)
	a := &asking{proxy: proxy, base: server.URL, client: &http.Client{Transport: new(http.Transport)}, listener: listener}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		a.client.CloseIdleConnections()
		server.Close()
		_ = listener.Close()
	})
	a.watch(t)
	return a
}

func (a *asking) do(ctx context.Context, method, path, key, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	return a.client.Do(req)
}

// watch subscribes to what happens to questions.
func (a *asking) watch(t *testing.T) {
	t.Helper()
	resp, err := a.do(t.Context(), http.MethodGet, "/permissions/stream", bobKey, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() }) // before the proxy shuts down
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("watching: %s", resp.Status)
	}
	a.events = bufio.NewReader(resp.Body)
	if kind, _ := a.event(t); kind != "ping" { // from here on everything is told
		t.Fatalf("the first event is %s", kind)
	}
}

// event waits for an event.
func (a *asking) event(t *testing.T) (kind string, data map[string]any) {
	t.Helper()
	for {
		line, err := a.events.ReadString('\n')
		if err != nil {
			t.Fatalf("no more events: %v", err)
		}
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			kind = strings.TrimSpace(name)
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(text), &data); err != nil {
				t.Fatal(err)
			}
			return kind, data
		}
	}
}

// next waits for an event of a kind, and lets pings pass.
func (a *asking) next(t *testing.T, want string) map[string]any {
	t.Helper()
	for {
		switch kind, data := a.event(t); kind {
		case want:
			return data
		case "ping":
		default:
			t.Fatalf("%s %v, want %s", kind, data, want)
		}
	}
}

// said is what a client was answered.
type said struct {
	status int
	text   string
	err    error
}

// say sends a message, as ann. The answer comes through the channel.
func (a *asking) say(ctx context.Context, text string) <-chan said {
	c := make(chan said, 1)
	go func() {
		body := `{"model":"sonnet","max_tokens":9,"messages":[{"role":"user","content":"` + text + `"}]}`
		resp, err := a.do(ctx, http.MethodPost, "/claude/sdk/v1/messages", annKey, body)
		if err != nil {
			c <- said{err: err}
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		s := said{status: resp.StatusCode, text: string(b), err: err}
		var answer struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		}
		if json.Unmarshal(b, &answer) == nil && len(answer.Content) > 0 {
			s.text = answer.Content[len(answer.Content)-1].Text
		}
		c <- s
	}()
	return c
}

// respond answers a question, as bob.
func (a *asking) respond(t *testing.T, id any, body string) int {
	t.Helper()
	resp, err := a.do(t.Context(), http.MethodPost, "/permissions/"+id.(string)+"/respond", bobKey, body)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// checkNone holds that no question is open.
func (a *asking) checkNone(t *testing.T) {
	t.Helper()
	resp, err := a.do(t.Context(), http.MethodGet, "/permissions", bobKey, "")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != `{"permissions":[]}` {
		t.Errorf("open questions: %s, %v", b, err)
	}
}

// cli waits for a CLI to begin.
func (a *asking) cli(t *testing.T) net.Conn {
	t.Helper()
	conn, err := a.listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
