package ccproxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/codex"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// TestClientNeeds holds what coding agents and SDKs need of the proxy, besides of conversions, which have a test of
// the same name. The upstream is Anthropic's, ChatGPT's (/codex) and one that speaks Chat (/chat), all in one.
func TestClientNeeds(t *testing.T) {
	t.Parallel()
	for _, need := range []struct {
		name string
		test func(*testing.T, *clientRig)
	}{
		{"4.1_paths_of_clients", needPaths},
		{"4.1_upgrades_refused_with_426", needUpgradeRefused},
		{"4.2_bodies_as_clients_send_them", needBodies},
		{"4.3_first_byte_before_the_end", needFirstByte},
		{"4.4_upstream_ends_with_the_client", needCancel},
		{"4.5_errors_before_and_in_streams", needErrorPlaces},
		{"4.6_broken_upstreams_never_look_whole", needBroken},
		{"4.7_errors_keep_what_clients_read", needErrors},
		{"4.7_prompt_is_too_long", needTooLong},
		{"4.8_server_sent_events_of_any_shape", needEvents},
		{"4.9_credentials_stay_on_their_side", needCredentials},
		{"4.10_requests_share_nothing", needIsolation},
		{"4.19_only_what_chatgpt_takes", needChatGPTKeys},
		{"4.20_output_collected_from_items", needCollected},
		{"4.21_betas_of_the_client_alone", needBetas},
		{"10.24_event_names_and_pings", needEventNames},
		{"10.29_unknown_members_pass", needUnknown},
		{"10.35_models_under_the_clients_name", needModelName},
	} {
		t.Run(need.name, func(t *testing.T) {
			t.Parallel()
			need.test(t, newClientRig(t))
		})
	}
}

// clientRig is a rig whose queued replies answer on every path.
type clientRig struct {
	*rig

	replies chan providertest.Reply
}

func (r *clientRig) reply(replies ...providertest.Reply) {
	for _, reply := range replies {
		r.replies <- reply
	}
}

func newClientRig(t *testing.T) *clientRig {
	t.Helper()
	r := newRig(t, rigSetup{quiet: true, plugins: []ccproxy.Factory{codex.Factory(), openaicompat.Factory()}, settings: ccproxy.Settings{
		ModelMappings: map[string][]ccproxy.ModelRule{"claude": {{Match: "mine", Target: "claude-fake-1"}}},
		Plugins: map[string]map[string]any{
			codex.Name:        {"api_key": "sk-chatgpt-canary", "backend": "chatgpt"},
			openaicompat.Name: {"instances": map[string]any{"chat": map[string]any{"base_url": "https://chat.test/v1", "api_key": "sk-chat-canary"}}},
		},
	}})
	c := &clientRig{rig: r, replies: make(chan providertest.Reply, 16)}
	r.upstream.Handler = func(providertest.Request) providertest.Reply {
		select {
		case reply := <-c.replies:
			return reply
		default:
			return nil
		}
	}
	return c
}

// send posts as a client does.
func (r *clientRig) send(t *testing.T, path, body string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	return r.do(t, http.MethodPost, path, header, strings.NewReader(body))
}

