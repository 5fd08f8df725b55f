package openai

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// agentBody is a request as a coding agent sends it: mostly tools and a long prompt.
func agentBody() []byte {
	var b bytes.Buffer
	b.WriteString(`{"model":"m","stream":true,"messages":[{"role":"system","content":"`)
	b.Write(bytes.Repeat([]byte(`You are careful.\n`), 1000))
	b.WriteString(`"}`)
	for i := range 20 {
		n := strconv.Itoa(i)
		b.WriteString(`,{"role":"assistant","content":"step","tool_calls":[{"id":"c` + n +
			`","type":"function","function":{"name":"read","arguments":"{\"path\":\"/a/b\"}"}}]}`)
		b.WriteString(`,{"role":"tool","tool_call_id":"c` + n + `","content":"` + string(bytes.Repeat([]byte(`line\n`), 200)) + `"}`)
	}
	b.WriteString(`],"tools":[`)
	for i := range 24 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"type":"function","function":{"name":"t` + strconv.Itoa(i) + `","description":"` +
			string(bytes.Repeat([]byte("does things "), 60)) + `","parameters":{"type":"object","properties":{` +
			`"a":{"type":"string"},"b":{"type":"array","items":{"type":"string"}}},"required":["a"]}}}`)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkChatRequest(b *testing.B) {
	body := agentBody()
	codec := Chat().Requests()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		req, err := codec.DecodeRequest(body)
		if err != nil {
			b.Fatal(err)
		}
		req.Source = fromResponses
		if _, err := codec.EncodeRequest(req, &canonical.Losses{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChatStreamEvent(b *testing.B) {
	chunk := adapters.Event{Data: []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",` +
		`"choices":[{"index":0,"delta":{"content":"a few words more"},"logprobs":null,"finish_reason":null}],"usage":null}`)}
	dec, enc := Chat().DecodeStream(), Chat().EncodeStream(nil)
	out := func(adapters.Event) error { return nil }
	yield := func(ev canonical.Event) error { return enc.Encode(&ev, out) }
	b.ReportAllocs()
	for b.Loop() {
		if err := dec.Decode(chunk, yield); err != nil {
			b.Fatal(err)
		}
	}
}

func TestChatStreamAllocatesLittle(t *testing.T) { //nolint:paralleltest // allocations are counted for the process
	chunks := []string{
		`{"id":"c","choices":[{"index":0,"delta":{"content":"a few words more"},"finish_reason":null}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"a"}}]}}]}`,
	}
	for _, chunk := range chunks {
		ev := adapters.Event{Data: []byte(chunk)}
		dec, enc := Chat().DecodeStream(), Chat().EncodeStream(nil)
		out := func(adapters.Event) error { return nil }
		yield := func(ev canonical.Event) error { return enc.Encode(&ev, out) }
		n := testing.AllocsPerRun(100, func() {
			if err := dec.Decode(ev, yield); err != nil {
				t.Fatal(err)
			}
		})
		if n > 4 {
			t.Errorf("%.0f allocations for %s, want at most 4", n, chunk)
		}
	}
}
