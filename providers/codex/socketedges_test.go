package codex_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/codex"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// A turn that goes on from a response which OpenAI has stored (and which this connection has not seen) is the beginning of a
// conversation of which the connection knows the last turn only. The turn after it must still reach all of it.
func TestSocketGoesOnFromStored(t *testing.T) {
	t.Parallel()
	n := 0
	up := &providertest.Upstream{Handler: func(providertest.Request) providertest.Reply {
		n++
		return providertest.Stream(providertest.Bytes(textEvents("resp_new"+string(rune('0'+n)), "ok")))
	}}
	conn := dial(t, start(t, up, settings(map[string]any{"api_key": testKey, "backend": "openai"})), "/codex/v1/responses", nil)
	frame := func(previous, text string) string {
		return `{"type":"response.create","model":"gpt-5.5","store":true,"previous_response_id":"` + previous +
			`","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"` + text + `"}]}]}`
	}
	turn(t, conn, frame("resp_stored_yesterday", "second question"))
	turn(t, conn, frame("resp_new1", "third question"))
	reqs := up.Requests()
	for i, r := range reqs {
		t.Logf("request %d: %s", i, r.Body)
	}
	if !strings.Contains(string(reqs[1].Body), "previous_response_id") {
		t.Errorf("the second turn neither names a stored response nor holds the conversation of yesterday: %s", reqs[1].Body)
	}
}

// A swap must not wait for a client that has a WebSocket open and asks nothing: Drain tells it to come again.
func TestSwapWithIdleSocket(t *testing.T) {
	t.Parallel()
	build := func() *ccproxy.Proxy {
		up := upstream(textStream("ok"))
		var reg ccproxy.Registry
		if err := reg.Register(codex.Factory()); err != nil {
			t.Fatal(err)
		}
		p, err := reg.Build(settings(chatGPT(nil)), ccproxy.WithTransport(up.Transport()), ccproxy.WithStrictStart())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Shutdown(context.Background()); _ = up.Close() })
		return p
	}
	var h ccproxy.Handle
	if err := h.Swap(t.Context(), build()); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, &h, "/codex/v1/responses", nil)
	turn(t, conn, turnFrame("", "", question)) // and nothing from here on
	status := make(chan websocket.StatusCode, 1)
	go func() {
		_, _, err := conn.Read(t.Context())
		status <- websocket.CloseStatus(err)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // any time is too short
	defer cancel()
	begun := time.Now()
	err := h.Swap(ctx, build())
	t.Logf("Swap took %v: %v", time.Since(begun), err)
	if ctx.Err() != nil || err != nil {
		t.Errorf("the swap waited for a client that asks nothing until its context ended: %v", err)
	}
	if s := <-status; s != websocket.StatusServiceRestart {
		t.Errorf("the client's connection ended with %v, want %v as a drain does", s, websocket.StatusServiceRestart)
	}
}

// What the handshake's Connection header names concerns the connection, over a WebSocket as over plain HTTP.
func TestSocketConnectionNamed(t *testing.T) {
	t.Parallel()
	up := upstream(textStream("ok"))
	proxy := start(t, up, settings(chatGPT(nil)))
	ask(t, proxy, http.MethodPost, "/codex/v1/responses", "Connection: keep-alive, X-Codex-Hop\nX-Codex-Hop: internal-1", `{"model":"gpt-5.5","input":"hi","stream":true}`)
	server := httptest.NewServer(proxy)
	defer server.Close()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /codex/v1/responses HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade, X-Codex-Hop\r\n"+
		"X-Codex-Hop: internal-1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	payload := []byte(turnFrame("", "", question))
	frame := []byte{0x81, 0x80 | 126, byte(len(payload) >> 8), byte(len(payload)), 0, 0, 0, 0}
	_, _ = c.Write(append(frame, payload...))
	_, _ = br.ReadByte()
	for i, r := range up.Requests() {
		t.Logf("%d: %v", i, r.Header)
		if r.Header.Get("X-Codex-Hop") != "" {
			t.Errorf("request %d: the upstream got a header that Connection names", i)
		}
	}
	if len(up.Requests()) != 2 {
		t.Errorf("%d requests", len(up.Requests()))
	}
}

