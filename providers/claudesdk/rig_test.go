package claudesdk_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudesdk"
)

// table configures the plugin with the fake, and some more members.
func table(t testing.TB, more map[string]any) map[string]any {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]any{"FAKE_CLAUDE": "on", "GORACE": "atexit_sleep_ms=0"} // which else is a second
	tab := map[string]any{"enabled": true, "cli_path": path}
	for key, value := range more {
		if key == "env" {
			maps.Copy(env, value.(map[string]any))
			continue
		}
		tab[key] = value
	}
	tab["env"] = env
	return tab
}

// start runs a proxy with the plugin.
func start(t testing.TB, more map[string]any, others ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	return startWith(t, ccproxy.Settings{Plugins: map[string]map[string]any{claudesdk.Name: table(t, more)}}, others...)
}

func startWith(t testing.TB, settings ccproxy.Settings, others ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	settings.Limits.PluginStop = time.Minute // programs under the race detector take their time to end
	var reg ccproxy.Registry
	if err := reg.Register(append(others, claudesdk.Factory())...); err != nil {
		t.Fatal(err)
	}
	p, err := reg.Build(settings, ccproxy.WithStrictStart(), ccproxy.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// ask sends a request; headers are lines such as "Name: value".
func ask(t testing.TB, h http.Handler, path, headers, body string) *httptest.ResponseRecorder {
	t.Helper()
	return askWith(t.Context(), h, path, headers, body)
}

func askWith(ctx context.Context, h http.Handler, path, headers, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Set(name, value)
	}
	h.ServeHTTP(w, r)
	return w
}

const (
	messages  = "/claude/sdk/v1/messages"
	chat      = "/claude/sdk/v1/chat/completions"
	responses = "/claude/sdk/v1/responses"
)

// body is a request in the Messages format of texts of user and assistant in turn, with more members.
func body(t testing.TB, more map[string]any, texts ...string) string {
	t.Helper()
	var list []map[string]any
	for i, text := range texts {
		list = append(list, map[string]any{"role": []string{"user", "assistant"}[i%2], "content": text})
	}
	m := map[string]any{"model": "sonnet", "max_tokens": 100, "messages": list}
	maps.Copy(m, more)
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// say asks in the Messages format, without a stream, and returns the text of the answer.
func say(t testing.TB, h http.Handler, path, headers string, more map[string]any, texts ...string) string {
	t.Helper()
	w := ask(t, h, path, headers, body(t, more, texts...))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return textOf(t, w.Body.Bytes())
}

// answer is an answer in the Messages format.
type answer struct {
	ID         string `json:"id"`
	Model      string `json:"model"`
	StopReason string `json:"stop_reason"`
	Content    []struct {
		Type      string          `json:"type"`
		Text      string          `json:"text"`
		Thinking  string          `json:"thinking"`
		ID        string          `json:"id"`
		Name      string          `json:"name"`
		ToolUseID string          `json:"tool_use_id"`
		Input     json.RawMessage `json:"input"`
		Source    string          `json:"source"`
		IsError   bool            `json:"is_error"`
	} `json:"content"`
	Usage map[string]any `json:"usage"`
}

func readAnswer(t testing.TB, b []byte) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return a
}

func textOf(t testing.TB, b []byte) string {
	t.Helper()
	text := ""
	for _, block := range readAnswer(t, b).Content {
		text += block.Text
	}
	return text
}
