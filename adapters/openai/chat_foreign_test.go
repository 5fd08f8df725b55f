package openai

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

const (
	fromAnthropic = string(adapters.AnthropicMessages)
	fromResponses = string(adapters.OpenAIResponses)
)

func tok(s string) canonical.Token { return canonical.NewToken(s) }

func textPart(s string) canonical.Part { return canonical.Part{Text: tok(s)} }

func callPart(id, name, args string) canonical.Part {
	return canonical.Part{Kind: canonical.PartToolCall, Path: "call", Call: &canonical.ToolCall{
		ID: tok(id), Name: tok(name), Args: canonical.Args{Object: canonical.Raw(args)},
	}}
}

func resultPart(id string, isError bool, parts ...canonical.Part) canonical.Part {
	return canonical.Part{Kind: canonical.PartToolResult, Path: "r", Result: &canonical.ToolResult{
		CallID: tok(id), Parts: parts, IsError: isError,
	}}
}

func imagePart(path string) canonical.Part {
	return canonical.Part{Kind: canonical.PartImage, Path: path, Media: &canonical.Media{MIME: tok("image/png"), Data: tok("AA==")}}
}

// foreignRequest is a request that was decoded from another dialect.
type foreignRequest struct {
	name string
	req  canonical.Request
	want string // the body without model
	lost []string
}

func foreignConversations() []foreignRequest {
	return []foreignRequest{
		{
			name: "parallel results, an error, images moved after all results and before the words",
			req: canonical.Request{Messages: []canonical.Message{
				{Role: canonical.RoleAssistant, Parts: []canonical.Part{
					textPart("look"), callPart("a", "read", `{"p": "x\"y"}`), callPart("b", "ls", ``),
				}},
				{Role: canonical.RoleUser, Parts: []canonical.Part{
					resultPart("a", false, imagePart("img")), resultPart("b", true, textPart("no"), textPart("way")),
					textPart("go on"),
				}},
			}},
			want: `{"messages":[
				{"role":"assistant","content":"look","tool_calls":[
					{"id":"a","type":"function","function":{"name":"read","arguments":"{\"p\": \"x\\\"y\"}"}},
					{"id":"b","type":"function","function":{"name":"ls","arguments":"{}"}}]},
				{"role":"tool","tool_call_id":"a","content":"[the result is in the next user message]"},
				{"role":"tool","tool_call_id":"b","content":"[tool error] no\nway"},
				{"role":"user","content":[{"type":"text","text":"[image returned by tool call a]"},
					{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"text","text":"go on"}]}]}`,
			lost: []string{"img", "r.is_error"},
		},
		{
			name: "items of one turn become one message, whose images follow the last result",
			req: canonical.Request{Source: fromResponses, Messages: []canonical.Message{
				{Role: canonical.RoleDeveloper, Parts: []canonical.Part{textPart("sys")}},
				{Role: canonical.RoleAssistant, Parts: []canonical.Part{{Kind: canonical.PartThinking, Summary: []canonical.Token{tok("s1"), tok("s2")}, Encrypted: tok("enc"), ID: tok("rs_1")}}},
				{Role: canonical.RoleAssistant, Parts: []canonical.Part{textPart("a")}},
				{Role: canonical.RoleAssistant, Parts: []canonical.Part{callPart("1", "f", `{}`)}},
				{Role: canonical.RoleAssistant, Parts: []canonical.Part{callPart("2", "f", `{}`)}},
				{Role: canonical.RoleTool, Parts: []canonical.Part{resultPart("1", false, textPart("x"), imagePart("i"))}},
				{Role: canonical.RoleTool, Parts: []canonical.Part{resultPart("2", false)}},
				{Role: canonical.RoleAssistant, Parts: []canonical.Part{textPart("b")}},
			}},
			want: `{"messages":[{"role":"system","content":"sys"},
				{"role":"assistant","reasoning_content":"s1\n\ns2",
				 "content":"a","tool_calls":[
					{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},
					{"id":"2","type":"function","function":{"name":"f","arguments":"{}"}}]},
				{"role":"tool","tool_call_id":"1","content":"x"},{"role":"tool","tool_call_id":"2","content":""},
				{"role":"user","content":[{"type":"text","text":"[image returned by tool call 1]"},
					{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]},
				{"role":"assistant","content":"b"}]}`,
			lost: []string{"", "i"},
		},
		{
			name: "the billing line goes, and what the dialect lacks is reported",
			req: canonical.Request{
				Source: fromAnthropic,
				Messages: []canonical.Message{
					{Role: canonical.RoleSystem, Top: true, Parts: []canonical.Part{
						{Text: tok("x-anthropic-billing-header: cc_version=1"), Path: "system[0]"},
						textPart("one"),
						{Text: tok("two"), CacheControl: canonical.Raw(`{}`), Path: "system[2]"},
					}},
					{Role: canonical.RoleUser, Parts: []canonical.Part{textPart("hi")}},
				},
				TopK: canonical.Raw("5"), MaxTokens: canonical.Raw("100"), Stream: true,
				Stop:     []canonical.Token{tok("1"), tok("2"), tok("3"), tok("4"), tok("5")},
				Thinking: &canonical.Thinking{Mode: "enabled", Budget: canonical.Raw("31999")},
				User:     tok(strings.Repeat("u", 100)), ServiceTier: tok("standard_only"),
				Extra: []canonical.Field{{Name: "context_management", Raw: canonical.Raw("{}")}},
			},
			want: `{"messages":[{"role":"system","content":"one\n\ntwo"},{"role":"user","content":"hi"}],
				"max_completion_tokens":100,"stop":["1","2","3","4"],"service_tier":"default","reasoning_effort":"high",
				"user":"uuuuuuuuuuuuuuuu000000000000000000000000",
				"stream":true,"stream_options":{"include_usage":true}}`,
			lost: []string{"system[0]", "system[2].cache_control", "top_k", "stop_sequences[4]", "metadata.user_id", "thinking.budget_tokens", "context_management"},
		},
	}
}

