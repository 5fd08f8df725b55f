package codex_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// dial connects to the proxy as the Codex CLI does.
func dial(t *testing.T, proxy http.Handler, path string, h http.Header) *websocket.Conn {
	t.Helper()
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	if h == nil {
		h = http.Header{}
	}
	h.Set("openai-beta", "responses_websockets=2026-02-06")
	h.Set("originator", "codex_exec")
	conn, _, err := websocket.Dial(t.Context(), server.URL+path, &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// turn sends a frame and returns the events up to the terminal one.
func turn(t *testing.T, conn *websocket.Conn, frame string) []string {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		t.Fatal(err)
	}
	var events []string
	for {
		kind, data, err := conn.Read(t.Context())
		if err != nil || kind != websocket.MessageText {
			t.Fatalf("after %v: %v", events, err)
		}
		events = append(events, string(data))
		switch member(t, string(data), "type") {
		case "response.completed", "response.incomplete", "response.failed", "error":
			return events
		}
	}
}

func member(t *testing.T, event string, path ...string) string {
	t.Helper()
	raw, _ := rawjson.Find([]byte(event), path...)
	s, ok := rawjson.String(raw)
	if !ok {
		return string(raw)
	}
	return s
}

func last(events []string) string { return events[len(events)-1] }

// inputs are what the upstream was sent as input, one line for each request.
func inputs(up *providertest.Upstream) []string {
	var list []string
	for _, r := range up.Requests() {
		raw, _ := rawjson.Find(r.Body, "input")
		list = append(list, string(raw))
	}
	return list
}

const (
	developer = `{"type":"message","role":"developer","content":[{"type":"input_text","text":"You are Codex"}]}`
	question  = `{"type":"message","role":"user","content":[{"type":"input_text","text":"Oslo?"}]}`
	result    = `{"type":"function_call_output","call_id":"call_1","output":"rain"}`
	reasoned  = `{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAAsecret=="}`
	called    = `{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"weather","arguments":"{\"city\":\"Oslo\"}"}`
	rest      = `"model":"gpt-5.5","stream":true,"store":false,"include":["reasoning.encrypted_content"]`
)

func turnFrame(previous string, more string, items ...string) string {
	if previous != "" {
		more += `,"previous_response_id":"` + previous + `"`
	}
	return `{"type":"response.create",` + rest + more + `,"input":[` + strings.Join(items, ",") + `]}`
}

// TestSocketConversation: a warm-up, then turns that send only what is new. ChatGPT over HTTP is sent all of it.
func TestSocketConversation(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/codex/v1/responses", "/codex/responses", "/codex/s-3/v1/responses"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			up := &providertest.Upstream{Handler: func(r providertest.Request) providertest.Reply {
				if strings.Contains(string(r.Body), "function_call_output") {
					return providertest.Stream(providertest.Bytes(textEvents("resp_2", "It rains")))
				}
				return providertest.Stream(providertest.Bytes(toolStream()))
			}}
			conn := dial(t, start(t, up, settings(chatGPT(nil))), path, nil)
			warm := turn(t, conn, turnFrame("", `,"generate":false`, developer))
			id := member(t, last(warm), "response", "id")
			if len(warm) != 2 || !strings.HasPrefix(id, "resp_ws_") || len(up.Requests()) != 0 {
				t.Errorf("warm-up: %d requests, events %v", len(up.Requests()), warm)
			}
			first := turn(t, conn, turnFrame(id, "", question))
			second := turn(t, conn, turnFrame(member(t, last(first), "response", "id"), "", result))
			if !strings.Contains(last(second), `"text":"It rains"`) || !strings.Contains(last(second), `"total_tokens":23`) {
				t.Errorf("last event: %s", last(second))
			}
			want := []string{
				"[" + strings.Join([]string{developer, question}, ",") + "]",
				"[" + strings.Join([]string{developer, question, reasoned, called, result}, ",") + "]",
			}
			if diff := cmp.Diff(want, inputs(up)); diff != "" {
				t.Errorf("input mismatch (-want +got):\n%s", diff)
			}
			for _, r := range up.Requests() {
				if strings.Contains(string(r.Body), "previous_response_id") || strings.Contains(string(r.Body), "response.create") ||
					r.Header.Get("Openai-Beta") != "responses=experimental" || r.Header.Get("Originator") != "codex_exec" {
					t.Errorf("sent %s with %v", r.Body, r.Header)
				}
			}
		})
	}
}