// largeRequest is one of Claude Code with its forty tools.
func largeRequest(more string) string {
	var b strings.Builder
	b.WriteString(`{"model":"claude-fake-1","max_tokens":64000,"tools":[`)
	for i := range 40 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"tool_%d","description":%q,"input_schema":{"$schema":"https://json-schema.org/draft/2020-12/schema",`+
			`"type":"object","properties":{"path":{"type":"string","minLength":1}},"$defs":{"x":{"type":"string"}}}}`, i, strings.Repeat("Does. ", 400))
	}
	b.WriteString(`],"system":[{"type":"text","text":"You are Claude Code.","cache_control":{"type":"ephemeral","ttl":"1h"}}],` +
		`"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral","ttl":"1h"}}]}],` +
		`"thinking":{"type":"adaptive"},"output_config":{"effort":"high"},` +
		`"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"metadata":{"user_id":"{\"a\":\"b\"}"}` + more + `}`)
	return b.String()
}

// events is a reply with one event for each line of data, named after its type if it has one.
func events(lines string) providertest.Reply {
	var parts []providertest.Part
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, providertest.Event(find([]byte(line), "type"), line))
		}
	}
	return providertest.Stream(parts...)
}

const (
	chatAnswerEvents = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}]}
{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}
[DONE]`
	claudeEvents = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-fake-1","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}
{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}
{"type":"content_block_stop","index":0}
{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}
{"type":"message_stop"}`
	chatGPTEvents = `{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"gpt-5.5","output":[]}}
{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}
{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"text":""}}
{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hello"}
{"type":"response.output_item.done","sequence_number":4,"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello"}]}}
{"type":"response.completed","sequence_number":5,"response":{"id":"resp_1","status":"completed","model":"gpt-5.5","output":[],"usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}}`
)

// route is one way through the proxy: a client's path and body, and the upstream's stream.
type route struct{ path, body, answer, done string }

// convertedRoutes are those on which the client's format is not the upstream's.
func convertedRoutes() []route {
	messages := largeRequest(`,"stream":true`)
	return []route{
		{"/codex/v1/messages?beta=true", messages, chatGPTEvents, "event: message_stop\n"},
		{"/chat/v1/messages?beta=true", messages, chatAnswerEvents, "event: message_stop\n"},
		{"/claude/v1/chat/completions", `{"model":"claude-fake-1","stream":true,"messages":[{"role":"user","content":"Hi"}]}`, claudeEvents, "data: [DONE]\n"},
		{"/claude/v1/responses", `{"model":"claude-fake-1","stream":true,"store":false,"input":[{"role":"user","content":"Hi"}]}`, claudeEvents, "event: response.completed\n"},
		{"/chat/v1/responses", `{"model":"m","stream":true,"store":false,"input":[{"role":"user","content":"Hi"}]}`, chatAnswerEvents, "event: response.completed\n"},
		{"/codex/v1/chat/completions", `{"model":"gpt-5.5","stream":true,"messages":[{"role":"user","content":"Hi"}]}`, chatGPTEvents, "data: [DONE]\n"},
	}
}

func needPaths(t *testing.T, r *clientRig) {
	t.Helper()
	for _, path := range []string{"/claude/v1/messages?beta=true", "/claude/v1/messages/count_tokens?beta=true&x"} {
		if rec := r.send(t, path, wholeBody, nil); rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
		if got := r.last(t).RawQuery; !strings.HasPrefix(got, "beta=true") {
			t.Errorf("%s: the upstream got the query %q", path, got)
		}
	}
	for _, c := range convertedRoutes() {
		r.reply(events(c.answer))
		rec := r.send(t, c.path, c.body, nil)
		if rec.Code != http.StatusOK || strings.Count(rec.Body.String(), c.done) != 1 || !strings.HasSuffix(rec.Body.String(), "\n\n") {
			t.Errorf("%s: %d %s", c.path, rec.Code, rec.Body)
		}
	}
	if rec := r.do(t, http.MethodHead, "/", nil, nil); rec.Code != http.StatusOK {
		t.Errorf("HEAD /: %d", rec.Code)
	}
}

func needUpgradeRefused(t *testing.T, r *clientRig) {
	t.Helper()
	header := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Openai-Beta": {"responses_websockets=2026-02-06"}, "Sec-Websocket-Extensions": {"permessage-deflate"},
	}
	for _, path := range []string{"/claude/v1/responses", "/chat/v1/responses", "/v1/responses"} {
		if rec := r.do(t, http.MethodGet, path, header, nil); rec.Code != http.StatusUpgradeRequired {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

func needBodies(t *testing.T, r *clientRig) {
	t.Helper()
	body := largeRequest("")
	for _, sent := range []struct{ encoding, body string }{{"", body}, {"gzip", gzipped(body)}, {"zstd", zstandard(body)}} {
		header := http.Header{"Content-Type": {"application/json"}}
		if sent.encoding != "" {
			header.Set("Content-Encoding", sent.encoding)
		}
		if rec := r.send(t, messagesPath, sent.body, header); rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", sent.encoding, rec.Code, rec.Body)
		}
		if got := r.last(t); string(got.Body) != body || got.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: the upstream got %d bytes, encoded %q", sent.encoding, len(got.Body), got.Header.Get("Content-Encoding"))
		}
		r.reply(events(chatGPTEvents))
		if rec := r.send(t, "/codex/v1/messages", sent.body, header); rec.Code != http.StatusOK || find(rec.Body.Bytes(), "content", "0", "text") != "Hello" {
			t.Errorf("%s converted: %d %s", sent.encoding, rec.Code, rec.Body)
		}
		r.upstream.Reset()
	}
}

// serve is the proxy in a server, which ends when the test does.
func serve(t *testing.T, r *clientRig) *host {
	t.Helper()
	return newHost(t, r.proxy, false)
}

func needFirstByte(t *testing.T, r *clientRig) {
	t.Helper()
	s := serve(t, r)
	for _, c := range convertedRoutes() {
		open := make(chan struct{})
		var parts []providertest.Part
		for i, line := range strings.Split(c.answer, "\n") {
			if i == len(strings.Split(c.answer, "\n"))-1 {
				parts = append(parts, providertest.Gate(open))
			}
			parts = append(parts, providertest.Event(find([]byte(line), "type"), line))
		}
		r.reply(providertest.Stream(parts...))
		resp, err := s.client.Post("http://proxy"+c.path, "application/json", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(resp.Body)
		for line := ""; !strings.Contains(line, "Hello"); {
			if line, err = in.ReadString('\n'); err != nil {
				t.Fatalf("%s: %v", c.path, err)
			}
		}
		close(open)
		if rest, err := io.ReadAll(in); err != nil || !strings.Contains(string(rest), c.done) {
			t.Errorf("%s: then %q, %v", c.path, rest, err)
		}
		resp.Body.Close()
	}
}

func needCancel(t *testing.T, r *clientRig) {
	t.Helper()
	s := serve(t, r)
	for _, c := range convertedRoutes() {
		for _, body := range []string{c.body, strings.Replace(c.body, `"stream":true`, `"stream":false`, 1)} {
			arrived := make(chan struct{})
			r.reply(func(_ http.ResponseWriter, req *http.Request) { // not even headers
				close(arrived)
				<-req.Context().Done()
			})
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://proxy"+c.path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			var asked sync.WaitGroup
			asked.Go(func() {
				if resp, err := s.client.Do(req); err == nil {
					resp.Body.Close()
				}
			})
			<-arrived
			cancel()
			<-r.upstream.Canceled()
			asked.Wait()
		}
	}
}

func needErrorPlaces(t *testing.T, r *clientRig) {
	t.Helper()
	for _, c := range convertedRoutes() {
		r.reply(providertest.Error(http.StatusTooManyRequests, "rate_limit_error", "slow down", http.Header{"Retry-After": {"7"}}))
		rec := r.send(t, c.path, c.body, nil)
		if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Content-Type") != "application/json" || rec.Header().Get("Retry-After") != "7" {
			t.Errorf("%s before: %d %v %s", c.path, rec.Code, rec.Header(), rec.Body)
		}
		if e, in := shapeOf(t, rec.Body.Bytes()); e.Error.Type != "rate_limit_error" || (in == anthropicDialect) != strings.Contains(c.path, "messages") {
			t.Errorf("%s before: %s", c.path, rec.Body)
		}
	}
}

func needBroken(t *testing.T, r *clientRig) {
	t.Helper()
	for _, c := range convertedRoutes() {
		lines := strings.Split(c.answer, "\n")
		begin := strings.Join(lines[:len(lines)-1], "\n")
		if c.answer == chatAnswerEvents {
			begin = lines[0] // what follows the end of the choice may be left out
		}
		r.reply(events(begin))
		rec := r.send(t, c.path, c.body, nil)
		if got := rec.Body.String(); strings.Contains(got, c.done) || !strings.Contains(got, "error") {
			t.Errorf("%s: %d %s", c.path, rec.Code, got)
		}
		half := providertest.CutAfter(20, providertest.Message("Hello"))
		if strings.HasPrefix(c.path, "/codex") { // which streams to the proxy what a client wants whole
			half = events(begin)
		}
		r.reply(half)
		rec = r.send(t, c.path, strings.Replace(c.body, `"stream":true`, `"stream":false`, 1), nil)
		if e, _ := shapeOf(t, rec.Body.Bytes()); rec.Code < 500 || e.Error.Message == "" {
			t.Errorf("%s whole: %d %s", c.path, rec.Code, rec.Body)
		}
	}
}

func needErrors(t *testing.T, r *clientRig) {
	t.Helper()
	for _, test := range []struct {
		status  int
		body    string // of an upstream of OpenAI's kind
		want    int
		typ     string
		message string
	}{
		{400, `{"error":{"message":"bad tool","type":"invalid_request_error","param":"tools","code":null}}`, 400, "invalid_request_error", "bad tool"},
		{401, `{"error":{"message":"no key","type":"invalid_request_error","code":"invalid_api_key"}}`, 401, "authentication_error", "no key"},
		{403, `{"error":{"message":"not yours","type":"permission_error"}}`, 403, "permission_error", "not yours"},
		{404, `{"error":{"message":"no model","type":"invalid_request_error","code":"model_not_found"}}`, 404, "not_found_error", "no model"},
		{429, `{"error":{"message":"used up","type":"insufficient_quota","code":"insufficient_quota"}}`, 429, "billing_error", "used up"},
		{429, `{"detail":"slow down"}`, 429, "rate_limit_error", ""},
		{500, `{"error":{"message":"oops","type":"server_error"}}`, 500, "api_error", "oops"},
		{502, "<html><body>Bad Gateway</body></html>", 502, "api_error", ""},
	} {
		for _, path := range []string{"/codex/v1/messages", "/chat/v1/messages"} {
			for _, more := range []string{"", `,"stream":true`} {
				header := http.Header{"Retry-After": {"9"}, "X-Should-Retry": {"false"}, "X-Request-Id": {"req_up"}}
				r.reply(providertest.Raw(test.status, header, test.body))
				rec := r.send(t, path, largeRequest(more), nil)
				e, in := shapeOf(t, rec.Body.Bytes())
				if rec.Code != test.want || in != anthropicDialect || e.Error.Type != test.typ || !strings.Contains(e.Error.Message, test.message) {
					t.Errorf("%s %d: %d %s", path, test.status, rec.Code, rec.Body)
				}
				got := rec.Header()
				if got.Get("Retry-After") != "9" || got.Get("X-Should-Retry") != "false" || got.Get("X-Request-Id") == "" || strings.Contains(e.Error.Message, "<") {
					t.Errorf("%s %d: %v %s", path, test.status, got, rec.Body)
				}
			}
		}
	}
}

// Claude Code makes its conversation shorter by these words, and Codex by the code.
func needTooLong(t *testing.T, r *clientRig) {
	t.Helper()
	const openAI = `{"error":{"message":"Your input exceeds the context window.","type":"invalid_request_error","code":"context_length_exceeded"}}`
	for _, path := range []string{"/codex/v1/messages", "/chat/v1/messages"} {
		r.reply(providertest.Raw(http.StatusBadRequest, nil, openAI))
		rec := r.send(t, path, largeRequest(""), nil)
		if e, _ := shapeOf(t, rec.Body.Bytes()); rec.Code != http.StatusBadRequest || !strings.HasPrefix(e.Error.Message, "prompt is too long: ") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	r.reply(providertest.Error(http.StatusBadRequest, "invalid_request_error", "prompt is too long: 2 tokens > 1 maximum", nil))
	rec := r.send(t, "/claude/v1/responses", `{"model":"claude-fake-1","input":"Hi","stream":true}`, nil)
	if got := find(rec.Body.Bytes(), "error", "code"); got != "context_length_exceeded" {
		t.Errorf("code = %q: %s", got, rec.Body)
	}
	r.reply(events(`{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"context_length_exceeded","message":"too much"}}}`))
	rec = r.send(t, "/codex/v1/messages", largeRequest(`,"stream":true`), nil)
	if e, _ := shapeOf(t, rec.Body.Bytes()); rec.Code != http.StatusBadRequest || !strings.Contains(e.Error.Message, "prompt is too long") {
		t.Errorf("in the stream: %d %s", rec.Code, rec.Body)
	}
}

// shaped writes each line of data as an event of another shape, and breaks the bytes wherever they may break.
func shaped(lines []string) providertest.Reply {
	var all strings.Builder
	for i, line := range lines {
		switch i % 3 {
		case 0:
			all.WriteString(": a comment\r\n\r\ndata:" + line + "\r\n\r\n")
		case 1:
			all.WriteString("id: 7\nretry: 3\ndata: " + line + "\n\n")
		default:
			all.WriteString("event: " + find([]byte(line), "type") + "\rdata: " + line + "\r\r")
		}
	}
	var parts []providertest.Part
	for _, b := range []byte(all.String()) {
		parts = append(parts, providertest.Bytes(string([]byte{b})))
	}
	return providertest.Stream(parts...)
}

func needEvents(t *testing.T, r *clientRig) {
	t.Helper()
	const said = "Grüße, 世界 🙂"
	for _, c := range convertedRoutes() {
		lines := strings.Split(c.answer, "\n")
		for i := range lines {
			lines[i] = strings.NewReplacer("Hello", said).Replace(lines[i])
		}
		r.reply(shaped(lines))
		rec := r.send(t, c.path, c.body, nil)
		if got := rec.Body.String(); !strings.Contains(got, c.done) || !strings.Contains(got, said) {
			t.Errorf("%s: %d %s", c.path, rec.Code, got)
		}
	}
}

func needCredentials(t *testing.T, r *clientRig) {
	t.Helper()
	header := http.Header{
		"Authorization": {"Bearer the-clients"}, "X-Api-Key": {"the-clients"}, "Chatgpt-Account-Id": {"the-clients"}, "Cookie": {"the-clients"},
		"Accept-Encoding": {"gzip, deflate, br, zstd"}, "Connection": {"X-Hop"}, "X-Hop": {"the-clients"},
	}
	for _, c := range convertedRoutes() {
		r.reply(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Set-Cookie", "s=upstream-canary")
			w.Header().Set("X-Echo", req.Header.Get("Authorization")+req.Header.Get("X-Api-Key"))
			events(c.answer)(w, req)
		})
		rec := r.send(t, c.path, c.body, header)
		if got := fmt.Sprint(r.last(t).Header); strings.Contains(got, "the-clients") || strings.Contains(got, "br") {
			t.Errorf("%s: the upstream got %s", c.path, got)
		}
		if got := fmt.Sprint(rec.Header()) + rec.Body.String(); rec.Code != http.StatusOK || strings.Contains(got, "canary") {
			t.Errorf("%s: the client got %d %s", c.path, rec.Code, got)
		}
	}
}

func needIsolation(t *testing.T, r *clientRig) {
	t.Helper()
	r.upstream.Handler = func(req providertest.Request) providertest.Reply {
		name := find(req.Body, "messages", "0", "content")
		if name == "" {
			name = find(req.Body, "messages", "0", "content", "0", "text")
		}
		return providertest.Stream(providertest.ToolEvents("claude-fake-1", "tool", `{"who":"`+name+`"}`)...)
	}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			who := fmt.Sprintf("client-%d-", i)
			rec := r.send(t, "/claude/v1/chat/completions", `{"model":"claude-fake-1","stream":true,"messages":[{"role":"user","content":"`+who+`"}],`+
				`"tools":[{"type":"function","function":{"name":"tool"}}]}`, nil)
			var args string
			for line := range strings.Lines(rec.Body.String()) {
				if data, ok := strings.CutPrefix(line, "data: "); ok && data != "[DONE]\n" {
					args += find([]byte(data), "choices", "0", "delta", "tool_calls", "0", "function", "arguments")
				}
			}
			if args != `{"who":"`+who+`"}` {
				t.Errorf("%s got %s", who, args)
			}
		})
	}
	all.Wait()
}

