package anthropic

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// collected is the whole answer that a stream of the API becomes.
func collected(t *testing.T, events ...string) *canonical.Response {
	t.Helper()
	resp, err := adapters.Collect(Codec().DecodeStream(), func(yield func(adapters.Event, error) bool) {
		for _, data := range events {
			memory := []byte(data)
			if !yield(adapters.Event{Data: memory}, nil) {
				return
			}
			clear(memory) // what belongs to the producer is used again
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// A stream that is collected says what the same answer says that was never streamed: inputs of servers' tools and the
// text of a compaction, which come in fragments, and the members that only the end has.
func TestCollected(t *testing.T) {
	t.Parallel()
	resp := collected(
		t,
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],`+
			`"stop_reason":null,"stop_sequence":null,"container":null,"future":1,`+
			`"usage":{"input_tokens":5,"output_tokens":1,"service_tier":"standard"}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"n","input":{}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"\u00e4\"}"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"compaction","content":null}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"compaction_delta","content":"all ","encrypted_content":"E="}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"compaction_delta","content":"of it"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"future","label":"a"}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"future_delta","label":"b"}}`,
		`{"type":"content_block_stop","index":2}`,
		`{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,"container":{"id":"c"},`+
			`"stop_details":{"type":"refusal"}},"usage":{"output_tokens":9},"context_management":{"applied_edits":[]},`+
			`"input_transformations":[1]}`,
		`{"type":"message_stop"}`,
	)
	const want = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[` +
		`{"type":"server_tool_use","id":"s","name":"n","input":{"q":"ä"}},` +
		`{"type":"compaction","content":"all of it","encrypted_content":"E="},{"type":"future","label":"ab"}],` +
		`"stop_reason":"refusal","stop_sequence":null,"container":{"id":"c"},"stop_details":{"type":"refusal"},"future":1,` +
		`"context_management":{"applied_edits":[]},"input_transformations":[1],` +
		`"usage":{"input_tokens":5,"output_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,` +
		`"service_tier":"standard"}}`
	body, err := Codec().Responses().EncodeResponse(resp, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got, wanted any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// An input that was cut off is no input, and the tool is still there.
func TestCollectedHalfInput(t *testing.T) {
	t.Parallel()
	resp := collected(
		t,
		`{"type":"message_start","message":{"id":"msg_1"}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"n","input":{}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":"}}`,
		`{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}`,
		`{"type":"message_stop"}`,
	)
	want := `{"type":"server_tool_use","id":"s","name":"n","input":{}}`
	if got := string(resp.Choices[0].Parts[0].Raw); got != want {
		t.Errorf("block = %s, want %s", got, want)
	}
}
