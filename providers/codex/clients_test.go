package codex_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// toolStream is how ChatGPT calls a tool, after some thought.
func toolStream() string {
	return asStream(strings.Join([]string{
		`{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,` +
			`"status":"in_progress","model":"gpt-5.3-codex","output":[],"usage":null}}`,
		`{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":` +
			`{"id":"rs_1","type":"reasoning","summary":[]}}`,
		`{"type":"response.output_item.done","sequence_number":2,"output_index":0,"item":` +
			`{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAAsecret=="}}`,
		`{"type":"response.output_item.added","sequence_number":3,"output_index":1,"item":{"id":"fc_1",` +
			`"type":"function_call","status":"in_progress","call_id":"call_1","name":"weather","arguments":""}}`,
		`{"type":"response.function_call_arguments.delta","sequence_number":4,"item_id":"fc_1","output_index":1,` +
			`"delta":"{\"city\":\"Oslo\"}"}`,
		`{"type":"response.function_call_arguments.done","sequence_number":5,"item_id":"fc_1","output_index":1,` +
			`"arguments":"{\"city\":\"Oslo\"}"}`,
		`{"type":"response.output_item.done","sequence_number":6,"output_index":1,"item":{"id":"fc_1",` +
			`"type":"function_call","status":"completed","call_id":"call_1","name":"weather",` +
			`"arguments":"{\"city\":\"Oslo\"}"}}`,
		`{"type":"response.completed","sequence_number":7,"response":{"id":"resp_1","object":"response","created_at":1,` +
			`"status":"completed","model":"gpt-5.3-codex","output":[],"usage":{"input_tokens":9,` +
			`"input_tokens_details":{"cached_tokens":4},"output_tokens":3,` +
			`"output_tokens_details":{"reasoning_tokens":1},"total_tokens":12}}}`,
	}, "\n"))
}

// clients are the three dialects: how each asks with a tool, goes on with what the tool said, and is answered.
var clients = []struct {
	name, path, first string
	next              func(first string) string // the second request, from the first answer
	call, text        []string                  // what the answers hold
}{
	{
		name: "responses", path: "/codex/v1/responses",
		first: `{"model":"gpt-5.3-codex","input":[{"role":"user","content":"Oslo?"}],` +
			`"tools":[{"type":"function","name":"weather","parameters":{"type":"object"},"strict":false}]}`,
		next: func(first string) string {
			output, _ := rawjson.Find([]byte(first), "output")
			return `{"model":"gpt-5.3-codex","input":[{"role":"user","content":"Oslo?"},` +
				strings.Trim(string(output), "[]") +
				`,{"type":"function_call_output","call_id":"call_1","output":"rain"}],` +
				`"tools":[{"type":"function","name":"weather","parameters":{"type":"object"},"strict":false}]}`
		},
		call: []string{`"call_id":"call_1"`, `"status":"completed"`, `"encrypted_content":"gAAAsecret=="`, `"total_tokens":12`},
		text: []string{`"text":"It rains"`, `"total_tokens":23`},
	},
	{
		name: "chat", path: "/codex/v1/chat/completions",
		first: `{"model":"gpt-5.3-codex","reasoning_effort":"low","messages":[{"role":"user","content":"Oslo?"}],` +
			`"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]}`,
		next: func(first string) string {
			var answer struct {
				Choices []struct {
					Message json.RawMessage `json:"message"`
				} `json:"choices"`
			}
			if json.Unmarshal([]byte(first), &answer) != nil || len(answer.Choices) != 1 {
				return first
			}
			return `{"model":"gpt-5.3-codex","reasoning_effort":"low","messages":[{"role":"user","content":"Oslo?"},` +
				string(answer.Choices[0].Message) + `,{"role":"tool","tool_call_id":"call_1","content":"rain"}],` +
				`"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]}`
		},
		call: []string{`"finish_reason":"tool_calls"`, `"id":"call_1"`, `"total_tokens":12`},
		text: []string{`"content":"It rains"`, `"finish_reason":"stop"`, `"prompt_tokens":20`},
	},
	{
		name: "messages", path: "/codex/s-7/v1/messages",
		first: `{"model":"claude-opus-4-6","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2048},` +
			`"messages":[{"role":"user","content":"Oslo?"}],"tools":[{"name":"weather","input_schema":{"type":"object"}}]}`,
		next: func(first string) string {
			content, _ := rawjson.Find([]byte(first), "content")
			return `{"model":"claude-opus-4-6","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2048},` +
				`"messages":[{"role":"user","content":"Oslo?"},{"role":"assistant","content":` + string(content) + `},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"rain"}]}],` +
				`"tools":[{"name":"weather","input_schema":{"type":"object"}}]}`
		},
		call: []string{`"stop_reason":"tool_use"`, `"id":"call_1"`, `"cache_read_input_tokens":4`, `"model":"claude-opus-4-6"`},
		text: []string{`"text":"It rains"`, `"stop_reason":"end_turn"`, `"output_tokens":3`},
	},
}

