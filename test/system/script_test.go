package system

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// script answers each request as its plan says.
type script struct {
	planned *regexp.Regexp
	asked   sync.Map // numbers of plans that were asked for before
}

func newScript() *script { return &script{planned: regexp.MustCompile(`plan-(\d+)-`)} }

// ServeHTTP implements [http.Handler].
func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	found := s.planned.FindSubmatch(body)
	if err != nil || found == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	n, _ := strconv.Atoi(string(found[1]))
	p := newPlan(n)
	w.Header().Set("Content-Type", "application/json")
	if _, again := s.asked.LoadOrStore(n, true); p.retried() && !again {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"type":"error","error":{"type":"api_error","message":"not now"}}`)
		return
	}
	time.Sleep(p.first)
	head, rest, answer := p.script()
	switch {
	case p.ending == refused:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"type":"error","error":{"type":"invalid_request_error","message":"no"}}`)
	case !p.stream():
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
	time.Sleep(pause)
	switch p.ending {
	case cut:
		panic(http.ErrAbortHandler) // net/http's way to break a connection
	case canceled:
		<-r.Context().Done()
	case broken:
		_, _ = io.WriteString(w, map[family]string{
			anthropic: event("error", `{"type":"error","error":{"type":"overloaded_error","message":"no more"}}`),
			chat:      "data: {\"error\":{\"message\":\"no more\",\"type\":\"server_error\"}}\n\n",
			responses: event("error", `{"type":"error","code":"server_error","message":"no more","sequence_number":4}`),
		}[p.upstream])
	default:
		_, _ = io.WriteString(w, rest)
	}
}

func event(name, data string, args ...any) string {
	return "event: " + name + "\ndata: " + fmt.Sprintf(data, args...) + "\n\n"
}

// script is what the upstream says: the first and second half of a stream, or a whole answer.
func (p plan) script() (head, rest, answer string) {
	switch p.upstream {
	case anthropic:
		return p.messages()
	case chat:
		return p.completions()
	default:
		return p.responses()
	}
}

// unlessSilent is the member with the usage of a whole answer.
func (p plan) unlessSilent(usage string) string {
	if p.ending == silent {
		return ""
	}
	return `,"usage":` + usage
}

func (p plan) messages() (head, rest, answer string) {
	counts := func(output int64, cost string) string {
		u := p.whole
		return fmt.Sprintf(`{"input_tokens":%d,"cache_read_input_tokens":%d,"cache_creation_input_tokens":%d,`+
			`"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d},"output_tokens":%d%s}`,
			u.input, u.read, u.write, u.write-u.hour, u.hour, output, cost)
	}
	cost := ""
	if told := p.told(); told > 0 {
		cost = fmt.Sprintf(`,"total_cost_usd":0.%06d`, told)
	}
	head = event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message",`+
		`"role":"assistant","model":%q,"content":[],"stop_reason":null,"usage":%s}}`, p.model.name, counts(1, "")) +
		event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
		event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`)
	rest = event("content_block_stop", `{"type":"content_block_stop","index":0}`) +
		event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":%d%s}}`,
			p.whole.output, cost) + event("message_stop", `{"type":"message_stop"}`)
	answer = fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":%q,"content":[{"type":"text",`+
		`"text":"Hello"}],"stop_reason":"end_turn"%s}`, p.model.name, p.unlessSilent(counts(p.whole.output, cost)))
	return head, rest, answer
}

func (p plan) completions() (head, rest, answer string) {
	u, m := p.whole, p.model.name
	counts := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":`+
		`{"cached_tokens":%d}}`, u.input+u.read, u.output, u.all(), u.read)
	const chunk = "data: " + `{"id":"c1","object":"chat.completion.chunk","created":1,"model":%q,"choices":[%s]%s}` + "\n\n"
	head = fmt.Sprintf(chunk, m, `{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}`, "")
	rest = fmt.Sprintf(chunk, m, `{"index":0,"delta":{},"finish_reason":"stop"}`, "") +
		fmt.Sprintf(chunk, m, "", `,"usage":`+counts) + "data: [DONE]\n\n"
	answer = fmt.Sprintf(`{"id":"c1","object":"chat.completion","created":1,"model":%q,"choices":[{"index":0,`+
		`"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]%s}`, m, p.unlessSilent(counts))
	return head, rest, answer
}

func (p plan) responses() (head, rest, answer string) {
	u, m := p.whole, p.model.name
	counts := fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%d},"output_tokens":%d,`+
		`"output_tokens_details":{"reasoning_tokens":1},"total_tokens":%d}`, u.input+u.read, u.read, u.output, u.all())
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
	answer = fmt.Sprintf(response, m, "completed", done, p.unlessSilent(counts))
	return head, rest, answer
}
