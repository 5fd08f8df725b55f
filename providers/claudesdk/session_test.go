package claudesdk_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudesdk"
)

// remembered asks a session for the CLI's number, twice, as a client that sends the conversation back.
func remembered(t *testing.T, p http.Handler, path, headers string, more map[string]any) (first, second string) {
	t.Helper()
	first = say(t, p, path, headers, more, "pid?")
	return first, say(t, p, path, headers, more, "pid?", " "+first+"\n", "pid?")
}

// A session is found by any of the ways to name it, and its CLI goes on with the conversation.
func TestSessionNames(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	tests := []struct {
		name, path, headers string
		more                map[string]any
	}{
		{name: "path", path: "/claude/sdk/s1/v1/messages"},
		{name: "query", path: messages + "?beta=true&session_id=s2"},
		{name: "header", path: messages, headers: "X-Claude-Code-Session-Id: s3"},
		{name: "body", path: messages, more: map[string]any{"session_id": "s4"}},
		{name: "metadata", path: messages, more: map[string]any{"metadata": map[string]any{"session_id": "s5"}}},
		{name: "user", path: messages, more: map[string]any{"metadata": map[string]any{"user_id": "s6"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if a, b := remembered(t, p, tt.path, tt.headers, tt.more); a != b {
				t.Errorf("another CLI answered: %s, %s", a, b)
			}
		})
	}
	if a, b := remembered(t, p, messages, "", nil); a == b {
		t.Error("a CLI was kept without a session")
	}
}

func TestDefaultSession(t *testing.T) {
	t.Parallel()
	if a, b := remembered(t, start(t, map[string]any{"default_session_id": "x"}), messages, "", nil); a != b {
		t.Errorf("another CLI answered: %s, %s", a, b)
	}
	off := map[string]any{"default_session_id": "x", "session_pool": map[string]any{"disabled": true}}
	if a, b := remembered(t, start(t, off), messages, "", nil); a == b {
		t.Error("a CLI was kept though the pool is off")
	}
}

// Whatever does not go on with the same conversation gets a CLI of its own, which knows what the client says.
func TestOtherConversations(t *testing.T) {
	t.Parallel()
	const path = "/claude/sdk/s/v1/messages"
	tests := []struct {
		name  string
		more  map[string]any
		texts []string
	}{
		{"other history", nil, []string{"pid?", "7", "pid?"}},
		{"new conversation", nil, []string{"pid?"}},
		{"other model", map[string]any{"model": "opus"}, nil},
		{"other system prompt", map[string]any{"system": "x"}, nil},
		{"other options", map[string]any{"sdk_options": map[string]any{"max_turns": 3}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, nil)
			pid := say(t, p, path, "", nil, "pid?")
			texts := tt.texts
			if texts == nil {
				texts = []string{"pid?", pid, "pid?"}
			}
			if got := say(t, p, path, "", tt.more, texts...); got == pid {
				t.Error("the same CLI answered")
			}
			texts[len(texts)-1] = "history?"
			var history []struct{ Content []struct{ Text string } }
			if err := json.Unmarshal([]byte(say(t, p, path, "", tt.more, texts...)), &history); err != nil {
				t.Fatal(err)
			}
			if len(history) != len(texts) || history[0].Content[0].Text != texts[0] {
				t.Errorf("the CLI knows %v, want %v", history, texts)
			}
		})
	}
}

// A CLI remembers its own use of tools, of which the client has seen less or more than a text.
func TestToolsInMemory(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ignore", "forward", "formatted"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := start(t, map[string]any{"message_mode": mode})
			const path = "/claude/sdk/s/v1/messages"
			pid := say(t, p, path, "", nil, "pid?")
			w := ask(t, p, path, "", body(t, nil, "pid?", pid, "tool touch it"))
			var m struct{ Content any }
			if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
				t.Fatal(err)
			}
			b, _ := json.Marshal(map[string]any{"model": "sonnet", "max_tokens": 100, "messages": []any{
				map[string]any{"role": "user", "content": "pid?"},
				map[string]any{"role": "assistant", "content": pid},
				map[string]any{"role": "user", "content": "tool touch it"},
				map[string]any{"role": "assistant", "content": m.Content},
				map[string]any{"role": "user", "content": "pid?"},
			}})
			if got := textOf(t, ask(t, p, path, "", string(b)).Body.Bytes()); got != pid {
				t.Errorf("another CLI answered: %s, not %s", got, pid)
			}
		})
	}
}

