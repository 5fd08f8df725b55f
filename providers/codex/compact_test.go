package codex_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// TestCompact: what asks for a shorter conversation passes byte for byte, both ways, at either backend.
func TestCompact(t *testing.T) {
	t.Parallel()
	const question = `{"model":"gpt-5.5","instructions":"I","input":[{"type":"message","role":"user","content":"hi"}],"tools":[],"extra": 1}`
	const answer = `{"id":"resp_1","object":"response.compaction","output":[{"type":"compaction","encrypted_content":"gAAA=="}],"usage":{"input_tokens":3}}`
	key := ccproxy.Settings{Plugins: map[string]map[string]any{"codex": {"api_key": "sk-upstream-0123456789"}}}
	for _, tt := range []struct {
		name, path, host, upstream string
		settings                   ccproxy.Settings
	}{
		{"ChatGPT", "/codex/v1/responses/compact", "chatgpt.com", "/backend-api/codex/responses/compact", settings(chatGPT(nil))},
		{"without a version", "/codex/responses/compact", "chatgpt.com", "/backend-api/codex/responses/compact", settings(chatGPT(nil))},
		{"of a session", "/codex/s-1/v1/responses/compact", "chatgpt.com", "/backend-api/codex/responses/compact", settings(chatGPT(nil))},
		{"by model", "/v1/responses/compact", "chatgpt.com", "/backend-api/codex/responses/compact", settings(chatGPT(nil))},
		{"public API", "/codex/v1/responses/compact", "api.openai.com", "/v1/responses/compact", key},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := upstream(providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, answer))
			proxy := start(t, up, tt.settings)
			w := ask(t, proxy, http.MethodPost, tt.path, "Originator: codex_exec\nSession-Id: s-1", question)
			if w.Code != http.StatusOK || w.Body.String() != answer {
				t.Errorf("answer is %d %s", w.Code, w.Body)
			}
			got, _ := up.Last()
			if got.Host != tt.host || got.Path != tt.upstream || string(got.Body) != question || got.Header.Get("Session-Id") != "s-1" {
				t.Errorf("asked %s%s with %v: %s", got.Host, got.Path, got.Header, got.Body)
			}
		})
	}
}

// TestSocketLosses: a turn tells in its first event what of it ChatGPT does not take.
func TestSocketLosses(t *testing.T) {
	t.Parallel()
	up := upstream(textStream("ok"))
	conn := dial(t, start(t, up, settings(chatGPT(nil))), "/codex/v1/responses", nil)
	for _, tt := range []struct{ more, want string }{{`,"temperature":1,"top_p":1`, "temperature, top_p"}, {"", ""}} {
		events := turn(t, conn, turnFrame("", tt.more, question))
		if got := member(t, events[0], "headers", "x-ccproxy-loss"); got != tt.want {
			t.Errorf("first event %s, want the losses %q", events[0], tt.want)
		}
		if strings.Contains(strings.Join(events[1:], ""), "x-ccproxy-loss") {
			t.Errorf("told twice: %v", events)
		}
	}
}
