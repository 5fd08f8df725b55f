package main

import (
	"bytes"
	"fmt"
)

// streamEvents is the number of events of a streamed answer.
const streamEvents = 200

// answerBody is the answer to a request that asks for no stream, about 1 KB.
func answerBody() []byte {
	return fmt.Appendf(nil, `{"id":"msg_01BenchAnswer","type":"message","role":"assistant","model":%q,`+
		`"content":[{"type":"text","text":%s}],"stop_reason":"end_turn","stop_sequence":null,`+
		`"usage":{"input_tokens":210,"cache_creation_input_tokens":0,"cache_read_input_tokens":18000,`+
		`"output_tokens":180,"service_tier":"standard"}}`, model, encode(newProse(4).text(720)))
}

// answerEvents are the events of a streamed answer, those with text about 176 bytes each.
func answerEvents() [][]byte {
	p := newProse(5)
	event := func(typ, rest string) []byte {
		return fmt.Appendf(nil, "event: %s\ndata: {\"type\":%q%s}\n\n", typ, typ, rest)
	}
	events := [][]byte{
		event("message_start", fmt.Sprintf(`,"message":{"id":"msg_01BenchStream","type":"message","role":"assistant",`+
			`"model":%q,"content":[],"stop_reason":null,"stop_sequence":null,`+
			`"usage":{"input_tokens":210,"output_tokens":1}}`, model)),
		event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`),
		event("ping", ""),
	}
	for len(events) < streamEvents-3 {
		delta := fmt.Sprintf(`,"index":0,"delta":{"type":"text_delta","text":%s}`, encode(p.text(60)))
		events = append(events, event("content_block_delta", delta))
	}
	return append(events,
		event("content_block_stop", `,"index":0`),
		event("message_delta",
			`,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1800}`),
		event("message_stop", ""),
	)
}

// wanted is the whole answer of an upstream that speaks a dialect.
func wanted(letter string, stream bool) []byte {
	if stream {
		return bytes.Join(streamedAs(letter, answerEvents()), nil)
	}
	return answered(letter, answerBody())
}