func foreignTools() []foreignRequest {
	longID := "toolu_" + strings.Repeat("x", 60)
	return []foreignRequest{
		{
			name: "free-form tools become functions, servers' tools are left out, a long id is the same everywhere",
			req: canonical.Request{
				Source: fromResponses,
				Messages: []canonical.Message{
					{Role: canonical.RoleAssistant, Parts: []canonical.Part{{Kind: canonical.PartToolCall, Path: "c", Call: &canonical.ToolCall{
						ID: tok(longID), Name: tok("patch"), Custom: true, Args: canonical.Args{String: tok("a\n\"b\"")},
					}}}},
					{Role: canonical.RoleTool, Parts: []canonical.Part{resultPart(longID, false, textPart("ok"))}},
				},
				Tools: []canonical.Tool{
					{Name: tok("patch"), Custom: true, Grammar: canonical.Raw(`{"type":"grammar","syntax":"lark","definition":"x"}`), Path: "tools[0]"},
					{Type: "web_search", Raw: canonical.Raw(`{}`), Path: "tools[1]"},
					{Name: tok("f"), Path: "tools[2]", Strict: canonical.Raw("false")},
				},
				Choice: &canonical.ToolChoice{Mode: "tool", Name: tok("patch"), Path: "tool_choice"},
			},
			want: `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"ID","type":"function",
				"function":{"name":"patch","arguments":"{\"input\":\"a\\n\\\"b\\\"\"}"}}]},
				{"role":"tool","tool_call_id":"ID","content":"ok"}],
				"tools":[{"type":"function","function":{"name":"patch","parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}}},
				{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}},"strict":false}}],
				"tool_choice":{"type":"function","function":{"name":"patch"}}}`,
			lost: []string{"c", "r", "tools[0]", "tools[0].format", "tools[1]"},
		},
		{
			name: "documents, opaque parts, and a message of which nothing is left",
			req: canonical.Request{Source: fromAnthropic, Messages: []canonical.Message{
				{Role: canonical.RoleUser, Parts: []canonical.Part{
					{Kind: canonical.PartDocument, Path: "d0", Media: &canonical.Media{MIME: tok("application/pdf"), Data: tok("AA==")}},
					{Kind: canonical.PartDocument, Path: "d1", Media: &canonical.Media{URL: tok("https://e.x/a.pdf")}},
					{Kind: canonical.PartDocument, Path: "d2", Media: &canonical.Media{Text: tok("body"), Filename: tok("T")}},
					{Kind: canonical.PartImage, Path: "d3", Media: &canonical.Media{FileID: tok("file_1")}},
				}},
				{Role: canonical.RoleAssistant, Parts: []canonical.Part{{Kind: canonical.PartOpaque, Type: "server_tool_use", Raw: canonical.Raw("{}"), Path: "o"}}},
			}},
			want: `{"messages":[{"role":"user","content":[
				{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,AA=="}},
				{"type":"text","text":"https://e.x/a.pdf"},{"type":"text","text":"T:\nbody"}]}]}`,
			lost: []string{"d1", "d2", "d3", "o"},
		},
		{
			name: "a choice without tools is left out, one among allowed tools changes its shape",
			req: canonical.Request{
				Source: fromResponses,
				Tools:  []canonical.Tool{{Name: tok("f"), Schema: canonical.Raw(`{}`), Path: "tools[0]"}},
				Choice: &canonical.ToolChoice{Mode: "auto", Path: "tool_choice", Raw: canonical.Raw(
					`{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"},{"type":"web_search"}]}`)},
				Format: &canonical.Format{Type: "json_schema", Schema: canonical.Raw(`{}`)},
			},
			want: `{"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],
				"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}},
				"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{}}}}`,
			lost: []string{"tool_choice.tools[1]"},
		},
	}
}