// TestSocketTurns: what single frames are answered with.
func TestSocketTurns(t *testing.T) {
	t.Parallel()
	limited := providertest.Raw(http.StatusTooManyRequests,
		http.Header{"Content-Type": {"application/json"}, "X-Codex-Primary-Used-Percent": {"100"}},
		`{"error":{"type":"usage_limit_reached","message":"Limit","resets_in_seconds":9}}`)
	stream := func(lines string) providertest.Reply { return providertest.Stream(providertest.Bytes(asStream(lines))) }
	const created = `{"type":"response.created","response":{"id":"r","output":[]}}` + "\n"
	tests := []struct {
		name, frame string
		reply       providertest.Reply
		want        []string // in the last event
		events      int
	}{
		{"text as input", `{"type":"response.create","model":"claude-x","input":"hi"}`, textStream("ok"), []string{`"model":"claude-x"`, `"text":"ok"`}, 8},
		{"empty input", `{"type":"response.create","model":"m","input":[]}`, nil, []string{`"status":"completed"`, `"id":"resp_ws_`, `"model":"m"`}, 2},
		{"unknown response", turnFrame("resp_9", "", question), nil, []string{`"status":400`, `"previous_response_not_found"`}, 1},
		{"limit", turnFrame("", "", question), limited, []string{
			`"status":429`, `"type":"usage_limit_reached"`, `"retry-after":"9"`, `"x-codex-primary-used-percent":"100"`,
		}, 1},
		{"refused by the proxy", turnFrame("", `,"conversation":"c"`, question), nil, []string{`"status":400`, `"param":"conversation"`}, 1},
		{"incomplete", turnFrame("", "", question), stream(created + `{"type":"response.incomplete","response":{"id":"r","status":"incomplete","output":[]}}`), []string{`"incomplete"`}, 2},
		{"failed", turnFrame("", "", question), stream(created + `{"type":"response.failed","response":{"id":"r",` +
			`"status":"failed","error":{"code":"context_length_exceeded","message":"long"}}}`), []string{`"context_length_exceeded"`}, 2},
		{"cut", turnFrame("", "", question), stream(created), []string{`"response.failed"`, "broke off"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, start(t, upstream(tt.reply), settings(chatGPT(nil))), "/codex/v1/responses", nil)
			for range 2 { // a turn that failed leaves the connection as it was
				events := turn(t, conn, tt.frame)
				if len(events) != tt.events {
					t.Errorf("%d events, want %d: %v", len(events), tt.events, events)
				}
				for _, part := range tt.want {
					if !strings.Contains(last(events), part) {
						t.Errorf("last event has no %s: %s", part, last(events))
					}
				}
				if !json.Valid([]byte(last(events))) {
					t.Errorf("not JSON: %s", last(events))
				}
			}
		})
	}
}

// TestSocketViolations: what is none of the protocol's ends the connection and says why.
func TestSocketViolations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, frame string
		kind        websocket.MessageType
		code        websocket.StatusCode
	}{
		{"no JSON", "hello", websocket.MessageText, websocket.StatusPolicyViolation},
		{"list", "[]", websocket.MessageText, websocket.StatusPolicyViolation},
		{"other type", `{"type":"session.update"}`, websocket.MessageText, websocket.StatusPolicyViolation},
		{"a member twice", `{"type":"response.create","type":"x"}`, websocket.MessageText, websocket.StatusPolicyViolation},
		{"binary", turnFrame("", "", question), websocket.MessageBinary, websocket.StatusUnsupportedData},
		{"too large", `{"type":"` + strings.Repeat("x", 2<<10) + `"}`, websocket.MessageText, websocket.StatusMessageTooBig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := settings(chatGPT(nil))
			s.Limits.BodyBytes = 1 << 10
			up := upstream(textStream("ok"))
			conn := dial(t, start(t, up, s), "/codex/v1/responses", nil)
			if err := conn.Write(t.Context(), tt.kind, []byte(tt.frame)); err != nil {
				t.Fatal(err)
			}
			_, _, err := conn.Read(t.Context())
			if websocket.CloseStatus(err) != tt.code || len(up.Requests()) != 0 {
				t.Errorf("%v after %d requests, want %v", err, len(up.Requests()), tt.code)
			}
		})
	}
}

