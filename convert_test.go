package ccproxy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// openAIClient is one of the two dialects of OpenAI, as a client of a provider that speaks Anthropic's.
type openAIClient struct {
	name, path string
	body       string // of a question; it ends where members can follow
	text       func(answer []byte) string
	delta      func(typ string, data []byte) string
	done       func(typ string, data []byte) bool // the event that ends a stream well
	failed     func(typ string, data []byte) bool // the event that ends it otherwise
	usage      [2]string
}

func openAIClients() []openAIClient {
	const chat, responses = "/claude/v1/chat/completions", "/claude/v1/responses"
	return []openAIClient{
		{
			name: "chat", path: chat,
			body: `{"model":"claude-fake-1","messages":[{"role":"user","content":"Hi"}]`,
			text: func(b []byte) string { return find(b, "choices", "0", "message", "content") },
			delta: func(_ string, b []byte) string {
				return find(b, "choices", "0", "delta", "content")
			},
			done:   func(_ string, b []byte) bool { return string(b) == "[DONE]" },
			failed: func(_ string, b []byte) bool { return find(b, "error", "message") != "" },
			usage:  [2]string{"prompt_tokens", "completion_tokens"},
		},
		{
			name: "responses", path: responses,
			body: `{"model":"claude-fake-1","input":"Hi"`,
			text: func(b []byte) string { return find(b, "output", "0", "content", "0", "text") },
			delta: func(typ string, b []byte) string {
				if typ != "response.output_text.delta" {
					return ""
				}
				return find(b, "delta")
			},
			done:   func(typ string, _ []byte) bool { return typ == "response.completed" },
			failed: func(typ string, _ []byte) bool { return typ == "response.failed" || typ == "error" },
			usage:  [2]string{"input_tokens", "output_tokens"},
		},
	}
}

// find is a value of an answer as text: the string itself, or the JSON of another value. Numbers are indices.
func find(body []byte, path ...string) string {
	raw := body
	for _, key := range path {
		var ok bool
		if len(key) == 1 && key[0] >= '0' && key[0] <= '9' {
			raw, ok = element(raw, int(key[0]-'0'))
		} else {
			raw, ok = rawjson.Find(raw, key)
		}
		if !ok {
			return ""
		}
	}
	if s, ok := rawjson.String(raw); ok {
		return s
	}
	return string(raw)
}

func element(raw []byte, n int) ([]byte, bool) {
	for e := range rawjson.Elements(raw) {
		if n == 0 {
			return e, true
		}
		n--
	}
	return nil, false
}

// streamed is an event stream that a client read.
type streamed struct {
	text          string
	done, failed  int // events that end it
	last          string
	afterTerminal bool // something follows the end
}

func (c openAIClient) read(t *testing.T, body string) streamed {
	t.Helper()
	var s streamed
	for block := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		typ, data := "", ""
		for line := range strings.SplitSeq(block, "\n") {
			if v, ok := strings.CutPrefix(line, "event: "); ok {
				typ = v
			}
			if v, ok := strings.CutPrefix(line, "data: "); ok {
				data += v
			}
		}
		if data == "" {
			continue
		}
		if data != "[DONE]" && !json.Valid([]byte(data)) {
			t.Fatalf("data is not JSON: %q", data)
		}
		s.afterTerminal = s.afterTerminal || s.done+s.failed > 0
		s.text += c.delta(typ, []byte(data))
		if c.done(typ, []byte(data)) {
			s.done++
		}
		if c.failed(typ, []byte(data)) {
			s.failed++
		}
		s.last = data
	}
	return s
}

func (c openAIClient) post(t *testing.T, r *rig, more string) *httptest.ResponseRecorder {
	t.Helper()
	return r.do(t, http.MethodPost, c.path, nil, strings.NewReader(c.body+more+"}"))
}

