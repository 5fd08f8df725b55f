package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

// anthropicRequest is what an Anthropic client sends, as its codec decodes it.
func anthropicRequest() *canonical.Request {
	return &canonical.Request{
		Source: "anthropic.messages", Model: "gpt-5", MaxTokens: canonical.Raw("64000"),
		Messages: []canonical.Message{
			{Role: canonical.RoleSystem, Top: true, Path: "system", Parts: []canonical.Part{
				{Text: tok("x-anthropic-billing-header: cc_version=1"), Path: "system[0]"},
				{Text: tok("be good"), CacheControl: canonical.Raw(`{}`), Path: "system[1]"},
			}},
			{Role: canonical.RoleUser, Parts: []canonical.Part{{Text: tok("hi")}}},
			{Role: canonical.RoleAssistant, Parts: []canonical.Part{
				{Kind: canonical.PartThinking, Text: tok("hm"), Signature: tok("SIG"), Path: "messages[1].content[0]"},
				{Kind: canonical.PartThinking, Text: tok("aha"), Encrypted: tok("gAAA"), ID: tok("rs_1")},
				{Text: tok("on it")},
				{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{
					ID: tok("toolu_1"), Name: tok("Read"), Args: canonical.Args{Object: canonical.Raw(`{"p":"\n"}`)},
				}},
				{Text: tok("and")},
				{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{ID: tok("toolu_2"), Name: tok("Ls")}},
			}},
			{Role: canonical.RoleUser, Parts: []canonical.Part{
				{Kind: canonical.PartToolResult, Path: "messages[2].content[0]", Result: &canonical.ToolResult{
					CallID: tok("toolu_1"), HasErr: true, IsError: true, Plain: true, Parts: []canonical.Part{{Text: tok("no file")}},
				}},
				{Kind: canonical.PartToolResult, Result: &canonical.ToolResult{
					CallID: tok("toolu_2"), Parts: []canonical.Part{
						{Text: tok("see")},
						{Kind: canonical.PartImage, Media: &canonical.Media{MIME: tok("image/png"), Data: tok("iVBO")}},
					},
				}},
				{Kind: canonical.PartDocument, Media: &canonical.Media{MIME: tok("application/pdf"), Data: tok("JVBE")}},
				{Text: tok("go on")},
			}},
		},
		Tools: []canonical.Tool{
			{Name: tok("Read"), Schema: canonical.Raw(`{"type":"object"}`)},
			{
				Type: "web_search_20250305", Path: "tools[1]",
				Raw: canonical.Raw(`{"type":"web_search_20250305","name":"web_search","max_uses":3,"allowed_domains":["a"]}`),
			},
			{Type: "computer_20250124", Raw: canonical.Raw(`{}`), Path: "tools[2]"},
		},
		Choice:   &canonical.ToolChoice{Mode: "tool", Name: tok("web_search")},
		Thinking: &canonical.Thinking{Mode: "adaptive", Effort: tok("max")},
		Stop:     []canonical.Token{tok("x")},
		User:     tok(strings.Repeat("u", 150)),
	}
}

func TestResponsesRequestFromAnthropic(t *testing.T) {
	t.Parallel()
	var lost canonical.Losses
	got, err := Responses().Requests().EncodeRequest(anthropicRequest(), &lost)
	if err != nil {
		t.Fatal(err)
	}
	sameValue(t, `{"model":"gpt-5","instructions":"be good","store":false,"max_output_tokens":64000,
"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},
{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"aha"}],"encrypted_content":"gAAA"},
{"type":"message","role":"assistant","content":[{"type":"output_text","text":"on it"}]},
{"type":"function_call","call_id":"toolu_1","name":"Read","arguments":"{\"p\":\"\\n\"}"},
{"type":"message","role":"assistant","content":[{"type":"output_text","text":"and"}]},
{"type":"function_call","call_id":"toolu_2","name":"Ls","arguments":"{}"},
{"type":"function_call_output","call_id":"toolu_1","output":"[tool error] no file"},
{"type":"function_call_output","call_id":"toolu_2","output":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,iVBO"}]},
{"type":"message","role":"user","content":[{"type":"input_file","filename":"document.pdf","file_data":"data:application/pdf;base64,JVBE"},{"type":"input_text","text":"go on"}]}],
"tools":[{"type":"function","name":"Read","parameters":{"type":"object"},"strict":false},{"type":"web_search","filters":{"allowed_domains":["a"]}}],
"tool_choice":{"type":"web_search"},"reasoning":{"effort":"xhigh","summary":"auto"},"include":["reasoning.encrypted_content"],
"user":"uuuuuuuuuuuuuuuu`+string(got[bytes.Index(got, []byte(`"user":"u`))+24:][:24])+`"}`, string(got))
	sameText(t, "losses", `system[0]: billing header left out
system[1].cache_control: prompts are cached without being told
messages[1].content[0]: thinking of another vendor
messages[2].content[0].is_error: told in the text
tools[1].max_uses: no such member of a web search in this dialect
tools[2]: a tool that only its vendor runs
metadata.user_id: too long, told as a hash
stop_sequences: no such member in this dialect
`, lossText(lost.List))
}

