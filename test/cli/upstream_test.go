package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// upstream is a fake API: it calls a tool of the client's once, and then says what came of it.
type upstream struct {
	*providertest.Upstream
	url string

	mu    sync.Mutex
	asked int // for an answer, with the tool at hand
	seen  string
}

// call is the tool that an upstream calls, and with what.
type call struct{ name, input string }

// serve starts an API of one dialect.
func serve(t *testing.T, c call) *upstream {
	t.Helper()
	u := &upstream{Upstream: new(providertest.Upstream)}
	u.Handler = func(r providertest.Request) providertest.Reply { return u.reply(r, c) }
	server := httptest.NewServer(u)
	t.Cleanup(func() {
		server.Close()
		_ = u.Close()
	})
	u.url = server.URL
	return u
}

func (u *upstream) reply(r providertest.Request, c call) providertest.Reply {
	tool := bytes.Contains(r.Body, []byte(`"name":"`+c.name+`"`))
	u.mu.Lock()
	defer u.mu.Unlock()
	if tool {
		u.asked++
	}
	result, done := resultOf(r.Body)
	if done {
		u.seen = result
	}
	switch {
	case strings.HasSuffix(r.Path, "/messages"):
		if tool && !done {
			return providertest.ToolUse(c.name, c.input)
		}
		return providertest.Message("The tool said: " + result)
	case strings.HasSuffix(r.Path, "/responses"):
		return responsesReply(c, result, tool && !done)
	case strings.HasSuffix(r.Path, "/chat/completions"):
		return chatReply(c, result, tool && !done)
	default:
		return nil
	}
}

// told is what the API was told of the tool, and how often it was asked.
func (u *upstream) told() (result string, asked int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen, u.asked
}

// resultOf is the result of a tool in a request of any dialect.
func resultOf(body []byte) (string, bool) {
	for _, mark := range []string{`"type":"tool_result"`, `"function_call_output"`, `"role":"tool"`} {
		if at := bytes.Index(body, []byte(mark)); at >= 0 {
			if bytes.Contains(body[max(0, at-500):min(at+2000, len(body))], []byte("marker-4711")) {
				return "marker-4711", true
			}
			return "another thing", true
		}
	}
	return "nothing", false
}

func events(list ...string) providertest.Reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, data := range list {
			var ev struct {
				Type string `json:"type"`
			}
			if json.Unmarshal([]byte(data), &ev) == nil && ev.Type != "" {
				fmt.Fprintf(w, "event: %s\n", ev.Type)
			}
			fmt.Fprintf(w, "data: %s\n\n", data)
		}
	}
}

func responsesReply(c call, result string, tool bool) providertest.Reply {
	item := fmt.Sprintf(`{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":`+
		`[{"type":"output_text","annotations":[],"text":"The tool said: %s"}]}`, result)
	if tool {
		item = fmt.Sprintf(`{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":%q,"arguments":%q}`,
			c.name, c.input)
	}
	usage := `{"input_tokens":20,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,` +
		`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":23}`
	response := `{"id":"resp_1","object":"response","created_at":1,"model":"gpt-5.3-codex","status":%q,"output":[%s],"usage":%s}`
	return events(
		`{"type":"response.created","sequence_number":0,"response":`+fmt.Sprintf(response, "in_progress", "", "null")+`}`,
		`{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":`+item+`}`,
		`{"type":"response.output_item.done","sequence_number":2,"output_index":0,"item":`+item+`}`,
		`{"type":"response.completed","sequence_number":3,"response":`+fmt.Sprintf(response, "completed", item, usage)+`}`,
	)
}

func chatReply(c call, result string, tool bool) providertest.Reply {
	chunk := func(delta, finish string) string {
		return `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"local","choices":[{"index":0,"delta":` +
			delta + `,"finish_reason":` + finish + `}]}`
	}
	if tool {
		return events(
			chunk(fmt.Sprintf(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function",`+
				`"function":{"name":%q,"arguments":%q}}]}`, c.name, c.input), "null"),
			chunk(`{}`, `"tool_calls"`), "[DONE]",
		)
	}
	return events(chunk(fmt.Sprintf(`{"role":"assistant","content":"The tool said: %s"}`, result), "null"), chunk(`{}`, `"stop"`), "[DONE]")
}
