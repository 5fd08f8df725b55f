package anthropic

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

func TestForeignResponse(t *testing.T) {
	t.Parallel()
	usage := `"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}`
	sealed := string(envelope.Seal(canonical.CarriedReasoning, tok("rs_1"), tok("Enc")))
	for _, test := range []struct {
		name   string
		resp   canonical.Response
		want   string
		losses []string
	}{
		{
			"text",
			canonical.Response{
				ID: tok("chatcmpl-1"), Model: tok("gpt"), ServiceTier: tok("default"),
				Choices: []canonical.Choice{{Parts: []canonical.Part{text(""), text("a")}, Stop: canonical.Stop{Reason: canonical.StopMaxTokens}}, {}},
				Usage: &canonical.Usage{
					Input: 100, CacheRead: 60, CacheWrite: 10, Output: 5, Reasoning: 2, HasInput: true,
					Extra: []canonical.Field{{Name: "audio_tokens", Raw: canonical.Raw("1")}},
				},
				Extra: []canonical.Field{{Name: "system_fingerprint", Raw: canonical.Raw(`"f"`)}},
			},
			`"id":"msg_chatcmpl-1","model":"gpt","content":[{"type":"text","text":"a"}],"stop_reason":"max_tokens",
			"usage":{"input_tokens":30,"cache_creation_input_tokens":10,"cache_read_input_tokens":60,"output_tokens":5,
			"output_tokens_details":{"thinking_tokens":2},"service_tier":"standard"}`,
			[]string{
				"choices[1]: dropped: answers have one choice", "usage.audio_tokens: no equivalent",
				"system_fingerprint: no equivalent",
			},
		},
		{"call of an upstream that says stop", canonical.Response{ID: tok("r"), Choices: []canonical.Choice{{
			Parts: []canonical.Part{call("a", "f", "")}, Stop: canonical.Stop{Reason: canonical.StopEnd},
		}}}, `"id":"msg_r","model":"asked","content":[{"type":"tool_use","id":"a","name":"f","input":{}}],"stop_reason":"tool_use",` + usage, nil},
		{
			"refusal",
			canonical.Response{ID: tok("r"), Choices: []canonical.Choice{{
				Parts: []canonical.Part{{Kind: canonical.PartRefusal, Text: tok("no"), Path: "p"}}, Stop: canonical.Stop{Reason: canonical.StopEnd},
			}}},
			`"id":"msg_r","model":"asked","content":[{"type":"text","text":"no"}],"stop_reason":"refusal",` + usage,
			[]string{"p: a refusal, sent as text"},
		},
		{"reasoning", canonical.Response{ID: tok("r"), Choices: []canonical.Choice{{Parts: []canonical.Part{
			{Kind: canonical.PartThinking, Summary: []canonical.Token{tok("a"), tok("b")}, ID: tok("rs_1"), Encrypted: tok("Enc")},
			{Kind: canonical.PartThinking, ID: tok("rs_1"), Encrypted: tok("Enc")},
			{Kind: canonical.PartThinking, Text: tok("open")},
		}}}}, `"id":"msg_r","model":"asked","content":[{"type":"thinking","thinking":"a\n\nb","signature":` + sealed + `},
			{"type":"redacted_thinking","data":` + sealed + `},{"type":"thinking","thinking":"open","signature":""}],
			"stop_reason":"end_turn",` + usage, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var lost canonical.Losses
			got, err := Codec().Responses().EncodeResponse(&test.resp, &canonical.Request{Model: "asked"}, &lost)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, `{"type":"message","role":"assistant","stop_sequence":null,`+test.want+`}`, string(got))
			if diff := cmp.Diff(test.losses, lossStrings(lost.List)); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailedResponseIsAnError(t *testing.T) {
	t.Parallel()
	resp := &canonical.Response{Choices: []canonical.Choice{{Stop: canonical.Stop{
		Reason: canonical.StopFailed, Error: &canonical.Error{Message: tok("out of order")},
	}}}}
	_, err := Codec().Responses().EncodeResponse(resp, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("EncodeResponse() = %v, want the failure's message", err)
	}
}

// What another vendor wants back comes back through a client of this dialect.
func TestEnvelopesComeBack(t *testing.T) {
	t.Parallel()
	resp := &canonical.Response{ID: tok("r"), Choices: []canonical.Choice{{Parts: []canonical.Part{
		{Kind: canonical.PartThinking, Text: tok("why"), ID: tok("rs_1"), Encrypted: tok("Enc+/=")},
		{Kind: canonical.PartThinking, Encrypted: tok("Enc2")},
		call("functions.f:0", "f", "{}"),
	}}}}
	body, err := Codec().Responses().EncodeResponse(resp, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := Codec().Responses().DecodeResponse(body)
	if err != nil {
		t.Fatal(err)
	}
	var id string
	for _, raw := range answer.Choices[0].Parts {
		if raw.Call != nil {
			id = raw.Call.ID.String()
		}
	}
	next := strings.Replace(string(body), `"content":`, `"messages":[{"role":"assistant","content":`, 1)
	next = strings.Replace(next, `,"stop_reason"`, `}],"stop_reason"`, 1)
	req, err := Codec().Requests().DecodeRequest([]byte(next))
	if err != nil {
		t.Fatal(err)
	}
	want := []canonical.Part{
		{Kind: canonical.PartThinking, Text: tok("why"), ID: tok("rs_1"), Encrypted: tok("Enc+/="), Path: "messages[0].content[0]"},
		{Kind: canonical.PartThinking, Encrypted: tok("Enc2"), Path: "messages[0].content[1]"},
		{Kind: canonical.PartToolCall, Path: "messages[0].content[2]", Call: &canonical.ToolCall{
			ID: tok("functions.f:0"), Name: tok("f"), Args: canonical.Args{Object: canonical.Raw("{}")},
		}},
	}
	if diff := cmp.Diff(want, req.Messages[0].Parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if id != "functions.f:0" {
		t.Errorf("the id came back as %q", id)
	}
	var lost canonical.Losses
	if _, err = Codec().Requests().EncodeRequest(req, &lost); err != nil {
		t.Fatal(err)
	}
	if len(lost.List) != 3 { // the third is the id, which the vendor would refuse
		t.Errorf("another vendor's thinking reached Anthropic: losses %v", lost.List)
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	c := Codec().Responses()
	got := c.EncodeError(&canonical.Error{Status: 400, Code: tok("context_length_exceeded"), Message: tok("128k at most")})
	sameJSON(t, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 128k at most"}}`, string(got))
	e, err := c.DecodeError([]byte(`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 1 > 0"}}`))
	if err != nil || e.Code.String() != "context_length_exceeded" || e.Status != 400 {
		t.Errorf("DecodeError() = %+v, %v, want OpenAI's code and status 400", e, err)
	}
}

func TestErrorTypeFollowsStatus(t *testing.T) {
	t.Parallel()
	got := Codec().Responses().EncodeError(&canonical.Error{Status: 429, Message: tok("slow"), RequestID: tok("req_1")})
	sameJSON(t, `{"type":"error","error":{"type":"rate_limit_error","message":"slow"},"request_id":"req_1"}`, string(got))
}