// eachOpenAIClient runs a test for both dialects.
func eachOpenAIClient(t *testing.T, test func(*testing.T, openAIClient)) {
	t.Helper()
	for _, c := range openAIClients() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

func TestConvertedText(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{})
		rec := c.post(t, r, "")
		if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("status %d, header %v: %s", rec.Code, rec.Header(), rec.Body)
		}
		if got := c.text(rec.Body.Bytes()); got != providertest.DefaultText {
			t.Errorf("text = %q: %s", got, rec.Body)
		}
		if got := find(rec.Body.Bytes(), "model"); got != "claude-fake-1" {
			t.Errorf("model = %q", got)
		}
		for _, key := range c.usage {
			if got := find(rec.Body.Bytes(), "usage", key); got == "" || got == "0" {
				t.Errorf("usage.%s = %q: %s", key, got, rec.Body)
			}
		}
		if got := rec.Header().Get("X-CCProxy-Loss"); got != "" {
			t.Errorf("X-CCProxy-Loss = %q although nothing is lost", got)
		}
		seen := r.last(t)
		if seen.Path != "/v1/messages" || find(seen.Body, "messages", "0", "role") != "user" {
			t.Errorf("upstream saw %s %s", seen.Path, seen.Body)
		}
		end := r.completed(t)
		if end.Usage == nil || end.Usage.InputTokens == 0 || end.Usage.OutputTokens == 0 || end.Usage.Partial {
			t.Errorf("usage for hooks = %+v", end.Usage)
		}
	})
}

func TestConvertedStream(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{})
		rec := c.post(t, r, `,"stream":true`)
		if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/event-stream") {
			t.Fatalf("status %d, header %v: %s", rec.Code, rec.Header(), rec.Body)
		}
		got := c.read(t, rec.Body.String())
		if got.text != providertest.DefaultText || got.done != 1 || got.failed != 0 || got.afterTerminal {
			t.Errorf("stream = %+v\n%s", got, rec.Body)
		}
		end := r.completed(t)
		if end.Usage == nil || end.Usage.InputTokens == 0 || end.Usage.Partial || end.Usage.Model != "claude-fake-1" {
			t.Errorf("usage for hooks = %+v", end.Usage)
		}
	})
}

// The call that the model made comes back in the next turn under the id that the provider gave it.
func TestConvertedToolTurns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, path, first string
		id, tool, args    []string // where the call is in the answer
		second            func(id string) string
	}{
		{
			name: "chat", path: "/claude/v1/chat/completions",
			first: `{"model":"claude-fake-1","messages":[{"role":"user","content":"Read x"}],"tools":[{"type":"function",` +
				`"function":{"name":"read","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}}]}`,
			id:   []string{"choices", "0", "message", "tool_calls", "0", "id"},
			tool: []string{"choices", "0", "message", "tool_calls", "0", "function", "name"},
			args: []string{"choices", "0", "message", "tool_calls", "0", "function", "arguments"},
			second: func(id string) string {
				return `{"model":"claude-fake-1","messages":[{"role":"user","content":"Read x"},{"role":"assistant","content":null,` +
					`"tool_calls":[{"id":"` + id + `","type":"function","function":{"name":"read","arguments":"{\"path\":\"x\"}"}}]},` +
					`{"role":"tool","tool_call_id":"` + id + `","content":"data"}]}`
			},
		},
		{
			name: "responses", path: "/claude/v1/responses",
			first: `{"model":"claude-fake-1","input":"Read x","tools":[{"type":"function","name":"read",` +
				`"parameters":{"type":"object","properties":{"path":{"type":"string"}}}}]}`,
			id: []string{"output", "0", "call_id"}, tool: []string{"output", "0", "name"},
			args: []string{"output", "0", "arguments"},
			second: func(id string) string {
				return `{"model":"claude-fake-1","input":[{"role":"user","content":"Read x"},{"type":"function_call","call_id":"` +
					id + `","name":"read","arguments":"{\"path\":\"x\"}"},{"type":"function_call_output","call_id":"` + id +
					`","output":"data"}]}`
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigSetup{quiet: true})
			r.upstream.Enqueue(providertest.ToolUse("read", `{"path":"x"}`))
			rec := r.do(t, http.MethodPost, test.path, nil, strings.NewReader(test.first))
			id := find(rec.Body.Bytes(), test.id...)
			if id == "" || find(rec.Body.Bytes(), test.tool...) != "read" ||
				find(rec.Body.Bytes(), test.args...) != `{"path":"x"}` {
				t.Fatalf("answer %d: %s", rec.Code, rec.Body)
			}
			if got := find(r.last(t).Body, "tools", "0", "input_schema", "type"); got != "object" {
				t.Errorf("the upstream saw a schema of type %q", got)
			}
			rec = r.do(t, http.MethodPost, test.path, nil, strings.NewReader(test.second(id)))
			if rec.Code != http.StatusOK {
				t.Fatalf("second turn %d: %s", rec.Code, rec.Body)
			}
			body := r.last(t).Body
			call, result := find(body, "messages", "1", "content", "0"), find(body, "messages", "2", "content", "0")
			want := [4]string{"tool_use", id, "tool_result", id}
			got := [4]string{
				find([]byte(call), "type"), find([]byte(call), "id"),
				find([]byte(result), "type"), find([]byte(result), "tool_use_id"),
			}
			if got != want {
				t.Errorf("the upstream saw %q, want %q: %s", got, want, body)
			}
		})
	}
}