// TestResponsesCarriedThinking: what Anthropic has signed comes back from a client of this dialect as it was.
func TestResponsesCarriedThinking(t *testing.T) {
	t.Parallel()
	parts := []canonical.Part{
		{Kind: canonical.PartThinking, Text: tok("hm"), Signature: tok("SIG+/=")},
		{Kind: canonical.PartRedacted, Signature: tok("DATA")},
		{Text: tok("hi")},
		{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{
			ID: tok("toolu_1"), Name: tok("f"), Args: canonical.Args{Object: canonical.Raw(`{}`)},
		}},
	}
	resp := &canonical.Response{Source: "anthropic.messages", ID: tok("msg_01"), Model: tok("claude"), Created: 1, Choices: []canonical.Choice{
		{Parts: parts, Stop: canonical.Stop{Reason: canonical.StopToolUse}},
	}}
	body, err := Responses().Responses().EncodeResponse(resp, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		ID, Status string
		Output     []map[string]any
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	var ids []any
	for _, item := range answer.Output {
		ids = append(ids, item["id"])
	}
	want := []any{"rs_msg_01_0", "rs_msg_01_1", "msg_msg_01_2", "fc_toolu_1"}
	if diff := cmp.Diff(want, ids); diff != "" || answer.ID != "resp_msg_01" || answer.Status != "completed" {
		t.Errorf("answer %s %s, ids mismatch (-want +got):\n%s", answer.ID, answer.Status, diff)
	}
	output, _ := json.Marshal(answer.Output)
	req, err := Responses().Requests().DecodeRequest([]byte(`{"model":"claude","input":` + string(output) + `}`))
	if err != nil || len(req.Messages) != 1 {
		t.Fatalf("DecodeRequest = %v, %v", req, err)
	}
	for i, got := range req.Messages[0].Parts[:2] {
		if got.Kind != parts[i].Kind || string(got.Signature) != string(parts[i].Signature) || got.Encrypted != nil ||
			got.Text.String() != parts[i].Text.String() {
			t.Errorf("part %d came back as %+v", i, got)
		}
	}
	var lost canonical.Losses
	upstream, err := Responses().Requests().EncodeRequest(req, &lost)
	if err != nil || bytes.Contains(upstream, []byte("SIG")) || bytes.Contains(upstream, []byte("ccproxy1")) || len(lost.List) != 2 {
		t.Errorf("another vendor's thinking reached OpenAI: %s, %v, %v", upstream, lost, err)
	}
}

// encodeStream feeds neutral events to an encoder and gives what a client gets.
func encodeStream(t *testing.T, req *canonical.Request, events []canonical.Event) ([]string, [][]byte, adapters.StreamEncoder) {
	t.Helper()
	enc := Responses().EncodeStream(req)
	var names []string
	var data [][]byte
	for i := range events {
		err := enc.Encode(&events[i], func(ev adapters.Event) error {
			names = append(names, ev.Type)
			data = append(data, bytes.Clone(ev.Data))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names, data, enc
}

// TestResponsesStreamFromAnthropic: a turn of Claude, with a free-form tool that it knows as a function.
func TestResponsesStreamFromAnthropic(t *testing.T) {
	t.Parallel()
	req, err := Responses().Requests().DecodeRequest([]byte(
		`{"model":"claude","input":"hi","instructions":"be","tools":[{"type":"custom","name":"apply_patch"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	call := func(id, name string) *canonical.Part {
		return &canonical.Part{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{ID: tok(id), Name: tok(name)}}
	}
	thinking := &canonical.Part{Kind: canonical.PartThinking}
	events := []canonical.Event{
		{Kind: canonical.EventStart, Source: "anthropic.messages", ID: tok("msg_01"), Model: tok("claude"), Created: 9},
		{Kind: canonical.EventBlockStart, Part: thinking},
		{Kind: canonical.EventDelta, Part: thinking, Delta: tok("hm")},
		{Kind: canonical.EventDelta, Part: thinking, Signature: tok("SI")},
		{Kind: canonical.EventDelta, Part: thinking, Signature: tok("G")},
		{Kind: canonical.EventBlockStop},
		{Kind: canonical.EventBlockStart, Index: 1, Part: &canonical.Part{}},
		{Kind: canonical.EventDelta, Index: 1, Delta: tok("a")},
		{Kind: canonical.EventDelta, Index: 1, Citation: canonical.Raw(`{"type":"web_search_result_location","url":"u","title":"t"}`)},
		{Kind: canonical.EventBlockStop, Index: 1},
		{Kind: canonical.EventPing},
		{Kind: canonical.EventBlockStart, Index: 2, Part: &canonical.Part{}},
		{Kind: canonical.EventDelta, Index: 2, Delta: tok("b")},
		{Kind: canonical.EventBlockStop, Index: 2},
		{Kind: canonical.EventBlockStart, Index: 3, Part: call("toolu_1", "apply_patch")},
		{Kind: canonical.EventDelta, Index: 3, Delta: tok(`{"input":"***`)},
		{Kind: canonical.EventDelta, Index: 3, Delta: tok(`\n"}`)},
		{Kind: canonical.EventBlockStop, Index: 3},
		{Kind: canonical.EventBlockStart, Index: 4, Part: call("toolu_2", "ls")},
		{Kind: canonical.EventBlockStop, Index: 4},
		{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopToolUse}, Usage: &canonical.Usage{Input: 3, Output: 4, CacheRead: 1}},
		{Kind: canonical.EventPing},
	}
	names, data, enc := encodeStream(t, req, events)
	checkLifecycle(t, data)
	want := strings.Fields(`response.created response.in_progress
		response.output_item.added response.reasoning_summary_part.added response.reasoning_summary_text.delta
		response.reasoning_summary_text.done response.reasoning_summary_part.done
		response.output_item.done response.output_item.added response.content_part.added response.output_text.delta
		response.output_text.annotation.added response.output_text.done response.content_part.done
		response.content_part.added response.output_text.delta response.output_text.done response.content_part.done
		response.output_item.done response.output_item.added response.custom_tool_call_input.delta
		response.custom_tool_call_input.done
		response.output_item.done response.output_item.added response.function_call_arguments.delta
		response.function_call_arguments.done response.output_item.done response.completed`)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("events mismatch (-want +got):\n%s", diff)
	}
	sealed := string(envelope.Seal(canonical.CarriedThinking, tok("SIG")))
	var final struct{ Response map[string]json.RawMessage }
	if err := json.Unmarshal(data[len(data)-1], &final); err != nil {
		t.Fatal(err)
	}
	sameValue(t, `[{"id":"rs_msg_01_0","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":`+sealed+`},
{"id":"msg_msg_01_1","type":"message","status":"completed","role":"assistant","content":[
 {"type":"output_text","annotations":[{"type":"url_citation","start_index":0,"end_index":1,"url":"u","title":"t"}],"logprobs":[],"text":"a"},
 {"type":"output_text","annotations":[],"logprobs":[],"text":"b"}]},
{"id":"ctc_toolu_1","type":"custom_tool_call","status":"completed","input":"***\n","call_id":"toolu_1","name":"apply_patch"},
{"id":"fc_toolu_2","type":"function_call","status":"completed","arguments":"{}","call_id":"toolu_2","name":"ls"}]`, string(final.Response["output"]))
	for name, want := range map[string]string{
		"status": `"completed"`, "instructions": `"be"`, "created_at": "9", "id": `"resp_msg_01"`,
		"tools": `[{"type":"custom","name":"apply_patch"}]`,
		"usage": `{"input_tokens":3,"input_tokens_details":{"cached_tokens":1},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":7}`,
	} {
		if got := string(final.Response[name]); got != want {
			t.Errorf("final response has %s = %s, want %s", name, got, want)
		}
	}
	if len(enc.Losses()) > 0 {
		t.Errorf("lost %v", enc.Losses())
	}
}

// TestResponsesStreamEnds: how streams end that do not end well.
func TestResponsesStreamEnds(t *testing.T) {
	t.Parallel()
	start := canonical.Event{Kind: canonical.EventStart, ID: tok("msg_1")}
	text := canonical.Event{Kind: canonical.EventBlockStart, Part: &canonical.Part{}}
	delta := canonical.Event{Kind: canonical.EventDelta, Delta: tok("x")}
	for _, test := range []struct {
		name, terminal, want string
		last                 canonical.Event
	}{
		{
			"limit", "response.incomplete", `"incomplete_details":{"reason":"max_output_tokens"}`,
			canonical.Event{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopMaxTokens}},
		},
		{
			"cut item", "response.incomplete", `"type":"message","status":"incomplete"`,
			canonical.Event{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopMaxTokens}},
		},
		{
			"refusal", "response.incomplete", `"incomplete_details":{"reason":"content_filter"}`,
			canonical.Event{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopRefusal}},
		},
		{
			"unknown reason", "response.incomplete", `"incomplete_details":{"reason":"why"}`,
			canonical.Event{Kind: canonical.EventStop, Stop: canonical.Stop{Wire: "why"}},
		},
		{
			"overloaded", "response.failed", `"error":{"code":"server_is_overloaded","message":"busy"}`,
			canonical.Event{Kind: canonical.EventError, Error: &canonical.Error{Type: "overloaded_error", Message: tok("busy")}},
		},
		{
			"too long", "response.failed", `"error":{"code":"context_length_exceeded","message":"prompt is too long: 3 > 2"}`,
			canonical.Event{Kind: canonical.EventError, Error: &canonical.Error{
				Type: "invalid_request_error", Message: tok("prompt is too long: 3 > 2"),
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			names, data, enc := encodeStream(t, nil, []canonical.Event{start, text, delta, test.last, test.last, delta})
			checkLifecycle(t, data)
			final := string(data[len(data)-1])
			if names[len(names)-1] != test.terminal || !strings.Contains(final, test.want) {
				t.Errorf("last event %s, want %s with %s", final, test.terminal, test.want)
			}
			err := enc.Fail(adapters.ErrorInfo{}, func(ev adapters.Event) error {
				t.Errorf("event after the terminal one: %s", ev.Data)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestResponsesStreamFail: a stream that broke ends once, with the error's own code.
func TestResponsesStreamFail(t *testing.T) {
	t.Parallel()
	enc := Responses().EncodeStream(nil)
	var data [][]byte
	for range 2 {
		err := enc.Fail(adapters.ErrorInfo{Status: 502, Message: "gone", Code: "c"}, func(ev adapters.Event) error {
			data = append(data, bytes.Clone(ev.Data))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	checkLifecycle(t, data)
	if len(data) != 3 || !bytes.Contains(data[2], []byte(`"error":{"code":"c","message":"gone"}`)) {
		t.Errorf("Fail gives %q", data)
	}
	gone := errors.New("client gone")
	if err := Responses().EncodeStream(nil).Encode(&canonical.Event{}, func(adapters.Event) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("Encode to a client that is gone = %v", err)
	}
}

// TestResponsesInvalid: what cannot be understood is refused by name.
func TestResponsesInvalid(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"model":"m"}`:                                     "input: is required",
		`{"model":1,"input":""}`:                            "model: must be a string",
		`{"model":"m","input":1}`:                           "input: must be a string or a list",
		`{"model":"m","input":[1]}`:                         "input[0]: must be an object",
		`{"model":"m","input":[{}]}`:                        "input[0].type: is required",
		`{"model":"m","input":[{"role":"x","content":""}]}`: "input[0].role: must be",
		`{"model":"m","input":[{"role":"user"}]}`:           "input[0].content: is required",
		`{"model":"m","input":[{"role":"user","content":[{"type":"input_text"}]}]}`:                          "input[0].content[0].text: is required",
		`{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}`:                         "input[0].content[0].image_url: is required",
		`{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":{"url":"u"}}]}]}`: "input[0].content[0].image_url: must be a string",
		`{"model":"m","input":[{"type":"function_call","name":"f"}]}`:                                        "input[0].call_id: is required",
		`{"model":"m","input":[{"type":"function_call_output","call_id":"c"}]}`:                              "input[0].output: is required",
		`{"model":"m","input":"","tools":[{"type":"function"}]}`:                                             "tools[0].name: is required",
		`{"model":"m","input":"","tool_choice":"maybe"}`:                                                     "tool_choice: must be",
		`{"model":"m","input":"","text":1}`:                                                                  "text: must be an object",
		`{"model":"m","input":"",}`:                                                                          "invalid JSON",
		`{"Model":"m","input":""}`:                                                                           "differs only in case",
	} {
		_, err := Responses().Requests().DecodeRequest([]byte(body))
		if !errors.Is(err, adapters.ErrInvalidInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("DecodeRequest(%s) = %v, want %s", body, err, want)
		}
	}
}

// TestResponsesForeignCustomTool: a call and a result that another dialect wrapped are those of a free-form tool again.
func TestResponsesForeignCustomTool(t *testing.T) {
	t.Parallel()
	req := &canonical.Request{
		Source: "anthropic.messages", Model: "m",
		Tools: []canonical.Tool{{Name: tok("patch"), Custom: true}},
		Messages: []canonical.Message{
			{Role: canonical.RoleAssistant, Parts: []canonical.Part{{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{
				ID: tok("toolu_1"), Name: tok("patch"), Args: canonical.Args{Object: canonical.Raw(`{"input":"a\n"}`)},
			}}}},
			{Role: canonical.RoleTool, Parts: []canonical.Part{{Kind: canonical.PartToolResult, Result: &canonical.ToolResult{
				CallID: tok("toolu_1"), Parts: []canonical.Part{{Text: tok("x")}, {Text: tok("y")}},
			}}}},
		},
	}
	got, err := Responses().Requests().EncodeRequest(req, nil)
	if err != nil {
		t.Fatal(err)
	}
	sameValue(t, `{"model":"m","store":false,"tools":[{"type":"custom","name":"patch"}],"input":[
{"type":"custom_tool_call","call_id":"toolu_1","name":"patch","input":"a\n"},
{"type":"custom_tool_call_output","call_id":"toolu_1","output":"x\ny"}]}`, string(got))
}

// TestResponsesStreamMessages: parts with the same id are one message, others are messages of their own.
func TestResponsesStreamMessages(t *testing.T) {
	t.Parallel()
	var events []canonical.Event
	events = append(events, canonical.Event{Kind: canonical.EventStart, Source: ownDialect, ID: tok("resp_1")})
	for i, id := range []string{"msg_1", "msg_1", "msg_2"} {
		events = append(events,
			canonical.Event{Kind: canonical.EventBlockStart, Index: i, Part: &canonical.Part{ID: tok(id)}},
			canonical.Event{Kind: canonical.EventBlockStop, Index: i, Part: &canonical.Part{Text: tok("x")}})
	}
	events = append(events, canonical.Event{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopEnd}})
	_, data, _ := encodeStream(t, nil, events)
	checkLifecycle(t, data)
	var final struct {
		Response struct {
			Output []struct {
				ID      string
				Content []struct{ Text string }
			}
		}
	}
	if err := json.Unmarshal(data[len(data)-1], &final); err != nil {
		t.Fatal(err)
	}
	out := final.Response.Output
	if len(out) != 2 || out[0].ID != "msg_1" || len(out[0].Content) != 2 || out[1].ID != "msg_2" || len(out[1].Content) != 1 {
		t.Errorf("output is %+v", out)
	}
}

// TestResponsesAllowedTools has Chat's choice among some tools arrive in the shape that this dialect has for it.
func TestResponsesAllowedTools(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ tools, want, lost string }{
		"some": {
			`{"type":"function","function":{"name":"g"}},{"type":"custom","custom":{"name":"p"}},{"type":"function","function":{"name":"x"}}`,
			`{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"g"},{"type":"custom","name":"p"}]}`,
			"tool_choice.allowed_tools.tools[2]: the tool is not offered\n",
		},
		"none of those offered": {
			`{"type":"function","function":{"name":"x"}},7`, `"required"`,
			"tool_choice.allowed_tools.tools[0]: the tool is not offered\ntool_choice.allowed_tools.tools[1]: the tool is not offered\n" +
				"tool_choice: a choice that only its own dialect knows\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := Chat().Requests().DecodeRequest([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[
				{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}},{"type":"custom","custom":{"name":"p"}}],
				"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[` + tt.tools + `]}}}`))
			if err != nil {
				t.Fatal(err)
			}
			var lost canonical.Losses
			got, err := Responses().Requests().EncodeRequest(req, &lost)
			if err != nil {
				t.Fatal(err)
			}
			choice := find(got, "tool_choice")
			sameValue(t, tt.want, string(choice))
			sameText(t, "losses", tt.lost, lossText(lost.List))
		})
	}
}
