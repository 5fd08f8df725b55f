package openai

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// responsesAgentBody is about 80 KB: tools with schemas, and a tool loop with the lines of a program.
func responsesAgentBody() []byte {
	var b strings.Builder
	b.WriteString(`{"model":"gpt-5","stream":true,"instructions":"` + strings.Repeat("be \\\"good\\\" ", 300) + `","tools":[`)
	for i := range 30 {
		fmt.Fprintf(&b, `{"type":"function","name":"tool_%d","description":"%s","strict":false,"parameters":{"type":"object",`+
			`"properties":{"path":{"type":"string","description":"%s"}},"required":["path"]}},`,
			i, strings.Repeat("what it does. ", 40), strings.Repeat("where ", 20))
	}
	b.WriteString(`{"type":"web_search"}],"input":[{"role":"user","content":"go"}`)
	for i := range 10 {
		fmt.Fprintf(&b, `,{"type":"reasoning","id":"rs_%d","summary":[],"encrypted_content":"%s"}`, i, strings.Repeat("gAAA", 200))
		fmt.Fprintf(&b, `,{"type":"function_call","call_id":"call_%d","name":"tool_1","arguments":"{\"path\":\"a\"}"}`, i)
		fmt.Fprintf(&b, `,{"type":"function_call_output","call_id":"call_%d","output":"%s"}`, i,
			strings.Repeat(`\t12 if err != nil {\n`, 180))
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func BenchmarkResponsesRequest(b *testing.B) {
	body := responsesAgentBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		req, err := Responses().Requests().DecodeRequest(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Responses().Requests().EncodeRequest(req, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// deltas decodes and encodes n fragments of a text.
func deltas(tb testing.TB, n int) func() {
	tb.Helper()
	dec, enc := Responses().DecodeStream(), Responses().EncodeStream(nil)
	size := 0
	out := func(ev adapters.Event) error {
		size += len(ev.Data)
		return nil
	}
	in := func(ev canonical.Event) error { return enc.Encode(&ev, out) }
	delta := adapters.Event{Type: "response.output_text.delta", Data: []byte(
		`{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":" word","logprobs":[],"obfuscation":"abcdef"}`)}
	one := func() {
		if err := dec.Decode(delta, in); err != nil {
			tb.Fatal(err)
		}
	}
	for range n {
		one()
	}
	return one
}

func BenchmarkResponsesStreamEvent(b *testing.B) {
	one := deltas(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
}

// TestResponsesStreamAllocations: an event of a long stream costs a known number of allocations at most.
func TestResponsesStreamAllocations(t *testing.T) { //nolint:paralleltest // counts allocations of the process
	if n := testing.AllocsPerRun(1000, deltas(t, 1)); n > 4 {
		t.Errorf("%v allocations per event, want 4 at most", n)
	}
}