func TestConvertedErrors(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		for _, test := range []struct {
			status int
			typ    string
			want   int
			wants  string
		}{
			{400, "invalid_request_error", 400, "invalid_request_error"},
			{401, "authentication_error", 401, "authentication_error"},
			{403, "permission_error", 403, "permission_error"},
			{404, "not_found_error", 404, "invalid_request_error"},
			{413, "request_too_large", 413, "invalid_request_error"},
			{429, "rate_limit_error", 429, "rate_limit_error"},
			{500, "api_error", 500, "server_error"},
			{529, "overloaded_error", 503, "server_error"},
		} {
			for _, more := range []string{"", `,"stream":true`} {
				r := newRig(t, rigSetup{quiet: true})
				header := http.Header{"Retry-After": {"9"}, "X-Should-Retry": {"true"}}
				r.upstream.Enqueue(providertest.Error(test.status, test.typ, "the reason", header))
				rec := c.post(t, r, more)
				e, shape := shapeOf(t, rec.Body.Bytes())
				if rec.Code != test.want || shape != openAIDialect || e.Error.Message != "the reason" {
					t.Errorf("%d: answer %d %s", test.status, rec.Code, rec.Body)
				}
				if test.wants != e.Error.Type {
					t.Errorf("%d: type = %q, want %q", test.status, e.Error.Type, test.wants)
				}
				if got := rec.Header(); got.Get("Retry-After") != "9" || got.Get("X-Should-Retry") != "true" {
					t.Errorf("%d: header %v", test.status, got)
				}
			}
		}
	})
}

// A page of a gateway becomes an error of the dialect.
func TestConvertedGatewayPage(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{quiet: true})
		r.upstream.Enqueue(providertest.Raw(502, http.Header{"Content-Type": {"text/html"}}, "<html>bad gateway</html>"))
		rec := c.post(t, r, "")
		if _, shape := shapeOf(t, rec.Body.Bytes()); rec.Code != 502 || shape != openAIDialect {
			t.Errorf("answer %d %s", rec.Code, rec.Body)
		}
	})
}

// An error event that comes before anything else is an answer with a status.
func TestConvertedEarlyStreamError(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{})
		r.upstream.Enqueue(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Retry-After", "9")
			providertest.Stream(providertest.ErrorEvent("overloaded_error", "Overloaded"))(w, req)
		})
		rec := c.post(t, r, `,"stream":true`)
		e, shape := shapeOf(t, rec.Body.Bytes())
		if rec.Code != http.StatusServiceUnavailable || shape != openAIDialect || e.Error.Message != "Overloaded" ||
			e.Error.Type != "server_error" || rec.Header().Get("Retry-After") != "9" {
			t.Errorf("answer %d %v %s", rec.Code, rec.Header(), rec.Body)
		}
		r.failed(t)
	})
}

func TestConvertedBrokenStreams(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		begin := providertest.TextEvents("claude-fake-1", "one two three")[:4]
		for _, test := range []struct {
			name string
			end  []providertest.Part
		}{
			{"cut", []providertest.Part{providertest.Cut()}},
			{"reset", []providertest.Part{providertest.Reset()}},
			{"ended early", nil},
			{"half an event", []providertest.Part{providertest.Bytes("event: content_bl")}},
			{"error event", []providertest.Part{providertest.ErrorEvent("api_error", "broken")}},
			{"not JSON", []providertest.Part{providertest.Event("content_block_delta", "{")}},
		} {
			r := newRig(t, rigSetup{})
			r.upstream.Enqueue(providertest.Stream(append(begin[:4:4], test.end...)...))
			rec := c.post(t, r, `,"stream":true`)
			got := c.read(t, rec.Body.String())
			if rec.Code != 200 || got.done != 0 || got.failed != 1 || got.afterTerminal || got.text == "" {
				t.Errorf("%s: stream %+v\n%s", test.name, got, rec.Body)
			}
			if end := r.failed(t); end.Err == "" || !end.Streamed {
				t.Errorf("%s: hooks see %+v", test.name, end)
			}
		}
	})
}

