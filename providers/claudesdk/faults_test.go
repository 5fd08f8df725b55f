package claudesdk_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/providers/claudesdk"
)

func TestConformance(t *testing.T) { //nolint:paralleltest // the suite counts goroutines
	plugintest.TestFactory(t, claudesdk.Factory(), plugintest.Table(table(t, nil)))
}

// Without a CLI the plugin says why it is left out.
func TestNoCLI(t *testing.T) {
	for name, tab := range map[string]map[string]any{
		"not in PATH":    {"enabled": true},
		"no such a path": {"enabled": true, "cli_path": "/nowhere/claude"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			p := startWith(t, ccproxy.Settings{Plugins: map[string]map[string]any{claudesdk.Name: tab}})
			st := p.Statuses()[0]
			if st.State != "skipped" || st.Reason == nil || !strings.Contains(st.Reason.Error(), "cli_path") && !strings.Contains(st.Reason.Error(), "not installed") {
				t.Errorf("%s: %v", st.State, st.Reason)
			}
		})
	}
}

func TestOffByDefault(t *testing.T) {
	t.Parallel()
	if st := startWith(t, ccproxy.Settings{}).Statuses()[0]; st.State != "disabled" {
		t.Errorf("state %s", st.State)
	}
}

func TestUnknownClientOption(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(claudesdk.Factory()); err != nil {
		t.Fatal(err)
	}
	_, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{claudesdk.Name: table(t, map[string]any{"client_options": []any{"cwd"}})}})
	if err == nil || !strings.Contains(err.Error(), "plugins.claude_sdk.client_options[0]") {
		t.Errorf("Build: %v", err)
	}
}

// What goes wrong is an error with a status while there is nothing of the answer, in each dialect.
func TestFailures(t *testing.T) {
	t.Parallel()
	fast := map[string]any{"stream_first_chunk_timeout": "300ms", "stream_ongoing_timeout": "300ms", "stream_interrupt_timeout": "300ms"}
	slow := map[string]any{}
	tests := []struct {
		name, mode, order string
		pool              map[string]any
		status            int
		says              string
	}{
		{"the API refuses", "on", "fail 400", slow, 400, "bad thing happened"},
		{"the API is at its limit", "on", "fail 429", slow, 429, "bad thing happened"},
		{"budget", "on", "subtype error_max_budget_usd", slow, 402, "spent"},
		{"ends without a word", "on", "vanish", slow, 502, "the CLI ended"},
		{"silent", "on", "hang", fast, 504, "silent"},
		{"crashes at the start", "crash", "x", slow, 503, "the CLI ended"},
		{"silent at the start", "mute", "x", fast, 504, "silent"},
		{"refuses at the start", "refuse", "x", slow, 503, "could not be used"},
		{"too old", "old", "x", slow, 503, "too old"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, map[string]any{"env": map[string]any{"FAKE_CLAUDE": tt.mode}, "session_pool": tt.pool})
			for path, want := range map[string]string{messages: `"type":"error"`, chat: `"error":{`, responses: `"error":{`} {
				for _, stream := range []string{"true", "false"} {
					list := `[{"role":"user","content":"first"},{"role":"assistant","content":"one"},{"role":"user","content":"` + tt.order + `"}]`
					w := ask(t, p, path, "", `{"model":"m","max_tokens":5,"stream":`+stream+`,"messages":`+list+`,"input":`+list+`}`)
					status := tt.status
					if stream == "true" && strings.HasPrefix(tt.order, "subtype") {
						status = http.StatusOK // the answer has begun
					}
					if w.Code != status || !strings.Contains(w.Body.String(), tt.says) || !strings.Contains(w.Body.String(), want) && !strings.Contains(w.Body.String(), "response.failed") {
						t.Errorf("%s %s: %d %s, want %d", path, stream, w.Code, w.Body, status)
					}
				}
			}
		})
	}
}

// A CLI that is killed in the middle of an answer ends the stream with one error of the client's dialect, and the
// next request of the session works.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for _, tt := range []struct{ path, want, never string }{
		{"/claude/sdk/s1/v1/messages", "event: error\n", "message_stop"},
		{"/claude/sdk/s2/v1/chat/completions", `data: {"error":`, "[DONE]"},
		{"/claude/sdk/s3/v1/responses", "event: error\n", "response.completed"},
	} {
		list := `[{"role":"user","content":"die"}]`
		w := ask(t, p, tt.path, "", `{"model":"m","max_tokens":5,"stream":true,"messages":`+list+`,"input":`+list+`}`)
		out := w.Body.String()
		if w.Code != http.StatusOK || strings.Count(out, tt.want) != 1 || strings.Contains(out, tt.never) || !strings.Contains(out, "half ") {
			if !strings.Contains(out, "response.failed") {
				t.Errorf("%s: %d %s", tt.path, w.Code, out)
			}
		}
		list = `[{"role":"user","content":"again"}]`
		if w := ask(t, p, tt.path, "", `{"model":"m","max_tokens":5,"messages":`+list+`,"input":`+list+`}`); !strings.Contains(w.Body.String(), "You said: again") {
			t.Errorf("%s afterwards: %d %s", tt.path, w.Code, w.Body)
		}
	}
	w := ask(t, p, messages, "", body(t, nil, "die"))
	if w.Code != http.StatusBadGateway {
		t.Errorf("whole: %d %s", w.Code, w.Body)
	}
}

// A CLI that died while it was kept is replaced, and its client notices nothing.
func TestDiedWhileKept(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	const path = "/claude/sdk/s/v1/messages"
	first := say(t, p, path, "", nil, "pid?")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	cli, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := cli.Kill(); err != nil {
		t.Fatal(err)
	}
	second := say(t, p, path, "", nil, "pid?", first, "pid?")
	if second == first || second == "" {
		t.Errorf("%q answered after %q", second, first)
	}
}

// A silent CLI in the middle of an answer ends the stream.
func TestSilentInTheMiddle(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]any{"session_pool": map[string]any{"stream_ongoing_timeout": "200ms", "stream_interrupt_timeout": "200ms"}})
	w := ask(t, p, messages, "", body(t, map[string]any{"stream": true}, "hang late"))
	if w.Code != http.StatusOK || strings.Count(w.Body.String(), "event: error") != 1 || !strings.Contains(w.Body.String(), "silent") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A kept CLI is ended when its time has come.
func TestExpiry(t *testing.T) {
	t.Parallel()
	for name, pool := range map[string]map[string]any{
		"idle": {"idle_threshold": "1s"}, "old": {"session_ttl": "1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, map[string]any{"session_pool": pool})
			first := say(t, p, "/claude/sdk/s/v1/messages", "", nil, "pid?")
			pid, _ := strconv.Atoi(first)
			if live, idle := health(t, p); live != 1 || idle != 1 {
				t.Errorf("%d live, %d idle", live, idle)
			}
			await(t, func() bool { live, _ := health(t, p); return live == 0 && !runs(pid) })
		})
	}
}

// await waits for what happens outside of this process.
func await(t testing.TB, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// leave asks for a stream and goes away when it has begun.
func leave(t testing.TB, p http.Handler, path, order string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := &firstWrite{ResponseRecorder: httptest.NewRecorder(), began: make(chan struct{})}
	go func() {
		select {
		case <-w.began:
		case <-ctx.Done():
		}
		cancel()
	}()
	p.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, path,
		strings.NewReader(body(t, map[string]any{"stream": true}, order))))
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "message_stop") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
