package sdkcompat

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
)

// chatUpstream is an API that speaks Chat Completions. It answers a request with the next of its choices.
type chatUpstream struct {
	mu      sync.Mutex
	choices []chatChoice
	bodies  []map[string]any
	gone    chan struct{} // closed when a client leaves an answer that hangs
}

// chatChoice is what the upstream answers: one choice, cut into deltas if the request asks for a stream.
type chatChoice struct {
	deltas []string // JSON members of a delta
	whole  string   // JSON members of the message
	finish string

	status int         // of an error instead
	header http.Header // of the error
	body   string      // of the error

	end  string // sent in a stream in place of the end
	hang bool   // in a stream after the deltas
}

func (u *chatUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := make(map[string]any)
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1/chat/completions" ||
		r.Header.Get("Authorization") != "Bearer the-api's-key" {
		http.Error(w, fmt.Sprintf("%s %v", r.URL, err), http.StatusTeapot)
		return
	}
	choice, ok := u.next(body)
	if !ok {
		http.Error(w, "no answer is left", http.StatusTeapot)
		return
	}
	switch {
	case choice.status != 0:
		maps.Copy(w.Header(), choice.header)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(choice.status)
		_, _ = io.WriteString(w, choice.body)
	case body["stream"] == true:
		u.stream(r.Context(), w, choice, body["stream_options"] != nil)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,`+
			`"model":"gpt-fake",`+
			`"choices":[{"index":0,"message":{"role":"assistant",%s},"finish_reason":%q}],%s}`,
			choice.whole, choice.finish, chatUsage)
	}
}

const chatUsage = `"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}`

func (u *chatUpstream) next(body map[string]any) (chatChoice, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bodies = append(u.bodies, body)
	if len(u.choices) == 0 {
		return chatChoice{}, false
	}
	next := u.choices[0]
	u.choices = u.choices[1:]
	return next, true
}

// sent is the n-th body.
func (u *chatUpstream) sent(n int) map[string]any {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.bodies[n]
}

func (u *chatUpstream) stream(ctx context.Context, w http.ResponseWriter, choice chatChoice, usage bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(rest string) {
		_, _ = fmt.Fprintf(w, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","+
			"\"created\":1700000000,"+
			"\"model\":\"gpt-fake\",%s}\n\n", rest)
		_ = http.NewResponseController(w).Flush()
	}
	chunk(`"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]`)
	for _, delta := range choice.deltas {
		chunk(`"choices":[{"index":0,"delta":{` + delta + `},"finish_reason":null}]`)
	}
	if choice.hang {
		<-ctx.Done()
		close(u.gone)
		return
	}
	if choice.end != "" {
		_, _ = io.WriteString(w, choice.end)
		return
	}
	chunk(fmt.Sprintf(`"choices":[{"index":0,"delta":{},"finish_reason":%q}]`, choice.finish))
	if usage {
		chunk(`"choices":[],` + chatUsage)
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// openCompat starts a proxy in front of the upstream and returns Anthropic's SDK as its client.
func openCompat(t *testing.T, choices ...chatChoice) (target, *chatUpstream) {
	t.Helper()
	up := &chatUpstream{choices: choices, gone: make(chan struct{})}
	srv := httptest.NewServer(up)
	t.Cleanup(srv.Close)
	var reg ccproxy.Registry
	if err := reg.Register(openaicompat.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithTransport(srv.Client().Transport),
		ccproxy.WithPluginConfig(openaicompat.Name, openaicompat.Config{Instances: map[string]openaicompat.Instance{
			"local": {
				BaseURL: srv.URL + "/v1", APIKey: ccproxy.NewSecret("the-api's-key"), Models: []string{"gpt-fake"},
			},
		}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return target{
		baseURL: "http://proxy.test/local/", client: &http.Client{Transport: proxy.Transport()},
		apiKey: "the client's own",
	}, up
}

// creates are the two ways to call, for tests that run both.
func creates() map[string]create { return map[string]create{"whole": whole, "stream": streamed} }

func sayTo(text string) params {
	p := say(text)
	p.Model = "gpt-fake"
	return p
}

func text(s, finish string) chatChoice {
	quoted, _ := json.Marshal(s)
	var deltas []string
	for word := range strings.SplitAfterSeq(s, " ") {
		piece, _ := json.Marshal(word)
		deltas = append(deltas, `"content":`+string(piece))
	}
	return chatChoice{whole: `"content":` + string(quoted), deltas: deltas, finish: finish}
}

func TestCompatText(t *testing.T) {
	t.Parallel()
	for name, call := range creates() {
		for finish, want := range map[string]string{
			"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal",
		} {
			t.Run(name+"/"+finish, func(t *testing.T) {
				t.Parallel()
				tg, up := openCompat(t, text(greeting, finish))
				var got result
				got.add(call(t.Context(), t, tg, sayTo("Hi")))
				same(t, "result", result{Messages: []message{{
					ID: "chatcmpl-1", Role: "assistant", Model: "gpt-fake", StopReason: want,
					Content: []content{{Type: "text", Text: greeting}}, InputTokens: 11, OutputTokens: 7,
				}}}, got)
				same(t, "messages that the upstream saw", []any{
					map[string]any{"role": "system", "content": "Be brief."},
					map[string]any{"role": "user", "content": "Hi"},
				}, up.sent(0)["messages"])
			})
		}
	}
}

func TestCompatToolTurns(t *testing.T) {
	t.Parallel()
	calls := chatChoice{
		whole: `"content":null,"tool_calls":[{"id":"call_a","type":"function","function":{"name":"weather",` +
			`"arguments":"{\"request\":\"Wien\"}"}},` +
			`{"id":"call_b","type":"function","function":{"name":"clock","arguments":"{}"}}]`,
		deltas: []string{
			`"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"weather","arguments":""}}]`,
			`"tool_calls":[{"index":0,"function":{"arguments":"{\"request\""}}]`,
			`"tool_calls":[{"index":0,"function":{"arguments":":\"Wien\"}"}}]`,
			`"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"clock","arguments":"{}"}}]`,
		},
		finish: "tool_calls",
	}
	for name, call := range creates() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tg, up := openCompat(t, calls, text("It is warm.", "stop"))
			p := sayTo("Weather?")
			p.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
				Name: "weather", InputSchema: anthropic.ToolInputSchemaParam{
					Properties: weatherSchema()["properties"], Required: []string{"request"},
				},
			}}}
			m, err := call(t.Context(), t, tg, p)
			var got result
			if got.add(m, err); err != nil {
				t.Fatalf("first turn: %+v", got.Failure)
			}
			p.Messages = append(p.Messages, m.ToParam(), anthropic.NewUserMessage(
				anthropic.NewToolResultBlock("call_a", "22 degrees", false),
				anthropic.NewToolResultBlock("call_b", "noon", false)))
			got.add(call(t.Context(), t, tg, p))
			same(t, "result", result{Messages: []message{
				{
					ID: "chatcmpl-1", Role: "assistant", Model: "gpt-fake", StopReason: "tool_use",
					Content: []content{
						{Type: "tool_use", ID: "call_a", Name: "weather", Input: `{"request":"Wien"}`},
						{Type: "tool_use", ID: "call_b", Name: "clock", Input: `{}`},
					}, InputTokens: 11, OutputTokens: 7,
				},
				{
					ID: "chatcmpl-1", Role: "assistant", Model: "gpt-fake", StopReason: "end_turn",
					Content: []content{{Type: "text", Text: "It is warm."}}, InputTokens: 11, OutputTokens: 7,
				},
			}}, got)
			wantCompatTurns(t, up)
		})
	}
}

