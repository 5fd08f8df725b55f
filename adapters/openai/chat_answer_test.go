package openai

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

func TestChatFinishReasons(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		stop canonical.Stop
		call bool
		want string
	}{
		{"the end", canonical.Stop{Reason: canonical.StopEnd, Wire: "end_turn"}, false, "stop"},
		{"a stop sequence", canonical.Stop{Reason: canonical.StopSequence, Wire: "stop_sequence"}, false, "stop"},
		{"the limit", canonical.Stop{Reason: canonical.StopMaxTokens, Wire: "max_tokens"}, false, "length"},
		{"calls", canonical.Stop{Reason: canonical.StopToolUse, Wire: "tool_use"}, true, "tool_calls"},
		{"a pause", canonical.Stop{Reason: canonical.StopPause, Wire: "pause_turn"}, false, "stop"},
		{"a refusal", canonical.Stop{Reason: canonical.StopRefusal, Wire: "refusal"}, false, "content_filter"},
		{"the context", canonical.Stop{Reason: canonical.StopContext, Wire: "model_context_window_exceeded"}, false, "length"},
		{"unknown", canonical.Stop{Wire: "new"}, false, "stop"},
		{"unknown, with calls", canonical.Stop{Wire: "new"}, true, "tool_calls"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			choice := canonical.Choice{Stop: tt.stop}
			if tt.call {
				choice.Parts = []canonical.Part{callPart("a", "f", `{}`)}
			}
			got, err := Chat().Responses().EncodeResponse(
				&canonical.Response{Source: fromAnthropic, Choices: []canonical.Choice{choice}}, nil, nil)
			if err != nil || !strings.Contains(string(got), `"finish_reason":"`+tt.want+`"`) {
				t.Errorf("EncodeResponse = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestChatAnswerOfAnotherDialect(t *testing.T) {
	t.Parallel()
	req := &canonical.Request{Source: chatSource, Tools: []canonical.Tool{{Name: tok("patch"), Custom: true}}}
	resp := &canonical.Response{
		Source: fromAnthropic, ID: tok("msg_1"), Model: tok("claude"), Created: 5,
		Choices: []canonical.Choice{{
			Stop: canonical.Stop{Reason: canonical.StopToolUse, Wire: "tool_use"},
			Parts: []canonical.Part{
				{Kind: canonical.PartThinking, Text: tok("hm"), Signature: tok("sig")},
				{Kind: canonical.PartRedacted, Signature: tok("red")},
				textPart("a"),
				{Text: tok("b"), Path: "content[3]", Citations: canonical.Raw(
					`[{"type":"url_citation","start_index":0,"end_index":1,"url":"u","title":"t"},{"type":"char_location"}]`)},
				callPart("toolu_1", "f", `{"a":1}`),
				callPart("toolu_2", "patch", `{"input":"x\ny"}`),
				{Kind: canonical.PartOpaque, Type: "server_tool_use", Path: "content[6]"},
			},
		}},
		Usage: &canonical.Usage{
			Input: 30, Output: 7, CacheRead: 10, CacheWrite: 5, HasInput: true, HasOutput: true,
			Extra: []canonical.Field{{Name: "server_tool_use", Raw: canonical.Raw("{}")}},
		},
	}
	var lost canonical.Losses
	got, err := Chat().Responses().EncodeResponse(resp, req, &lost)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, `{"id":"chatcmpl-msg_1","object":"chat.completion","created":5,"model":"claude","choices":[{"index":0,
		"message":{"role":"assistant","reasoning_content":"hm","reasoning_details":[
			{"type":"reasoning.text","text":"hm","signature":"ccproxy1.EmFudGhyb3BpYy50aGlua2luZwpzaWcTJLr4","format":"anthropic-claude-v1","index":0},
			{"type":"reasoning.encrypted","data":"ccproxy1.EmFudGhyb3BpYy5yZWRhY3RlZApyZWTRPw5X","format":"anthropic-claude-v1","index":1}],
		"content":"ab","refusal":null,
		"annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"url":"u","title":"t"}}],
		"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
			{"id":"toolu_2","type":"custom","custom":{"name":"patch","input":"x\ny"}}]},
		"logprobs":null,"finish_reason":"tool_calls"}],
		"usage":{"prompt_tokens":30,"completion_tokens":7,"total_tokens":37,
			"prompt_tokens_details":{"cached_tokens":10,"cache_write_tokens":5},"completion_tokens_details":{"reasoning_tokens":0}}}`,
		string(got))
	want := []string{"content[3].citations", "content[6]", "usage.server_tool_use"}
	var paths []string
	for _, l := range lost.List {
		paths = append(paths, l.Path)
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("losses mismatch (-want +got):\n%s", diff)
	}

	// The client sends the message back: the thinking is the same, bit by bit.
	message := find(find(got, "choices")[1:], "message")
	back, err := Chat().Requests().DecodeRequest([]byte(`{"model":"m","messages":[` + string(message) + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	p := back.Messages[0].Parts
	if string(p[0].Text) != `"hm"` || string(p[0].Signature) != `"sig"` || string(p[1].Signature) != `"red"` {
		t.Errorf("thinking came back as %q %q %q", p[0].Text, p[0].Signature, p[1].Signature)
	}
}

func TestChatOldClientsGetFunctionCalls(t *testing.T) {
	t.Parallel()
	req, err := Chat().Requests().DecodeRequest([]byte(`{"model":"m","messages":[],"functions":[{"name":"f"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp := &canonical.Response{Source: fromAnthropic, ID: tok("i"), Model: tok("m"), Created: 1, Choices: []canonical.Choice{{
		Stop:  canonical.Stop{Reason: canonical.StopToolUse},
		Parts: []canonical.Part{callPart("a", "f", `{}`), callPart("b", "f", `{}`)},
	}}}
	var lost canonical.Losses
	got, err := Chat().Responses().EncodeResponse(resp, req, &lost)
	if err != nil || len(lost.List) != 1 {
		t.Fatalf("EncodeResponse = %v, lost %v", err, lost.List)
	}
	sameJSON(t, `{"id":"chatcmpl-i","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":
		{"role":"assistant","content":null,"refusal":null,"function_call":{"name":"f","arguments":"{}"}},
		"logprobs":null,"finish_reason":"function_call"}]}`, string(got))
}

func TestChatFailedAnswerIsAnError(t *testing.T) {
	t.Parallel()
	resp := &canonical.Response{Choices: []canonical.Choice{{Stop: canonical.Stop{
		Reason: canonical.StopFailed, Error: &canonical.Error{Type: "api_error", Message: tok("boom")},
	}}}}
	_, err := Chat().Responses().EncodeResponse(resp, nil, nil)
	told, ok := errors.AsType[*adapters.StreamError](err)
	if !ok || told.Failure.Message.String() != "boom" {
		t.Errorf("EncodeResponse = %v, want the failure", err)
	}
}

func TestChatResponseRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `[]`, `{}`, `{"choices":[]}`, `{"choices":[{}]}`, `{"error":{"message":"x"}}`} {
		if _, err := Chat().Responses().DecodeResponse([]byte(body)); !errors.Is(err, adapters.ErrInvalidInput) {
			t.Errorf("DecodeResponse(%s) = %v, want ErrInvalidInput", body, err)
		}
	}
}

// tell runs events through an encoder and gives the data of what comes out.
func tell(t *testing.T, enc adapters.StreamEncoder, events ...canonical.Event) (out []string) {
	t.Helper()
	for i := range events {
		err := enc.Encode(&events[i], func(ev adapters.Event) error {
			if ev.Type != "" {
				t.Errorf("event has a name: %q", ev.Type)
			}
			out = append(out, string(ev.Data))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestChatStreamTellsUsageOnlyIfAsked(t *testing.T) {
	t.Parallel()
	events := []canonical.Event{
		{Kind: canonical.EventStart, ID: tok("i"), Model: tok("m"), Created: 3, Usage: &canonical.Usage{Input: 9, HasInput: true, CacheRead: 4}},
		{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopEnd}, Usage: &canonical.Usage{Output: 2, HasOutput: true}},
	}
	const head = `{"id":"chatcmpl-i","object":"chat.completion.chunk","created":3,"model":"m","choices":[`
	want := []string{
		head + `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}`,
		head + `{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`,
		head + `],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":0}}}`,
		"[DONE]",
	}
	got := tell(t, Chat().EncodeStream(&canonical.Request{IncludeUsage: true}), events...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with usage: mismatch (-want +got):\n%s", diff)
	}
	got = tell(t, Chat().EncodeStream(&canonical.Request{}), events...)
	if strings.Contains(strings.Join(got, ""), "usage") || len(got) != 3 {
		t.Errorf("usage was not asked for: %s", got)
	}
}

func TestChatStreamUnwrapsFreeFormTools(t *testing.T) {
	t.Parallel()
	req := &canonical.Request{Source: chatSource, Tools: []canonical.Tool{{Name: tok("patch"), Custom: true}}}
	call := &canonical.Part{Kind: canonical.PartToolCall, Call: &canonical.ToolCall{ID: tok("a"), Name: tok("patch")}}
	got := tell(t, Chat().EncodeStream(req),
		canonical.Event{Kind: canonical.EventStart, ID: tok("i"), Model: tok("m"), Created: 3},
		canonical.Event{Kind: canonical.EventBlockStart, Index: 4, Part: call},
		canonical.Event{Kind: canonical.EventDelta, Index: 4, Part: call, Delta: tok(`{"input":"a`)},
		canonical.Event{Kind: canonical.EventDelta, Index: 4, Part: call, Delta: tok(`\nb"}`)},
		canonical.Event{Kind: canonical.EventBlockStop, Index: 4, Part: call},
		canonical.Event{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopToolUse}},
	)
	want := `"delta":{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"patch","input":"a\nb"}}]}`
	if len(got) != 4 || !strings.Contains(got[1], want) {
		t.Errorf("chunks are %s, want the second with %s", got, want)
	}
}

func TestChatStreamFailsOnce(t *testing.T) {
	t.Parallel()
	enc := Chat().EncodeStream(nil)
	out := tell(t, enc, canonical.Event{Kind: canonical.EventStart, ID: tok("i")})
	yield := func(ev adapters.Event) error {
		out = append(out, string(ev.Data))
		return nil
	}
	for range 2 {
		if err := enc.Fail(adapters.ErrorInfo{Status: 502, Message: "broke"}, yield); err != nil {
			t.Fatal(err)
		}
	}
	out = append(out, tell(t, enc, canonical.Event{Kind: canonical.EventStop})...)
	if len(out) != 2 || !strings.Contains(out[1], `"message":"broke"`) {
		t.Errorf("chunks are %s, want the role and one error, and no last word", out)
	}
}

func TestChatStreamPassesTheConsumersError(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	dec := Chat().DecodeStream()
	ev := adapters.Event{Data: []byte(`{"choices":[{"delta":{"content":"a"}}]}`)}
	if err := dec.Decode(ev, func(canonical.Event) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("Decode = %v, want the consumer's error", err)
	}
}

func TestChatStreamReportsWhatHasNoPlaceOnce(t *testing.T) {
	t.Parallel()
	dec, enc := Chat().DecodeStream(), Chat().EncodeStream(nil)
	var blocks int
	yield := func(ev canonical.Event) error {
		if ev.Kind == canonical.EventBlockStart {
			blocks++
		}
		return enc.Encode(&ev, func(adapters.Event) error { return nil })
	}
	for range 3 {
		ev := adapters.Event{Data: []byte(`{"choices":[{"delta":{"content":"a","token_ids":[1]}}]}`)}
		if err := dec.Decode(ev, yield); err != nil {
			t.Fatal(err)
		}
	}
	want := []canonical.Loss{{Path: "choices[0].delta.token_ids", Reason: "not in the streams of this dialect"}}
	if diff := cmp.Diff(want, enc.Losses()); diff != "" || blocks != 1 {
		t.Errorf("%d blocks, losses mismatch (-want +got):\n%s", blocks, diff)
	}
}
