package commandreplay_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/commandreplay"
	"github.com/ccproxy-go/ccproxy/system/requesttracer"
)

const replayKey = "upstream-canary-1234567890abcdef"

func replays(t *testing.T, send func(p *ccproxy.Proxy)) map[string]string {
	t.Helper()
	var up providertest.Upstream
	defer up.Close()
	dir := filepath.Join(t.TempDir(), "replay")
	var reg ccproxy.Registry
	if err := reg.Register(commandreplay.Factory(), requesttracer.Factory(), claudeapi.Factory()); err != nil {
		t.Fatal(err)
	}
	p, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		commandreplay.Name: {"enabled": true, "log_dir": dir}, claudeapi.Name: {"api_key": replayKey},
		requesttracer.Name: {"enabled": true, "log_dir": filepath.Join(t.TempDir(), "traces")},
	}}, ccproxy.WithTransport(up.Transport()), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	send(p)
	if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	found := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[strings.SplitN(e.Name(), "_", 4)[3]] += string(text)
	}
	return found
}

const replayBody = `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`

func TestURLBelowAMount(t *testing.T) {
	t.Parallel()
	found := replays(t, func(p *ccproxy.Proxy) {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://host.test/llm/claude/v1/messages", strings.NewReader(replayBody))
		r.Header.Set("Content-Type", "application/json")
		p.Mount("/llm").ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatal(w.Code)
		}
	})
	if text := found["client_curl.sh"]; !strings.Contains(text, "http://host.test/llm/claude/v1/messages") {
		t.Errorf("the script does not send the request to where it was sent:\n%s", text)
	}
}

func TestKeyInAnotherField(t *testing.T) {
	t.Parallel()
	const canary = "client-canary-5544332211"
	found := replays(t, func(p *ccproxy.Proxy) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/claude/v1/messages", strings.NewReader(replayBody))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Api-Key", canary)
		r.Header.Set("X-Debug", "sent "+canary)
		r.Header.Set("Sec-Websocket-Protocol", "openai-insecure-api-key.sk-proj-"+canary)
		p.ServeHTTP(httptest.NewRecorder(), r)
	})
	for name, text := range found {
		if strings.Contains(text, canary) {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// A body that is cut off in the midst of the key.
func TestCutKey(t *testing.T) {
	t.Parallel()
	found := replays(t, func(p *ccproxy.Proxy) {
		head := `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"`
		body := head + strings.Repeat("x", 1<<20-len(head)-len(replayKey)) + " " + replayKey + `"}]}`
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/claude/v1/messages", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		p.ServeHTTP(httptest.NewRecorder(), r)
	})
	for name, text := range found {
		if i := strings.Index(text, replayKey[:len(replayKey)-1]); i >= 0 {
			t.Errorf("%s ends with %q", name, text[i:])
		}
	}
}
