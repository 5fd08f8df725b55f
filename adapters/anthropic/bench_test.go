package anthropic

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// agentBody is about 80 KB: 30 tools with schemas, and 20 turns of reading files.
func agentBody() []byte {
	words := strings.Repeat("some words of a description, ", 20)
	code := strings.Repeat("\\t\\tif err != nil {\\n\\t\\t\\treturn \\\"x\\\"\\n", 50)
	var tools, messages []string
	for i := range 30 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool_%d","description":%q,"input_schema":{"type":"object",
			"properties":{"path":{"type":"string","description":%q},"limit":{"type":"integer"}},"required":["path"]}}`, i, words, words[:90]))
	}
	for i := range 20 {
		messages = append(messages, fmt.Sprintf(`{"role":"assistant","content":[{"type":"text","text":%q},
			{"type":"tool_use","id":"toolu_%d","name":"tool_1","input":{"path":"/src/main.go","limit":20}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%d","content":"%s","is_error":false}]}`, words[:300], i, i, code))
	}
	return fmt.Appendf(nil, `{"model":"claude-sonnet-4-5","max_tokens":32000,"stream":true,"tools":[%s],"messages":[%s]}`,
		strings.Join(tools, ","), strings.Join(messages, ","))
}

func BenchmarkRequest(b *testing.B) {
	body := agentBody()
	c := Codec().Requests()
	for _, source := range []string{dialect, "openai.chat_completions"} {
		b.Run(source, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				req, err := c.DecodeRequest(body)
				if err != nil {
					b.Fatal(err)
				}
				req.Source = source
				if _, err = c.EncodeRequest(req, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func streamFixture() (start []adapters.Event, delta adapters.Event) {
	start = []adapters.Event{
		{Type: "message_start", Data: []byte(`{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":1}}}`)},
		{Type: "content_block_start", Data: []byte(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)},
	}
	delta = adapters.Event{
		Type: "content_block_delta",
		Data: []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some words of an answer\n"}}`),
	}
	return start, delta
}

func BenchmarkStreamEvent(b *testing.B) {
	start, delta := streamFixture()
	dec, enc := Codec().DecodeStream(), Codec().EncodeStream(nil)
	forward := forwarder(enc)
	for _, ev := range start {
		if err := dec.Decode(ev, forward); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := dec.Decode(delta, forward); err != nil {
			b.Fatal(err)
		}
	}
}

func forwarder(enc adapters.StreamEncoder) func(canonical.Event) error {
	discard := func(adapters.Event) error { return nil }
	return func(ev canonical.Event) error { return enc.Encode(&ev, discard) }
}

// A stream has thousands of events: in and out together they may take 4 allocations each.
func TestStreamAllocations(t *testing.T) { //nolint:paralleltest // others would allocate meanwhile
	start, delta := streamFixture()
	dec := Codec().DecodeStream()
	forward := forwarder(Codec().EncodeStream(nil))
	for _, ev := range start {
		if err := dec.Decode(ev, forward); err != nil {
			t.Fatal(err)
		}
	}
	got := testing.AllocsPerRun(100, func() {
		if err := dec.Decode(delta, forward); err != nil {
			t.Error(err)
		}
	})
	if got > 4 {
		t.Errorf("%v allocations per event, want at most 4", got)
	}
}