// wantCompatTurns checks how the tool and its results reached the upstream.
func wantCompatTurns(t *testing.T, up *chatUpstream) {
	t.Helper()
	same(t, "tools that the upstream saw", []any{map[string]any{
		"type": "function", "function": map[string]any{"name": "weather", "parameters": weatherSchema()},
	}}, up.sent(0)["tools"])
	messages, ok := up.sent(1)["messages"].([]any)
	if !ok || len(messages) != 5 {
		t.Fatalf("the upstream saw messages %v", up.sent(1)["messages"])
	}
	call := func(id, name, arguments string) map[string]any {
		return map[string]any{
			"id": id, "type": "function", "function": map[string]any{"name": name, "arguments": arguments},
		}
	}
	assistant, _ := messages[2].(map[string]any)
	same(t, "calls that the upstream saw", []any{
		call("call_a", "weather", `{"request":"Wien"}`), call("call_b", "clock", `{}`),
	}, assistant["tool_calls"])
	same(t, "results that the upstream saw", []any{
		map[string]any{"role": "tool", "tool_call_id": "call_a", "content": "22 degrees"},
		map[string]any{"role": "tool", "tool_call_id": "call_b", "content": "noon"},
	}, messages[3:])
}

func TestCompatErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status    int
		typ, code string
		want      string
	}{
		{400, "invalid_request_error", "", "invalid_request_error"},
		{401, "invalid_request_error", "invalid_api_key", "authentication_error"},
		{404, "invalid_request_error", "model_not_found", "not_found_error"},
		{429, "requests", "rate_limit_exceeded", "rate_limit_error"},
		{429, "insufficient_quota", "insufficient_quota", "billing_error"},
		{500, "server_error", "", "api_error"},
		{503, "server_error", "server_is_overloaded", "overloaded_error"},
		{503, "", "", "overloaded_error"},
	} {
		for name, call := range creates() {
			t.Run(fmt.Sprint(test.status, test.code, "/", name), func(t *testing.T) {
				t.Parallel()
				tg, _ := openCompat(t, chatChoice{
					status: test.status, header: http.Header{"Retry-After": {"7"}},
					body: fmt.Sprintf(`{"error":{"message":"the reason","type":%q,"code":%q,"param":null}}`,
						test.typ, test.code),
				})
				_, err := call(t.Context(), t, tg, sayTo("Hi"))
				got := failureOf(err)
				want := failure{Status: test.status, Type: test.want, Message: "the reason", RetryAfter: "7"}
				want.RequestID = got.RequestID
				same(t, "failure", want, *got)
			})
		}
	}
}

