package budgets_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
)

// used is what an answer of the upstream declares, in the terms of Anthropic: caches on top of the input.
type used struct{ input, output, read, write, hour int64 }

func (u used) tokens() int64 { return u.input + u.output + u.read + u.write }

// fate is what becomes of an answer.
type fate int

const (
	whole   fate = iota
	fails        // with status 500
	cut          // before its end
	cancels      // since the client leaves
	fates
)

// plan is an answer of the upstream.
type plan struct {
	model string
	used  used
	fate  fate
	// after is how many events of a stream come before it is cut or cancelled.
	after int
	leave context.CancelFunc // of the client
}

type planKey struct{}

// upstream answers in three dialects as the plan of the request's context says, and adds up what it has declared.
type upstream struct {
	mu       sync.Mutex
	requests []string // bodies
	declared func(format string, p *plan, u used)
}

func (up *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	up.mu.Lock()
	up.requests = append(up.requests, string(body))
	up.mu.Unlock()
	p, _ := r.Context().Value(planKey{}).(*plan)
	if p == nil {
		p = &plan{model: "claude-haiku-4-5", used: used{input: 10, output: 5}}
	}
	if p.fate == fails {
		return reply(r, http.StatusInternalServerError, "application/json", strings.NewReader(`{"error":{"message":"no"}}`)), nil
	}
	var asked struct {
		Stream bool `json:"stream"`
	}
	_ = json.Unmarshal(body, &asked)
	format := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if !asked.Stream {
		return up.answer(r, p, format), nil
	}
	events := streamOf(format, p.model, p.used)
	end := len(events)
	if p.fate != whole {
		end = min(p.after, end-1)
	}
	var text strings.Builder
	var sent used
	for _, e := range events[:end] {
		text.WriteString(e.text)
		if e.used != nil {
			sent = *e.used
		}
	}
	up.tell(format, p, sent)
	tail := io.Reader(strings.NewReader(""))
	if p.fate == cancels {
		tail = leaving{r.Context(), p.leave}
	}
	return reply(r, http.StatusOK, "text/event-stream", io.MultiReader(strings.NewReader(text.String()), tail)), nil
}

// answer is a whole one.
func (up *upstream) answer(r *http.Request, p *plan, format string) *http.Response {
	text := bodyOf(format, p.model, p.used)
	switch p.fate {
	case cut:
		resp := reply(r, http.StatusOK, "application/json", strings.NewReader(text[:20]))
		resp.Header.Set("Content-Length", fmt.Sprint(len(text)))
		return resp
	case cancels:
		return reply(r, http.StatusOK, "application/json", leaving{r.Context(), p.leave})
	}
	up.tell(format, p, p.used)
	return reply(r, http.StatusOK, "application/json", strings.NewReader(text))
}

func (up *upstream) tell(format string, p *plan, u used) {
	if up.declared != nil {
		up.mu.Lock()
		defer up.mu.Unlock()
		up.declared(format, p, u)
	}
}

// leaving is the silence in which a client leaves.
type leaving struct {
	ctx   context.Context // of the request
	leave context.CancelFunc
}

func (l leaving) Read([]byte) (int, error) {
	l.leave()
	<-l.ctx.Done()
	return 0, l.ctx.Err()
}

func reply(r *http.Request, status int, typ string, body io.Reader) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {typ}},
		Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}
}