// limits.json_depth is the deepest nesting of a request body.
func TestDepth(t *testing.T) {
	t.Parallel()
	up := upstream(textStream("ok"))
	s := settings(chatGPT(nil))
	s.Limits.JSONDepth = 1000
	proxy := start(t, up, s)
	deep := `{"type":"object","x":` + strings.Repeat(`{"a":`, 300) + `1` + strings.Repeat(`}`, 300) + `}`
	body := `{"model":"gpt-5.5","input":"hi","stream":true,"tools":[{"type":"function","name":"f","parameters":` + deep + `}]}`
	w := post(t, proxy, "/codex/v1/responses", body)
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A turn that has ended well is a success for hooks, whatever an upstream writes behind the terminal event.
func TestSocketTail(t *testing.T) {
	t.Parallel()
	for name, tail := range map[string]string{"nothing": "", "comment": ": bye\n\n", "done": "data: [DONE]\n\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ends := make(chan hooks.Payload, 8)
			watch := ccproxy.NewFactory(ccproxy.Manifest{Name: "watch", Hooks: []ccproxy.HookSpec{{New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
				return hooks.Observe("ends", func(_ context.Context, hc *hooks.Context) error { ends <- hc.Payload; return nil },
					hooks.EventRequestCompleted, hooks.EventRequestFailed), nil
			}}}}, nil)
			up := upstream(providertest.Stream(providertest.Bytes(textEvents("resp_1", "ok") + tail)))
			conn := dial(t, start(t, up, settings(chatGPT(nil)), watch), "/codex/v1/responses", nil)
			for range 20 {
				turn(t, conn, turnFrame("", "", question))
				if f, failed := (<-ends).(*hooks.RequestFailed); failed {
					t.Fatalf("%+v", f)
				}
			}
		})
	}
}

// A turn over a WebSocket is the client's own request: hooks (access log, analytics) are told from where it came.
func TestSocketClientIP(t *testing.T) {
	t.Parallel()
	ends := make(chan hooks.Payload, 8)
	watch := ccproxy.NewFactory(ccproxy.Manifest{Name: "watch", Hooks: []ccproxy.HookSpec{{New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
		return hooks.Observe("ends", func(_ context.Context, hc *hooks.Context) error { ends <- hc.Payload; return nil },
			hooks.EventRequestCompleted), nil
	}}}}, nil)
	conn := dial(t, start(t, upstream(textStream("ok")), settings(chatGPT(nil)), watch), "/codex/v1/responses", nil)
	turn(t, conn, turnFrame("", "", question))
	done := (<-ends).(*hooks.RequestCompleted)
	if done.Request.ClientIP != "127.0.0.1" {
		t.Errorf("ClientIP %q, want the client's", done.Request.ClientIP)
	}
}

// Who may have one request at a time may ask again when it has its answer.
func TestSocketTurnAfterTurnWithConcurrencyOne(t *testing.T) {
	t.Parallel()
	s := settings(chatGPT(nil))
	s.Security.Limits.Concurrency = 1
	conn := dial(t, start(t, upstream(textStream("ok")), s), "/codex/v1/responses", nil)
	refused := 0
	for range 300 {
		if events := turn(t, conn, turnFrame("", "", question)); member(t, last(events), "status") == "429" {
			refused++
			if refused == 1 {
				t.Log(last(events))
			}
		}
	}
	if refused > 0 {
		t.Errorf("%d of 300 turns, one after the other, were refused", refused)
	}
}

// A client goes on from every response that it was told of, also from one that the upstream did not stream.
func TestSocketGoesOnFromWhole(t *testing.T) {
	t.Parallel()
	whole := `{"id":"resp_w","object":"response","created_at":1,"status":"completed","model":"gpt-5.5","output":[{"id":"msg_1","type":"message",` +
		`"status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"text":"ok"}]}],"usage":null}`
	up := upstream(providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, whole))
	conn := dial(t, start(t, up, settings(chatGPT(nil))), "/codex/v1/responses", nil)
	first := turn(t, conn, turnFrame("", "", question))
	if member(t, last(first), "type") != "response.completed" {
		t.Fatal(first)
	}
	if second := turn(t, conn, turnFrame(member(t, last(first), "response", "id"), "", result)); member(t, last(second), "type") != "response.completed" {
		t.Errorf("after %s\ncame %s", last(first), last(second))
	}
}