func TestCompatBrokenStreams(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end     string
		typ     string
		message string
	}{
		"cut": {": and then nothing\n\n", "api_error", "the provider's stream broke off"},
		"error": {
			"data: {\"error\":{\"message\":\"gone\",\"type\":\"server_error\",\"code\":null}}\n\n",
			"api_error", "gone",
		},
		"named error": {
			"data: {\"error\":{\"message\":\"busy\",\"type\":\"x\",\"code\":\"rate_limit_exceeded\"}}\n\n",
			"rate_limit_error", "busy",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			choice := text("One two", "stop")
			choice.end = test.end
			tg, _ := openCompat(t, choice)
			_, err := streamed(t.Context(), t, tg, sayTo("Hi"))
			if err == nil {
				t.Fatal("a broken stream is taken for a whole one")
			}
			got := failureOf(err)
			same(t, "failure", failure{
				Status: 200, Type: test.typ, Message: test.message, RequestID: got.RequestID,
			}, *got)
		})
	}
}

func TestCompatCancel(t *testing.T) {
	t.Parallel()
	choice := text("One two", "stop")
	choice.hang = true
	tg, up := openCompat(t, choice)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := tg.sdk()
	stream := client.Messages.NewStreaming(ctx, sayTo("Hi"))
	defer stream.Close()
	for stream.Next() {
		if stream.Current().Type == "content_block_delta" {
			cancel()
		}
	}
	same(t, "failure", failure{Other: "canceled"}, *failureOf(stream.Err()))
	<-up.gone
}
