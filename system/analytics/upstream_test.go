package analytics_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/system/analytics"
)

// ending is how an exchange of the ledger goes.
type ending int

const (
	whole ending = iota
	streamed
	refused  // 400
	silent   // no word on usage
	cut      // the upstream breaks off in the middle of a stream
	canceled // the client leaves in the middle of a stream
	endings
)

// plan is one exchange of the ledger, and what the upstream declares in it.
type plan struct {
	n                int
	client, upstream string // anthropic, chat or responses
	ending           ending

	input, output, cacheRead, cacheWrite, reasoning int64
}

func newPlan(n int) plan {
	families := []string{"anthropic", "chat", "responses"}
	p := plan{
		n: n, ending: ending(n % int(endings)),
		client: families[n/int(endings)%3], upstream: families[n/int(endings)/3%3],
		input: int64(10 + n%997), output: int64(2 + n%83), cacheRead: int64(n % 51), reasoning: int64(n % 2),
	}
	if p.upstream == "anthropic" {
		p.cacheWrite, p.reasoning = int64(n%29), 0
	}
	return p
}

func (p plan) model() string { return "plan-" + strconv.Itoa(p.n) }

func (p plan) id() string { return "req-" + strconv.Itoa(p.n) }

func (p plan) stream() bool { return p.ending == streamed || p.ending == cut || p.ending == canceled }

// path is where the client asks.
func (p plan) path() string {
	mounts := map[string]string{"anthropic": "/claude", "chat": "/compat", "responses": "/modern"}
	routes := map[string]string{
		"anthropic": "/v1/messages", "chat": "/v1/chat/completions", "responses": "/v1/responses",
	}
	return mounts[p.upstream] + routes[p.client]
}

// body is what the client sends.
func (p plan) body() string {
	switch p.client {
	case "anthropic":
		return fmt.Sprintf(`{"model":%q,"max_tokens":9,"stream":%t,"messages":[{"role":"user","content":"hi"}]}`,
			p.model(), p.stream())
	case "chat":
		options := ""
		if p.stream() {
			options = `"stream_options":{"include_usage":true},`
		}
		return fmt.Sprintf(`{"model":%q,"stream":%t,%s"messages":[{"role":"user","content":"hi"}]}`,
			p.model(), p.stream(), options)
	default:
		return fmt.Sprintf(`{"model":%q,"stream":%t,"input":"hi"}`, p.model(), p.stream())
	}
}

// tokens are what the record of the exchange has to say, nil for nothing.
func (p plan) tokens() (t *analytics.Tokens, partial bool) {
	full := &analytics.Tokens{
		Input: p.input, Output: p.output, CacheRead: p.cacheRead, CacheWrite: p.cacheWrite, Reasoning: p.reasoning,
	}
	switch {
	case p.ending == whole, p.ending == streamed:
		return full, false
	case (p.ending == cut || p.ending == canceled) && p.upstream == "anthropic":
		full.Output = 1 // as message_start says
		return full, true
	}
	return nil, false // others tell at the end
}

// price is a list of prices without the models whose number ends with 7.
type price struct{}

func (price) Cost(u *hooks.Usage, models ...string) (int64, error) {
	if strings.HasSuffix(models[0], "7") {
		return 0, fmt.Errorf("models %q have no price", models)
	}
	return 3_000_000*u.InputTokens + 15_000_001*u.OutputTokens + 300_003*u.CacheReadInputTokens +
		3_750_007*u.CacheCreationInputTokens, nil
}

func (p plan) cost() *analytics.Amount {
	t, _ := p.tokens()
	if t == nil {
		return nil
	}
	n, err := price{}.Cost(&hooks.Usage{
		InputTokens: t.Input, OutputTokens: t.Output, CacheReadInputTokens: t.CacheRead,
		CacheCreationInputTokens: t.CacheWrite,
	}, p.model())
	if err != nil {
		return nil
	}
	a := analytics.AmountOf(n)
	return &a
}

// priceList is a plugin that provides the list as the service "pricing".
type priceList struct{}

func (priceList) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide("pricing", price{})
}

func (priceList) Shutdown(context.Context) error { return nil }

func priceFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "price_list", Provides: []string{"pricing"}},
		func() ccproxy.Plugin { return priceList{} })
}

// providerTables are settings of plugins for an upstream that answers as the plans say.
func providerTables(address string) map[string]map[string]any {
	return map[string]map[string]any{
		claudeapi.Name: {"base_url": address, "api_key": "k"},
		openaicompat.Name: {"instances": map[string]any{
			"compat": map[string]any{"base_url": address + "/chat/v1", "api_key": "k"},
			"modern": map[string]any{
				"base_url": address + "/responses/v1", "api_key": "k", "formats": []any{"openai.responses"},
			},
		}},
	}
}

// planOf is the number of the plan that a request's model names.
func planOf(body []byte) int {
	var asked struct {
		Model string `json:"model"`
	}
	_ = json.Unmarshal(body, &asked)
	n, err := strconv.Atoi(strings.TrimPrefix(asked.Model, "plan-"))
	if err != nil {
		return int(refused) // of a request that is not the ledger's
	}
	return n
}