func needChatGPTKeys(t *testing.T, r *clientRig) {
	t.Helper()
	takes := " model instructions input tools tool_choice parallel_tool_calls reasoning store stream stream_options include " +
		"service_tier prompt_cache_key text client_metadata "
	for _, c := range []route{
		{path: "/codex/v1/messages", body: largeRequest(`,"temperature":0.5,"stop_sequences":["x"],"top_k":3`)},
		{path: "/codex/v1/chat/completions", body: `{"model":"gpt-5.5","max_tokens":50,"temperature":0.1,"user":"u","seed":1,"stop":"x","messages":[` +
			`{"role":"system","content":"S"},{"role":"user","content":"Hi"}]}`},
		{path: "/codex/v1/responses", body: `{"model":"gpt-5.5","input":"Hi","max_output_tokens":50,"temperature":0.1,"user":"u","metadata":{"a":"b"},"top_p":0.5}`},
	} {
		r.reply(events(chatGPTEvents))
		if rec := r.send(t, c.path, c.body, nil); rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", c.path, rec.Code, rec.Body)
		}
		body := r.last(t).Body
		var sent map[string]json.RawMessage
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatal(err)
		}
		for key := range sent {
			if !strings.Contains(takes, " "+key+" ") {
				t.Errorf("%s: ChatGPT was sent %s", c.path, key)
			}
		}
		if string(sent["store"]) != "false" || string(sent["stream"]) != "true" || !strings.HasPrefix(string(sent["input"]), "[") ||
			strings.Contains(string(sent["input"]), `"system"`) {
			t.Errorf("%s: ChatGPT was sent %s", c.path, body)
		}
	}
}

