package echo_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

func start(t *testing.T, table map[string]any) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory()); err != nil {
		t.Fatal(err)
	}
	p, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{echo.Name: table}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func post(t *testing.T, p http.Handler, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/echo"+path, strings.NewReader(body))
	req.Header.Set("X-Request-Id", "id1")
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, req)
	return rec
}

type message struct {
	ID, Type, Role, Model string
	Content               []map[string]any
	StopReason            string         `json:"stop_reason"`
	StopSequence          *string        `json:"stop_sequence"`
	Usage                 map[string]any `json:"usage"`
}

func request(said, more string) string {
	text, _ := json.Marshal(said)
	return fmt.Sprintf(`{"model":"any","messages":[{"role":"user","content":%s}]%s}`, text, more)
}

// What is said comes back, in words or as the tool call that it asks for, and the same as a stream.
func TestAnswers(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	const limit, tools = `,"max_tokens":100`, `,"max_tokens":100,"tools":[{"name":"weather"},{"name":"x"}]`
	tool := func(input string) map[string]any {
		var in any
		_ = json.Unmarshal([]byte(input), &in)
		return map[string]any{"type": "tool_use", "id": "toolu_id1", "name": "weather", "input": in}
	}
	text := func(s string) map[string]any { return map[string]any{"type": "text", "text": s} }
	tests := []struct {
		name, body string
		content    map[string]any
		stop       string
	}{
		{"text", request("Hello  there, <b>&\n\"you\" é😀", limit), text("Hello  there, <b>&\n\"you\" é😀"), "end_turn"},
		{"empty", request("", limit), text(""), "end_turn"},
		{"spaces", request("  a  ", limit), text("  a  "), "end_turn"},
		{"exactly max_tokens", request("12345678", `,"max_tokens":2`), text("12345678"), "end_turn"},
		{"max_tokens", request("123456789", `,"max_tokens":2`), text("12345678"), "max_tokens"},
		{"max_tokens in a character", request("1234567é9", `,"max_tokens":2`), text("1234567"), "max_tokens"},
		{"huge max_tokens", request("Hello", `,"max_tokens":4611686018427387904`), text("Hello"), "end_turn"},
		{"larger max_tokens", request("Hello", `,"max_tokens":2305843009213693952`), text("Hello"), "end_turn"},
		{"largest max_tokens", request("Hello", `,"max_tokens":9223372036854775807`), text("Hello"), "end_turn"},
		{"tool", request("use tool weather", tools), tool(`{}`), "tool_use"},
		{"tool with input", request(`Please use tool weather with {"city": "Zürich", "n":[1, 2]}`, tools), tool(`{"city":"Zürich","n":[1,2]}`), "tool_use"},
		{"tool with bad input", request("use tool weather with {", tools), tool(`{}`), "tool_use"},
		{"unknown tool", request("use tool other", tools), text("use tool other"), "end_turn"},
		{"no tools", request("use tool weather", limit), text("use tool weather"), "end_turn"},
		{
			"blocks", `{"model":"any","max_tokens":9,"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"x"},
			{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
			{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"b"}]}]}]}`,
			text("a\nb"), "end_turn",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec := post(t, p, "/v1/messages", tt.body)
			var whole message
			if err := json.Unmarshal(rec.Body.Bytes(), &whole); err != nil || rec.Code != http.StatusOK {
				t.Fatalf("got %d %s", rec.Code, rec.Body)
			}
			if diff := cmp.Diff([]map[string]any{tt.content}, whole.Content); diff != "" || whole.StopReason != tt.stop {
				t.Errorf("stop_reason %q, content (-want +got):\n%s", whole.StopReason, diff)
			}
			if whole.Type != "message" || whole.Role != "assistant" || whole.Model != "any" || whole.ID != "msg_id1" {
				t.Errorf("message = %+v", whole)
			}
			rec = post(t, p, "/v1/messages", strings.Replace(tt.body, "{", `{"stream":true,`, 1))
			if diff := cmp.Diff(whole, accumulate(t, rec.Body)); diff != "" {
				t.Errorf("the stream says something else (-whole +stream):\n%s", diff)
			}
		})
	}
}