// serveUpstream answers each request as its model's plan says.
func serveUpstream(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p := newPlan(planOf(body))
	head, rest, answer := p.script()
	switch {
	case p.ending == refused:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"type":"error","error":{"type":"invalid_request_error","message":"no"}}`)
	case !p.stream():
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	default:
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, head)
		_ = http.NewResponseController(w).Flush()
		p.finish(w, r, rest)
	}
}

// finish is the second half of a stream.
func (p plan) finish(w http.ResponseWriter, r *http.Request, rest string) {
	switch p.ending {
	case cut:
		panic(http.ErrAbortHandler) // net/http's way to break a connection
	case canceled:
		<-r.Context().Done()
	default:
		_, _ = io.WriteString(w, rest)
	}
}

// script is what the upstream says: the first and second half of a stream, or a whole answer.
func (p plan) script() (head, rest, answer string) {
	event := func(name, data string, args ...any) string {
		return "event: " + name + "\ndata: " + fmt.Sprintf(data, args...) + "\n\n"
	}
	data := func(text string, args ...any) string { return "data: " + fmt.Sprintf(text, args...) + "\n\n" }
	usage := func(text string, args ...any) string {
		if p.ending == silent {
			return ""
		}
		return fmt.Sprintf(text, args...)
	}
	m := p.model()
	switch p.upstream {
	case "anthropic":
		const text = `{"input_tokens":%d,"cache_read_input_tokens":%d,"cache_creation_input_tokens":%d,"output_tokens":%d}`
		counts := func(output int64) string {
			return fmt.Sprintf(text, p.input, p.cacheRead, p.cacheWrite, output)
		}
		head = event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message",`+
			`"role":"assistant","model":%q,"content":[],"stop_reason":null,"usage":%s}}`, m, counts(1)) +
			event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`)
		rest = event("content_block_stop", `{"type":"content_block_stop","index":0}`) +
			event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":%d}}`,
				p.output) + event("message_stop", `{"type":"message_stop"}`)
		answer = fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":%q,"content":[{"type":"text",`+
			`"text":"Hello"}],"stop_reason":"end_turn"%s}`, m, usage(`,"usage":%s`, counts(p.output)))
	case "chat":
		counts := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":`+
			`{"cached_tokens":%d},"completion_tokens_details":{"reasoning_tokens":%d}}`,
			p.input, p.output, p.input+p.output, p.cacheRead, p.reasoning)
		const chunk = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":%q,`
		head = data(chunk+`"choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}]}`, m)
		rest = data(chunk+`"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, m) +
			data(chunk+`"choices":[],"usage":%s}`, m, counts) + data("[DONE]")
		answer = fmt.Sprintf(`{"id":"c1","object":"chat.completion","created":1,"model":%q,"choices":[{"index":0,`+
			`"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]%s}`, m, usage(`,"usage":%s`, counts))
	default:
		counts := fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%d},"output_tokens":%d,`+
			`"output_tokens_details":{"reasoning_tokens":%d},"total_tokens":%d}`,
			p.input, p.cacheRead, p.output, p.reasoning, p.input+p.output)
		const response = `{"id":"r1","object":"response","created_at":1,"model":%q,"status":%q,"output":[%s]%s}`
		const part = `{"type":"output_text","text":%q,"annotations":[]}`
		const item = `{"id":"m1","type":"message","role":"assistant","status":%q,"content":[%s]}`
		done := fmt.Sprintf(item, "completed", fmt.Sprintf(part, "Hello"))
		head = event("response.created", `{"type":"response.created","sequence_number":0,"response":`+response+`}`,
			m, "in_progress", "", "") +
			event("response.output_item.added", `{"type":"response.output_item.added","sequence_number":1,`+
				`"output_index":0,"item":`+item+`}`, "in_progress", "") +
			event("response.content_part.added", `{"type":"response.content_part.added","sequence_number":2,`+
				`"item_id":"m1","output_index":0,"content_index":0,"part":`+part+`}`, "") +
			event("response.output_text.delta", `{"type":"response.output_text.delta","sequence_number":3,`+
				`"item_id":"m1","output_index":0,"content_index":0,"delta":"Hello"}`)
		rest = event("response.output_text.done", `{"type":"response.output_text.done","sequence_number":4,`+
			`"item_id":"m1","output_index":0,"content_index":0,"text":"Hello"}`) +
			event("response.output_item.done", `{"type":"response.output_item.done","sequence_number":5,`+
				`"output_index":0,"item":%s}`, done) +
			event("response.completed", `{"type":"response.completed","sequence_number":6,"response":`+response+`}`,
				m, "completed", done, `,"usage":`+counts)
		answer = fmt.Sprintf(response, m, "completed", done, usage(`,"usage":%s`, counts))
	}
	return head, rest, answer
}