func needCollected(t *testing.T, r *clientRig) {
	t.Helper()
	for path, text := range map[string][]string{
		"/codex/v1/messages": {"content", "0", "text"}, "/codex/v1/responses": {"output", "0", "content", "0", "text"},
		"/codex/v1/chat/completions": {"choices", "0", "message", "content"},
	} {
		body := map[bool]string{true: `{"model":"gpt-5.5","input":"Hi"}`, false: `{"model":"gpt-5.5","max_tokens":50,"messages":[{"role":"user","content":"Hi"}]}`}
		r.reply(events(chatGPTEvents))
		rec := r.send(t, path, body[strings.Contains(path, "responses")], nil)
		if got := find(rec.Body.Bytes(), text...); got != "Hello" {
			t.Errorf("%s: %q in %d %s", path, got, rec.Code, rec.Body)
		}
	}
}

func needBetas(t *testing.T, r *clientRig) {
	t.Helper()
	const sent = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"
	r.send(t, messagesPath+"?beta=true", wholeBody, http.Header{"Anthropic-Beta": {sent}})
	if got := r.last(t).Header["Anthropic-Beta"]; len(got) != 1 || got[0] != sent {
		t.Errorf("the upstream got the betas %q", got)
	}
	r.send(t, messagesPath, wholeBody, nil)
	r.send(t, "/claude/v1/responses", `{"model":"claude-fake-1","input":"Hi"}`, nil)
	for _, got := range r.upstream.Requests() {
		if betas, ok := got.Header["Anthropic-Beta"]; ok {
			t.Errorf("the upstream got the betas %q, for which nobody asked", betas)
		}
	}
}