// TestToolLoop: a client of each dialect calls a tool over ChatGPT and goes on. What it has to bring back reaches
// ChatGPT as it came, reasoning included.
func TestToolLoop(t *testing.T) {
	t.Parallel()
	for _, client := range clients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			up := &providertest.Upstream{Handler: func(r providertest.Request) providertest.Reply {
				if strings.Contains(string(r.Body), "function_call_output") {
					return textStream("It rains")
				}
				return providertest.Stream(providertest.Bytes(toolStream()))
			}}
			proxy := start(t, up, settings(chatGPT(nil)))
			headers := "" // which are nothing to other vendors
			if client.name == "messages" {
				headers = "Anthropic-Version: 2023-06-01\nAnthropic-Beta: x\nX-App: cli\nX-Claude-Code-Session-Id: s"
			}
			first := ask(t, proxy, http.MethodPost, client.path, headers, client.first)
			second := post(t, proxy, client.path, client.next(first.Body.String()))
			for want, got := range map[string]string{
				strings.Join(client.call, "\n"): first.Body.String(), strings.Join(client.text, "\n"): second.Body.String(),
			} {
				for part := range strings.SplitSeq(want, "\n") {
					if !strings.Contains(got, part) {
						t.Errorf("answer has no %s:\n%s", part, got)
					}
				}
			}
			checkSecondTurn(t, up.Requests())
		})
	}
}

func checkSecondTurn(t *testing.T, requests []providertest.Request) {
	t.Helper()
	if len(requests) != 2 {
		t.Fatalf("upstream was asked %d times", len(requests))
	}
	for _, r := range requests {
		var sent map[string]json.RawMessage
		if err := json.Unmarshal(r.Body, &sent); err != nil {
			t.Fatal(err)
		}
		if string(sent["stream"]) != "true" || string(sent["store"]) != "false" || sent["max_output_tokens"] != nil ||
			!strings.Contains(string(sent["include"]), "reasoning.encrypted_content") {
			t.Errorf("sent %s", r.Body)
		}
		for name := range r.Header {
			if strings.HasPrefix(name, "Anthropic-") || strings.HasPrefix(name, "X-Claude-") || name == "X-App" {
				t.Errorf("header %s was sent", name)
			}
		}
	}
	input, _ := rawjson.Find(requests[1].Body, "input")
	var kinds []string
	for item := range rawjson.Elements(input) {
		kind, _ := rawjson.Find(item, "type")
		kinds = append(kinds, strings.Trim(string(kind), `"`))
		if string(kind) == `"reasoning"` && !strings.Contains(string(item), `"encrypted_content":"gAAAsecret=="`) {
			t.Errorf("reasoning came back as %s", item)
		}
	}
	want := []string{"message", "reasoning", "function_call", "function_call_output"}
	if kinds[0] == "" {
		kinds[0] = "message" // its type may be left out
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("input mismatch (-want +got):\n%s\n%s", diff, input)
	}
}

// TestStreams: a client of each dialect that streams gets its own terminal event.
func TestStreams(t *testing.T) {
	t.Parallel()
	ends := map[string]string{"responses": "event: response.completed\n", "chat": "data: [DONE]\n", "messages": "event: message_stop\n"}
	for _, client := range clients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			proxy := start(t, upstream(textStream("It rains")), settings(chatGPT(nil)))
			body := strings.TrimSuffix(client.first, "}") + `,"stream":true}`
			w := post(t, proxy, client.path, body)
			got := w.Body.String()
			if w.Code != http.StatusOK || strings.Count(got, ends[client.name]) != 1 || !strings.Contains(got, "It rains") {
				t.Errorf("%d\n%s", w.Code, got)
			}
		})
	}
}