func TestChatRequestOfAnotherDialect(t *testing.T) {
	t.Parallel()
	for _, tt := range append(foreignConversations(), foreignTools()...) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.req.Source == "" {
				tt.req.Source = fromAnthropic
			}
			tt.req.Model = "m"
			var lost canonical.Losses
			got, err := Chat().Requests().EncodeRequest(&tt.req, &lost)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(tt.want, "{", `{"model":"m",`, 1)
			text := string(got)
			for _, m := range value(t, text).(map[string]any)["messages"].([]any) {
				if id, _ := m.(map[string]any)["tool_call_id"].(string); strings.HasPrefix(id, "toolu_x") {
					if len(id) > 40 {
						t.Errorf("id %q is too long", id)
					}
					text = strings.ReplaceAll(text, id, "ID")
				}
			}
			if user, _ := value(t, text).(map[string]any)["user"].(string); len(user) == 40 {
				text = strings.ReplaceAll(text, user[16:], strings.Repeat("0", 24))
			}
			sameJSON(t, want, text)
			paths := make([]string, 0, len(lost.List))
			for _, l := range lost.List {
				paths = append(paths, l.Path)
			}
			slices.Sort(paths)
			slices.Sort(tt.lost)
			if diff := cmp.Diff(tt.lost, paths); diff != "" {
				t.Errorf("losses mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChatRequestRefusesWhatItNeeds(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, want string }{
		{"no JSON", `{"model"`, "invalid JSON"},
		{"a key twice", `{"model":"m","model":"n","messages":[]}`, "duplicate"},
		{"no model", `{"messages":[]}`, "model: must be a string"},
		{"no messages", `{"model":"m"}`, "messages: must be an array"},
		{"a message that is a string", `{"model":"m","messages":["x"]}`, "messages[0]: must be an object"},
		{"an unknown role", `{"model":"m","messages":[{"role":"bot"}]}`, "messages[0].role: must be"},
		{"a content that is a number", `{"model":"m","messages":[{"role":"user","content":1}]}`, "messages[0].content: must be a string or an array"},
		{"a part without type", `{"model":"m","messages":[{"role":"user","content":[{}]}]}`, "messages[0].content[0].type: must be a string"},
		{"a part without its member", `{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}`, "messages[0].content[0].text: is missing"},
		{"an address that is a number", `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":1}}]}]}`, "messages[0].content[0].image_url.url: must be a string"},
		{"a file of nothing", `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{}}]}]}`, "messages[0].content[0].file.file_data: must be a string"},
		{"a result of no call", `{"model":"m","messages":[{"role":"tool","content":"x"}]}`, "messages[0].tool_call_id: must be a string"},
		{"a call of nothing", `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]}`, "messages[0].tool_calls[0].function: must be an object"},
		{"a call without a name", `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]}`, "messages[0].tool_calls[0].function.name: must be a string"},
		{"an old result of no call", `{"model":"m","messages":[{"role":"function","name":"f","content":"x"}]}`, "messages[0]: must follow a function_call"},
		{"a tool without a name", `{"model":"m","messages":[],"tools":[{"type":"function","function":{}}]}`, "tools[0].function.name: must be a string"},
		{"an unknown choice", `{"model":"m","messages":[],"tool_choice":"maybe"}`, "tool_choice: must be"},
		{"a stop that is a number", `{"model":"m","messages":[],"stop":[1]}`, "stop[0]: must be a string"},
		{"a temperature that is a string", `{"model":"m","messages":[],"temperature":"hot"}`, "temperature: must be a number"},
		{"a stream that is a string", `{"model":"m","messages":[],"stream":"yes"}`, "stream: must be true or false"},
		{"an effort that is a number", `{"model":"m","messages":[],"reasoning_effort":1}`, "reasoning_effort: must be a string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Chat().Requests().DecodeRequest([]byte(tt.body))
			if !errors.Is(err, adapters.ErrInvalidInput) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("DecodeRequest = %v, want ErrInvalidInput with %q", err, tt.want)
			}
		})
	}
}