// TestSocketHandshake: who may not ask is told so at the handshake, and what is none is told to come over HTTP.
func TestSocketHandshake(t *testing.T) {
	t.Parallel()
	s := settings(chatGPT(nil))
	s.Security.Keys = []ccproxy.APIKey{{
		Name: "ci", Value: ccproxy.NewSecret("key-of-the-client-1"), Models: []string{"gpt-5.5"},
	}}
	s.Security.Origins = []string{"https://good.test"}
	up := upstream(textStream("ok"))
	proxy := start(t, up, s)
	server := httptest.NewServer(proxy)
	defer server.Close()
	for name, tt := range map[string]struct {
		header http.Header
		status int
	}{
		"no key":     {http.Header{}, http.StatusUnauthorized},
		"wrong key":  {http.Header{"Authorization": {"Bearer key-of-nobody-123"}}, http.StatusUnauthorized},
		"bad origin": {http.Header{"Authorization": {"Bearer key-of-the-client-1"}, "Origin": {"https://evil.test"}}, http.StatusForbidden},
	} {
		_, resp, err := websocket.Dial(t.Context(), server.URL+"/codex/responses", &websocket.DialOptions{HTTPHeader: tt.header})
		if err == nil || resp == nil || resp.StatusCode != tt.status {
			t.Errorf("%s: %v %v, want %d", name, resp, err, tt.status)
		}
	}
	w := ask(t, proxy, http.MethodGet, "/codex/v1/responses", "Authorization: Bearer key-of-the-client-1", "")
	if w.Code != http.StatusUpgradeRequired || w.Header().Get("Upgrade") != "websocket" {
		t.Errorf("plain GET: %d %v %s", w.Code, w.Header(), w.Body)
	}
	h := http.Header{"Authorization": {"Bearer key-of-the-client-1"}, "Origin": {"https://good.test"}}
	conn := dial(t, proxy, "/codex/v1/responses", h)
	if events := turn(t, conn, turnFrame("", "", question)); len(events) != 8 {
		t.Errorf("with a key: %v", events)
	}
	other := strings.Replace(turnFrame("", "", question), "gpt-5.5", "gpt-5.4", 1)
	if events := turn(t, conn, other); member(t, last(events), "status") != "403" {
		t.Errorf("a model that the key is not for: %v", events)
	}
}

// TestSocketOfAHostWithoutHijack: a server that cannot give a connection away has no WebSocket, and says so in the way
// that clients understand.
func TestSocketOfAHostWithoutHijack(t *testing.T) {
	t.Parallel()
	proxy := start(t, upstream(textStream("ok")), settings(chatGPT(nil)))
	w := ask(t, proxy, http.MethodGet, "/codex/v1/responses", "Upgrade: websocket\nConnection: Upgrade", "")
	if w.Code != http.StatusUpgradeRequired {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestSocketHooks: every turn is a request of its own to hooks.
func TestSocketHooks(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 16)
	watch := ccproxy.NewFactory(ccproxy.Manifest{Name: "watch", Hooks: []ccproxy.HookSpec{{
		New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
			return hooks.On("watch", func(_ context.Context, hc *hooks.Context, p *hooks.RequestCompleted) error {
				if p.Streamed && p.Usage != nil {
					seen <- hc.RequestID + " " + p.Model
				}
				return nil
			}), nil
		},
	}}}, nil)
	proxy := start(t, upstream(textStream("ok")), settings(chatGPT(nil)), watch)
	conn := dial(t, proxy, "/codex/v1/responses", http.Header{"X-Request-Id": {"of-the-handshake"}})
	turn(t, conn, turnFrame("", "", question))
	turn(t, conn, turnFrame("", "", question))
	a, b := <-seen, <-seen
	if a == b || !strings.HasSuffix(a, " gpt-5.5") || !strings.HasSuffix(b, " gpt-5.5") {
		t.Errorf("hooks saw %q and %q", a, b)
	}
}

// TestSocketDrain: a connection that waits for its client does not hold the proxy up; a turn is finished first.
func TestSocketDrain(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	begun := make(chan struct{})
	text := textEvents("resp_1", "ok")
	half := strings.Index(text, "event: response.output_item.done")
	up := upstream(providertest.Stream(
		providertest.Bytes(text[:half]),
		func(context.Context, io.Writer) error { close(begun); return nil },
		providertest.Gate(open), providertest.Bytes(text[half:]),
	))
	proxy := start(t, up, settings(chatGPT(nil)))
	waiting := dial(t, proxy, "/codex/v1/responses", nil)
	asking := dial(t, proxy, "/codex/v1/responses", nil)
	drained := make(chan error, 1)
	go func() {
		<-begun
		drained <- proxy.Drain(t.Context())
	}()
	go func() {
		_, _, err := waiting.Read(t.Context())
		if websocket.CloseStatus(err) != websocket.StatusServiceRestart {
			t.Errorf("a connection that waits ends with %v", err)
		}
		close(open)
	}()
	events := turn(t, asking, turnFrame("", "", question))
	if member(t, last(events), "type") != "response.completed" {
		t.Errorf("events %v", events)
	}
	if _, _, err := asking.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusServiceRestart {
		t.Errorf("after its turn a connection ends with %v", err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestSocketCancel: a client that leaves ends the upstream's call.
func TestSocketCancel(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	up := upstream(providertest.Stream(
		providertest.Bytes(asStream(`{"type":"response.created","response":{"id":"r","output":[]}}`)),
		func(ctx context.Context, _ io.Writer) error { close(begun); <-ctx.Done(); return errors.New("gone") },
	))
	conn := dial(t, start(t, up, settings(chatGPT(nil))), "/codex/v1/responses", nil)
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(turnFrame("", "", question))); err != nil {
		t.Fatal(err)
	}
	<-begun
	_ = conn.CloseNow()
	<-up.Canceled()
}