func needEventNames(t *testing.T, r *clientRig) {
	t.Helper()
	for _, c := range convertedRoutes() {
		if strings.Contains(c.path, "chat/completions") {
			continue // which has none
		}
		r.reply(events(c.answer))
		rec := r.send(t, c.path, c.body, nil)
		for block := range strings.SplitSeq(strings.TrimSpace(rec.Body.String()), "\n\n") {
			name, data, ok := strings.Cut(block, "\ndata: ")
			if !ok || name != "event: "+find([]byte(data), "type") || strings.Contains(data, `"error":null}`) && !strings.Contains(data, "response") {
				t.Errorf("%s: event %q", c.path, block)
			}
		}
	}
	const pinged = "event: ping\ndata: {\"type\": \"ping\"}\n\n"
	r.reply(streamOf(startEvent + pinged + deltaEvent + usageEvent + stopEvent))
	if got := r.post(t, streamBody).Body.String(); !strings.Contains(got, pinged) {
		t.Errorf("the ping is not there: %s", got)
	}
}

func needUnknown(t *testing.T, r *clientRig) {
	t.Helper()
	const body = `{ "model":"claude-fake-1" ,"max_tokens":1e2,"future":{"b":1,"a":"\u0041"},"messages":[{"role":"user","content":[` +
		`{"type":"future_block","x":1},{"type":"container_upload","file_id":"f"},{"type":"text","text":"\/"}]}]}`
	const answer = `{"type":"message","content":[{"type":"future_block","n":1e2}],"future":"\u0041"}`
	const event = "event: future_event\ndata: {\"type\":\"future_event\",  \"x\":1}\n\n"
	r.reply(providertest.Raw(200, http.Header{"Content-Type": {"application/json"}}, answer))
	if got := r.post(t, body).Body.String(); got != answer {
		t.Errorf("the client got %s", got)
	}
	if got := string(r.last(t).Body); got != body {
		t.Errorf("the upstream got %s", got)
	}
	r.reply(streamOf(startEvent + event + deltaEvent + usageEvent + stopEvent))
	if got := r.post(t, streamBody).Body.String(); !strings.Contains(got, event) {
		t.Errorf("the client got %s", got)
	}
}

func needModelName(t *testing.T, r *clientRig) {
	t.Helper()
	for _, path := range []string{messagesPath, "/claude/v1/chat/completions", "/claude/v1/responses"} {
		for _, more := range []string{"", `,"stream":true`} {
			members := `"max_tokens":50,"messages":[{"role":"user","content":"Hi"}]`
			if strings.HasSuffix(path, "responses") {
				members = `"input":"Hi"`
			}
			rec := r.send(t, path, `{"model":"mine",`+members+more+`}`, nil)
			if got := rec.Body.String(); rec.Code != http.StatusOK || !strings.Contains(got, `"model":"mine"`) || strings.Contains(got, "claude-fake-1") {
				t.Errorf("%s: %d %s", path, rec.Code, got)
			}
			if got := find(r.last(t).Body, "model"); got != "claude-fake-1" {
				t.Errorf("%s: the upstream got the model %s", path, got)
			}
		}
	}
}