// accumulate puts a stream together as SDKs do.
func accumulate(t *testing.T, in io.Reader) message {
	t.Helper()
	var m message
	var names []string
	var partial strings.Builder
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			names = append(names, name)
			continue
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var ev struct {
			Type    string
			Index   int
			Message message
			Block   map[string]any `json:"content_block"`
			Delta   struct {
				Text, PartialJSON string
				Partial           string `json:"partial_json"`
				StopReason        string `json:"stop_reason"`
			}
			Usage map[string]any
		}
		if err := json.Unmarshal([]byte(data), &ev); err != nil || ev.Type != names[len(names)-1] || ev.Index != 0 {
			t.Fatalf("event %s: %v", data, err)
		}
		switch ev.Type {
		case "message_start":
			m = ev.Message
			if len(m.Content) != 0 || m.StopReason != "" {
				t.Errorf("message_start says too much: %s", data)
			}
		case "content_block_start":
			m.Content = append(m.Content, ev.Block)
		case "content_block_delta":
			if m.Content[0]["type"] == "text" {
				m.Content[0]["text"] = m.Content[0]["text"].(string) + ev.Delta.Text
			}
			partial.WriteString(ev.Delta.Partial)
		case "message_delta":
			m.StopReason, m.Usage = ev.Delta.StopReason, ev.Usage
		}
	}
	if m.Content[0]["type"] == "tool_use" {
		var input any
		if err := json.NewDecoder(bytes.NewBufferString(partial.String())).Decode(&input); err != nil {
			t.Errorf("input %q: %v", partial.String(), err)
		}
		m.Content[0]["input"] = input
	}
	if names[0] != "message_start" || names[len(names)-1] != "message_stop" || names[len(names)-2] != "message_delta" {
		t.Errorf("events %v", names)
	}
	return m
}

func TestCountTokens(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for body, want := range map[string]int{
		request("12345678", ""):                        2,
		request("123456789", ""):                       3,
		request("", ""):                                0,
		request("12345678", `,"system":"12"`):          3,
		request("12345678", `,"max_tokens":0,"x":[1]`): 2,
	} {
		rec := post(t, p, "/v1/messages/count_tokens", body)
		if got := strings.TrimSpace(rec.Body.String()); got != fmt.Sprintf(`{"input_tokens":%d}`, want) || rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", body, rec.Code, got)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	tests := []struct{ name, path, body, names string }{
		{"no model", "/v1/messages", `{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, "model: "},
		{"no messages", "/v1/messages", `{"model":"m","max_tokens":1}`, "messages: "},
		{"empty messages", "/v1/messages", `{"model":"m","max_tokens":1,"messages":[]}`, "messages: "},
		{"no max_tokens", "/v1/messages", request("x", ""), "max_tokens: "},
		{"zero max_tokens", "/v1/messages", request("x", `,"max_tokens":0`), "max_tokens: "},
		{"negative max_tokens", "/v1/messages", request("x", `,"max_tokens":-5`), "max_tokens: "},
		{"max_tokens in words", "/v1/messages", request("x", `,"max_tokens":"5"`), "max_tokens: must be a number"},
		{"fraction", "/v1/messages", request("x", `,"max_tokens":1.5`), "max_tokens: must be an integer"},
		{"messages object", "/v1/messages", `{"model":"m","max_tokens":1,"messages":{}}`, "messages: must be an array"},
		{"content number", "/v1/messages", `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":5}]}`, "messages[0].content: must be"},
		{"tools object", "/v1/messages", request("x", `,"max_tokens":1,"tools":{}`), "tools: must be an array"},
		{"count without model", "/v1/messages/count_tokens", `{"messages":[{"role":"user","content":"x"}]}`, "model: "},
		{"count without messages", "/v1/messages/count_tokens", `{"model":"m"}`, "messages: "},
	}
	for _, tt := range tests {
		for _, body := range []string{tt.body, strings.Replace(tt.body, "{", `{"stream":true,`, 1)} {
			rec := post(t, p, tt.path, body)
			var e struct {
				Type  string
				Error struct{ Type, Message string }
			}
			if json.Unmarshal(rec.Body.Bytes(), &e) != nil || rec.Code != http.StatusBadRequest || e.Type != "error" ||
				e.Error.Type != "invalid_request_error" || !strings.Contains(e.Error.Message, tt.names) {
				t.Errorf("%s: %d %s", tt.name, rec.Code, rec.Body)
			}
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, map[string]any{"models": []any{"a", "b"}, "prefix": "You said: ", "delay": "10s"})
		rec := httptest.NewRecorder()
		p.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/echo/v1/models", nil))
		for _, want := range []string{`"id":"a"`, `"id":"b"`, `"owned_by":"echo"`} {
			if !strings.Contains(rec.Body.String(), want) {
				t.Errorf("models: %s", rec.Body)
			}
		}
		if got := post(t, p, "/v1/messages", request("Hi", `,"max_tokens":9`)).Body.String(); !strings.Contains(got, `"You said: Hi"`) {
			t.Errorf("got %s", got)
		}
		begun := time.Now()
		got := accumulate(t, post(t, p, "/v1/messages", request("Hi", `,"max_tokens":9,"stream":true`)).Body)
		if got.Content[0]["text"] != "You said: Hi" || time.Since(begun) != 90*time.Second {
			t.Errorf("got %v after %v", got.Content, time.Since(begun))
		}
		// A client that leaves ends the pause.
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		begun = time.Now()
		body := strings.NewReader(request("Hi", `,"max_tokens":9,"stream":true`))
		rec = httptest.NewRecorder()
		p.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, "/echo/v1/messages", body))
		if time.Since(begun) != 15*time.Second || strings.Contains(rec.Body.String(), "message_stop") {
			t.Errorf("after %v: %s", time.Since(begun), rec.Body)
		}
	})
}
