package anthropic

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

func blockStart(i int, p canonical.Part) canonical.Event {
	return canonical.Event{Kind: canonical.EventBlockStart, Index: i, Part: &p}
}

func fragment(i int, kind canonical.PartKind, s string) canonical.Event {
	return canonical.Event{Kind: canonical.EventDelta, Index: i, Part: &canonical.Part{Kind: kind}, Delta: tok(s)}
}

func blockStop(i int, p canonical.Part) canonical.Event {
	return canonical.Event{Kind: canonical.EventBlockStop, Index: i, Part: &p}
}

// short writes events as the tests below expect them: the type, then what is not said by it.
func short(t *testing.T, data []byte) string {
	t.Helper()
	v := value(t, string(data))
	m, _ := v.(map[string]any)
	typ, _ := m["type"].(string)
	text := strings.Replace(string(data), `"type":"`+typ+`",`, "", 1)
	text = strings.Replace(text, `"type":"`+typ+`"`, "", 1)
	return strings.TrimPrefix(typ, "content_block_") + " " + text
}

func TestForeignStream(t *testing.T) {
	t.Parallel()
	const (
		started = `message_start {"message":{"id":"msg_c1","type":"message","role":"assistant","model":"asked","content":[],` +
			`"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,` +
			`"cache_read_input_tokens":0,"output_tokens":0}}}`
		stopped = "message_stop {}"
	)
	ended := func(reason string) string {
		return `message_delta {"delta":{"stop_reason":"` + reason + `","stop_sequence":null},"usage":{"input_tokens":4,` +
			`"cache_creation_input_tokens":0,"cache_read_input_tokens":6,"output_tokens":3}}`
	}
	const (
		kindText  = canonical.PartText
		kindCall  = canonical.PartToolCall
		kindThink = canonical.PartThinking
	)
	start := canonical.Event{Kind: canonical.EventStart, ID: tok("c1"), Source: "openai.responses"}
	usage := canonical.Event{Kind: canonical.EventUsage, Usage: &canonical.Usage{
		Input: 10, CacheRead: 6, Output: 3, HasInput: true, HasOutput: true,
	}}
	stop := canonical.Event{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopEnd}}
	sealed := string(envelope.Seal(canonical.CarriedReasoning, tok("rs"), tok("E")))
	bare := func(id, name string) canonical.Part {
		return canonical.Part{Kind: kindCall, Call: &canonical.ToolCall{ID: tok(id), Name: tok(name)}}
	}
	for _, test := range []struct {
		name   string
		in     []canonical.Event
		want   []string
		losses []string
	}{
		{"text before two calls, interleaved", []canonical.Event{
			start, blockStart(0, canonical.Part{Kind: kindText}), fragment(0, kindText, "a"),
			blockStart(1, bare("x", "f")), blockStart(2, bare("y", "g")),
			fragment(2, kindCall, `{"b":`), fragment(1, kindCall, `{"a":1}`), fragment(2, kindCall, `2}`),
			blockStop(0, canonical.Part{}), fragment(1, kindCall, " "), usage, stop,
		}, []string{
			started, `start {"index":0,"content_block":{"type":"text","text":""}}`,
			`delta {"index":0,"delta":{"type":"text_delta","text":"a"}}`, `stop {"index":0}`,
			`start {"index":1,"content_block":{"type":"tool_use","id":"x","name":"f","input":{}}}`,
			`delta {"index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`,
			`delta {"index":1,"delta":{"type":"input_json_delta","partial_json":" "}}`, `stop {"index":1}`,
			`start {"index":2,"content_block":{"type":"tool_use","id":"y","name":"g","input":{}}}`,
			`delta {"index":2,"delta":{"type":"input_json_delta","partial_json":"{\"b\":2}"}}`, `stop {"index":2}`,
			ended("tool_use"), stopped,
		}, nil},
		{"reasoning that only its vendor reads, some that all do, and none", []canonical.Event{
			start, blockStart(0, canonical.Part{Kind: kindThink, ID: tok("rs")}),
			blockStop(0, canonical.Part{Kind: kindThink, Encrypted: tok("E")}),
			blockStart(1, canonical.Part{Kind: kindThink, ID: tok("rs")}), fragment(1, kindThink, "why"),
			blockStop(1, canonical.Part{Kind: kindThink, Encrypted: tok("E")}),
			blockStart(2, canonical.Part{Kind: kindThink}), blockStop(2, canonical.Part{Kind: kindThink}),
			blockStart(3, canonical.Part{Kind: kindText}), usage, stop,
		}, []string{
			started, `start {"index":0,"content_block":{"type":"redacted_thinking","data":` + sealed + `}}`, `stop {"index":0}`,
			`start {"index":1,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
			`delta {"index":1,"delta":{"type":"thinking_delta","thinking":"why"}}`,
			`delta {"index":1,"delta":{"type":"signature_delta","signature":` + sealed + `}}`, `stop {"index":1}`,
			`start {"index":2,"content_block":{"type":"text","text":""}}`, `stop {"index":2}`, ended("end_turn"), stopped,
		}, nil},
		{"arguments at the end alone, free-form text, and an unknown block", []canonical.Event{
			start, blockStart(0, canonical.Part{Kind: canonical.PartOpaque, Type: "web_search_call"}),
			fragment(0, canonical.PartOpaque, "x"), blockStop(0, canonical.Part{}),
			blockStart(1, bare("x", "f")), blockStop(1, canonical.Part{Call: &canonical.ToolCall{Args: canonical.Args{String: tok(`{"a":1}`)}}}),
			blockStart(2, canonical.Part{Kind: kindCall, Call: &canonical.ToolCall{ID: tok("y"), Name: tok("p"), Custom: true}}),
			fragment(2, kindCall, "*** \"B"), fragment(2, kindCall, "\"\n"), blockStop(2, canonical.Part{}), usage, stop,
		}, []string{
			started, `start {"index":0,"content_block":{"type":"tool_use","id":"x","name":"f","input":{}}}`,
			`delta {"index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`, `stop {"index":0}`,
			`start {"index":1,"content_block":{"type":"tool_use","id":"y","name":"p","input":{}}}`,
			`delta {"index":1,"delta":{"type":"input_json_delta","partial_json":"{\"input\":\"*** \\\"B\\\"\\n\"}"}}`,
			`stop {"index":1}`, ended("tool_use"), stopped,
		}, []string{"content[0]: dropped: web_search_call has no equivalent"}},
		{"refusal, annotations, a second answer", []canonical.Event{
			start, blockStart(0, canonical.Part{Kind: canonical.PartRefusal}), fragment(0, canonical.PartRefusal, "no"),
			{Kind: canonical.EventDelta, Index: 0, Part: &canonical.Part{Kind: kindText}, Citation: canonical.Raw("{}")},
			{Kind: canonical.EventDelta, Index: 0, Part: &canonical.Part{Kind: kindText}, Citation: canonical.Raw("{}")},
			{Kind: canonical.EventDelta, Index: 0, Choice: 1, Part: &canonical.Part{Kind: kindText}, Delta: tok("b")},
			{Kind: canonical.EventPing},
			usage, stop, stop, fragment(0, kindText, "late"),
		}, []string{
			started, `start {"index":0,"content_block":{"type":"text","text":""}}`,
			`delta {"index":0,"delta":{"type":"text_delta","text":"no"}}`, `ping {}`, `stop {"index":0}`, ended("refusal"), stopped,
		}, []string{"content[0].annotations: no equivalent", "choices[1]: dropped: answers have one choice"}},
		{"failed", []canonical.Event{
			start, {Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopFailed, Error: &canonical.Error{
				Type: "rate_limit_error", Message: tok("slow"),
			}}}, stop,
		}, []string{started, `error {"error":{"type":"rate_limit_error","message":"slow"}}`}, nil},
		{"error before anything", []canonical.Event{
			{Kind: canonical.EventError, Error: &canonical.Error{Type: "overloaded_error", Message: tok("x")}}, stop,
		}, []string{`error {"error":{"type":"overloaded_error","message":"x"}}`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enc := Codec().EncodeStream(&canonical.Request{Model: "asked"})
			var got []string
			for _, ev := range test.in {
				err := enc.Encode(&ev, func(out adapters.Event) error {
					got = append(got, short(t, out.Data))
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.losses, lossStrings(enc.Losses())); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever collects a stream gets the tools of servers with the input that came in fragments.
func TestServerToolIsWholeAtItsEnd(t *testing.T) {
	t.Parallel()
	dec := Codec().DecodeStream()
	var got string
	for _, data := range []string{
		`{"type":"message_start","message":{}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"n","input":{}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"1}"}}`,
		`{"type":"content_block_stop","index":0}`,
	} {
		err := dec.Decode(adapters.Event{Data: []byte(data)}, func(ev canonical.Event) error {
			if ev.Kind == canonical.EventBlockStop {
				got = string(ev.Part.Raw)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := `{"type":"server_tool_use","id":"s","name":"n","input":{"q":1}}`; got != want {
		t.Errorf("the block is %s, want %s", got, want)
	}
}

func TestFailEndsOnce(t *testing.T) {
	t.Parallel()
	enc := Codec().EncodeStream(nil)
	var got []string
	yield := func(ev adapters.Event) error {
		got = append(got, ev.Type)
		return nil
	}
	for range 2 {
		if err := enc.Fail(adapters.ErrorInfo{Status: 529, Message: "x"}, yield); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Encode(&canonical.Event{Kind: canonical.EventStop}, yield); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"error"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