// In the other dialects a session goes on as well.
func TestSessionOfChat(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	const path = "/claude/sdk/s/v1/chat/completions"
	text := func(b string) string {
		var a struct {
			Choices []struct{ Message struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(b), &a); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		return a.Choices[0].Message.Content
	}
	pid := text(ask(t, p, path, "", `{"model":"sonnet","messages":[{"role":"user","content":"pid?"}]}`).Body.String())
	got := text(ask(t, p, path, "", `{"model":"sonnet","messages":[{"role":"user","content":"pid?"},{"role":"assistant","content":"`+
		pid+`"},{"role":"user","content":"pid?"}]}`).Body.String())
	if got != pid {
		t.Errorf("another CLI answered: %s, not %s", got, pid)
	}
}

// One caller's session is never another's.
func TestSessionsOfCallers(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	call := func(who, path string, texts ...string) string {
		ctx := ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: who})
		w := askWith(ctx, p, path, "", body(t, nil, texts...))
		return textOf(t, w.Body.Bytes())
	}
	const path = "/claude/sdk/s/v1/messages"
	pid := call("ann", path, "pid?")
	if got := call("bob", path, "pid?", pid, "pid?"); got == pid {
		t.Error("bob got ann's CLI")
	}
	if got := call("ann", path, "pid?", pid, "pid?"); got != pid {
		t.Error("ann's CLI is gone")
	}
}

// What a CLI did on its own since its answer is no part of the conversation that the client knows.
func TestUnaskedTalk(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	const path = "/claude/sdk/s/v1/messages"
	if got := say(t, p, path, "", nil, "chatty"); got != "fine" {
		t.Fatalf("got %q", got)
	}
	if got := say(t, p, path, "", nil, "chatty", "fine", "hello"); got != "You said: hello" {
		t.Errorf("got %q", got)
	}
}

// Costs are told by request, though the CLI counts by session.
func TestCosts(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	texts := []string{"hello"}
	for range 3 {
		w := ask(t, p, "/claude/sdk/s/v1/messages", "", body(t, nil, texts...))
		a := readAnswer(t, w.Body.Bytes())
		if cost := a.Usage["total_cost_usd"].(float64); cost < 0.00499 || cost > 0.00501 {
			t.Errorf("cost %v", cost)
		}
		texts = append(texts, textOf(t, w.Body.Bytes()), "hello")
	}
}

// health is what the plugin tells of itself.
func health(t testing.TB, p *ccproxy.Proxy) (live, idle int) {
	t.Helper()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/plugins/"+claudesdk.Name+"/health", http.NoBody))
	var h struct {
		Details map[string]any `json:"details"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	number := func(name string) int { n, _ := h.Details[name].(float64); return int(n) }
	if _, ok := h.Details["sessions"]; !ok {
		t.Fatalf("health: %s", w.Body)
	}
	return number("sessions"), number("sessions_idle")
}

// The number of CLIs is bounded: the one that rests the longest makes room, and when all work there is none.
func TestMostSessions(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]any{"session_pool": map[string]any{"max_sessions": 2}})
	first := say(t, p, "/claude/sdk/s1/v1/messages", "", nil, "pid?")
	second := say(t, p, "/claude/sdk/s2/v1/messages", "", nil, "pid?")
	say(t, p, "/claude/sdk/s3/v1/messages", "", nil, "pid?")
	if _, idle := health(t, p); idle != 2 {
		t.Errorf("%d CLIs are kept, want 2", idle)
	}
	if got := say(t, p, "/claude/sdk/s2/v1/messages", "", nil, "pid?", second, "pid?"); got != second {
		t.Error("the second session is gone")
	}
	if got := say(t, p, "/claude/sdk/s1/v1/messages", "", nil, "pid?", first, "pid?"); got == first {
		t.Error("the first session is still there")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{}, 2)
	for range 2 {
		began := make(chan struct{})
		go func() {
			defer func() { done <- struct{}{} }()
			w := &firstWrite{ResponseRecorder: httptest.NewRecorder(), began: began}
			p.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, messages,
				strings.NewReader(body(t, map[string]any{"stream": true}, "slow"))))
		}()
		<-began
	}
	w := ask(t, p, messages, "", body(t, nil, "hello"))
	if w.Code != 529 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "overloaded_error") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	cancel()
	<-done
	<-done
}

// firstWrite tells when an answer begins.
type firstWrite struct {
	*httptest.ResponseRecorder
	began chan struct{}
	told  bool
}

func (w *firstWrite) Write(b []byte) (int, error) {
	if !w.told {
		w.told = true
		close(w.began)
	}
	return w.ResponseRecorder.Write(b)
}