func usageJSON(format string, u used) string {
	switch format {
	case "messages":
		return fmt.Sprintf(`{"input_tokens":%d,"output_tokens":%d,"cache_read_input_tokens":%d,"cache_creation_input_tokens":%d,`+
			`"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d},"service_tier":"standard"}`,
			u.input, u.output, u.read, u.write, u.write-u.hour, u.hour)
	case "completions":
		return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d}}`,
			u.input+u.read, u.output, u.tokens(), u.read)
	default:
		return fmt.Sprintf(`{"input_tokens":%d,"output_tokens":%d,"total_tokens":%d,"input_tokens_details":{"cached_tokens":%d},`+
			`"output_tokens_details":{"reasoning_tokens":0}}`, u.input+u.read, u.output, u.tokens(), u.read)
	}
}

func bodyOf(format, model string, u used) string {
	usage := usageJSON(format, u)
	switch format {
	case "messages":
		return `{"id":"msg_1","type":"message","role":"assistant","model":"` + model + `","content":[{"type":"text","text":"Hi"}],` +
			`"stop_reason":"end_turn","stop_sequence":null,"usage":` + usage + `}`
	case "completions":
		return `{"id":"c1","object":"chat.completion","created":1,"model":"` + model + `","choices":[{"index":0,"message":` +
			`{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":` + usage + `}`
	default:
		return `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"` + model + `","output":[{"type":` +
			`"message","id":"m1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi","annotations":[]}]}],` +
			`"service_tier":"` + tierOf(u) + `","usage":` + usage + `}`
	}
}

// tierOf is how the upstream of Responses says that it served a request.
func tierOf(u used) string {
	if u.output%2 == 0 {
		return "flex"
	}
	return "default"
}

// event is one of a stream, with what has been declared once it is there.
type event struct {
	text string
	used *used
}

func streamOf(format, model string, u used) []event {
	ev := func(typ, data string, u *used) event { return event{"event: " + typ + "\ndata: " + data + "\n\n", u} }
	switch format {
	case "messages":
		first := u
		first.output = 1
		start := strings.Replace(bodyOf(format, model, first), `[{"type":"text","text":"Hi"}]`, "[]", 1)
		start = strings.Replace(start, `"stop_reason":"end_turn"`, `"stop_reason":null`, 1)
		return []event{
			ev("message_start", `{"type":"message_start","message":`+start+`}`, &first),
			ev("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, nil),
			ev("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`, nil),
			ev("content_block_stop", `{"type":"content_block_stop","index":0}`, nil),
			ev("message_delta", fmt.Sprintf(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":%d}}`,
				u.output), &u),
			ev("message_stop", `{"type":"message_stop"}`, nil),
		}
	case "completions":
		chunk := func(choices, usage string, u *used) event {
			return event{`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"` + model + `","choices":` + choices +
				usage + "}\n\n", u}
		}
		return []event{
			chunk(`[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]`, "", nil),
			chunk(`[{"index":0,"delta":{},"finish_reason":"stop"}]`, "", nil),
			chunk(`[]`, `,"usage":`+usageJSON(format, u), &u),
			{"data: [DONE]\n\n", nil},
		}
	default:
		open := strings.Replace(bodyOf(format, model, u), `"status":"completed","model"`, `"status":"in_progress","model"`, 1)
		open, _, _ = strings.Cut(open, `"output":`)
		open += `"output":[],"usage":null}`
		return []event{
			ev("response.created", `{"type":"response.created","sequence_number":0,"response":`+open+`}`, nil),
			ev("response.output_item.added", `{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":`+
				`{"type":"message","id":"m1","role":"assistant","status":"in_progress","content":[]}}`, nil),
			ev("response.content_part.added", `{"type":"response.content_part.added","sequence_number":2,"item_id":"m1","output_index":0,`+
				`"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}`, nil),
			ev("response.output_text.delta", `{"type":"response.output_text.delta","sequence_number":3,"item_id":"m1","output_index":0,`+
				`"content_index":0,"delta":"Hi"}`, nil),
			ev("response.completed", `{"type":"response.completed","sequence_number":4,"response":`+bodyOf(format, model, u)+`}`, &u),
		}
	}
}

// factories are a provider for each dialect of an upstream: /a, /c and /r.
func factories() []ccproxy.Factory {
	var out []ccproxy.Factory
	for name, format := range map[string]adapters.Format{
		"a": adapters.AnthropicMessages, "c": adapters.OpenAIChatCompletions, "r": adapters.OpenAIResponses,
	} {
		out = append(out, providers.New(ccproxy.Manifest{Name: name, Description: "fake"}, providers.Upstream{
			BaseURL: "https://upstream.test", Formats: []adapters.Format{format}, ModelsPath: "-",
		}))
	}
	return out
}

// bodies are requests in the three dialects, by the client's path.
func bodies(model string, stream bool) map[string]string {
	tail := fmt.Sprintf(`"model":%q,"stream":%t}`, model, stream)
	return map[string]string{
		"/v1/messages":         `{"max_tokens":100,"messages":[{"role":"user","content":"Hello"}],` + tail,
		"/v1/chat/completions": `{"max_completion_tokens":100,"messages":[{"role":"user","content":"Hello"}],"stream_options":{"include_usage":true},` + tail,
		"/v1/responses":        `{"max_output_tokens":100,"input":"Hello",` + tail,
	}
}