func TestConvertedCancel(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		for _, more := range []string{"", `,"stream":true`} {
			r := newRig(t, rigSetup{})
			ctx, cancel := context.WithCancel(t.Context())
			r.upstream.Enqueue(func(w http.ResponseWriter, req *http.Request) {
				cancel()
				providertest.Stall(nil, nil)(w, req)
			})
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, c.path, strings.NewReader(c.body+more+"}"))
			r.proxy.ServeHTTP(httptest.NewRecorder(), req)
			<-r.upstream.Canceled()
			if end := r.failed(t); !end.ClientGone {
				t.Errorf("hooks see %+v, want the client gone", end)
			}
		}
	})
}

func TestConversionLosses(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		const lossy = `,"top_logprobs":3,"unheard_of":{"a":1}`
		r := newRig(t, rigSetup{quiet: true})
		for _, more := range []string{lossy, lossy + `,"stream":true`} {
			rec := c.post(t, r, more)
			got := strings.Split(rec.Header().Get("X-CCProxy-Loss"), ", ")
			if diff := cmp.Diff([]string{"top_logprobs", "unheard_of"}, got); rec.Code != 200 || diff != "" {
				t.Errorf("status %d, lost mismatch (-want +got):\n%s", rec.Code, diff)
			}
		}
		strict := newRig(t, rigSetup{settings: ccproxy.Settings{StrictConversion: true}})
		rec := c.post(t, strict, lossy)
		wantError(t, rec, openAIDialect, http.StatusBadRequest, "invalid_request_error", "unheard_of")
		if e, _ := shapeOf(t, rec.Body.Bytes()); e.Error.Param == nil || *e.Error.Param != "top_logprobs" {
			t.Errorf("param of %s", rec.Body)
		}
		if n := len(strict.upstream.Requests()); n != 0 {
			t.Errorf("the upstream saw %d requests", n)
		}
		if rec := c.post(t, strict, ""); rec.Code != http.StatusOK {
			t.Errorf("a request that loses nothing is answered %d: %s", rec.Code, rec.Body)
		}
	})
}

// However long the names that a client makes up, the header stays one that servers and clients take.
func TestLossHeaderIsBounded(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{quiet: true})
		var more strings.Builder
		for _, name := range []string{`a,b`, `c\r\nX-Evil: 1`, `ü`, strings.Repeat("x", 600), strings.Repeat("y", 600)} {
			more.WriteString(`,"` + name + `":1`)
		}
		rec := c.post(t, r, more.String())
		got := rec.Header().Get("X-CCProxy-Loss")
		if len(got) > 1<<10+len("…") || !strings.HasSuffix(got, "…") || !strings.Contains(got, "a?b, c??X-Evil:?1, ?") {
			t.Errorf("X-CCProxy-Loss (%d bytes) = %q", len(got), got)
		}
	})
}

func TestUnconvertibleRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	rec := r.do(t, http.MethodPost, "/claude/v1/chat/completions", nil,
		strings.NewReader(`{"model":"claude-fake-1","messages":[{"role":"user","content":7}]}`))
	wantError(t, rec, openAIDialect, http.StatusBadRequest, "invalid_request_error", "messages[0].content")
	if e, _ := shapeOf(t, rec.Body.Bytes()); e.Error.Param == nil || *e.Error.Param != "messages[0].content" {
		t.Errorf("param of %s", rec.Body)
	}
}

// A mapped model keeps the client's name in every place where a dialect tells it.
func TestConvertedModelName(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{quiet: true, settings: ccproxy.Settings{ModelMappings: map[string][]ccproxy.ModelRule{
			"claude": {{Match: "claude-fake", Target: "claude-real", Kind: "prefix"}},
		}}})
		for _, more := range []string{"", `,"stream":true`} {
			got := c.post(t, r, more).Body.String()
			if strings.Contains(got, "claude-real") || !strings.Contains(got, `"claude-fake-1"`) {
				t.Errorf("answer = %s", got)
			}
			if sent := find(r.last(t).Body, "model"); sent != "claude-real" {
				t.Errorf("the upstream was asked for %q", sent)
			}
		}
	})
}
