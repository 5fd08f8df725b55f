package providertest_test

import (
	"bufio"
	"slices"
	"strings"
	"testing"

	pt "github.com/ccproxy-go/ccproxy/providers/providertest"
)

const helloEvents = `event: message_start
data: {"type":"message_start","message":{"id":"msg_000000000000000000000001","type":"message",` +
	`"role":"assistant","model":"m-1","content":[],"stop_reason":null,"stop_sequence":null,` +
	`"usage":{"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüß "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Gott"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},` +
	`"usage":{"output_tokens":2}}

event: message_stop
data: {"type":"message_stop"}

`

func TestMessageStreams(t *testing.T) {
	t.Parallel()
	up := newUpstream(t)
	up.Enqueue(pt.Message("Grüß Gott"))
	res, body, err := do(t, up, newRequest(t.Context(), t, "POST", "/v1/messages", helloStream))
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
		t.Errorf("content type = %q", got)
	}
	if body != helloEvents {
		t.Errorf("stream\n got %s\nwant %s", body, helloEvents)
	}
}

func TestToolUseStreamsInputInPieces(t *testing.T) {
	t.Parallel()
	up := newUpstream(t)
	up.Enqueue(pt.ToolUse("weather", `{"city":"Zürich"}`))
	_, body, err := do(t, up, newRequest(t.Context(), t, "POST", "/v1/messages", helloStream))
	if err != nil {
		t.Fatal(err)
	}
	var pieces []string
	for line := range strings.Lines(body) {
		if _, piece, ok := strings.Cut(line, `"partial_json":`); ok {
			pieces = append(pieces, strings.TrimSuffix(piece, "}}\n"))
		}
	}
	want := []string{`""`, `"{\"city\":"`, `"\"Zürich"`, `"\"}"`}
	if !slices.Equal(pieces, want) {
		t.Errorf("pieces = %q, want %q", pieces, want)
	}
	for _, want := range []string{
		`"content_block":{"type":"tool_use","id":"toolu_000000000000000000000001","name":"weather","input":{}}`,
		`"stop_reason":"tool_use"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("stream lacks %s:\n%s", want, body)
		}
	}
}

// Each event must reach the client while the next is still held back.
func TestStreamFlushesBeforeGate(t *testing.T) {
	t.Parallel()
	up := newUpstream(t)
	first, second := make(chan struct{}), make(chan struct{})
	up.Enqueue(pt.Stream(
		pt.Gate(first), pt.Event("a", "1\n2"), pt.Gate(second), pt.Event("", "3"), pt.Bytes(": end\r\r")))
	res, err := up.Client().Do(newRequest(t.Context(), t, "POST", "/v1/messages", helloStream))
	if err != nil {
		t.Fatal(err) // the header comes although the first event waits
	}
	defer res.Body.Close()
	body := bufio.NewReader(res.Body)
	expect := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		for i := range got {
			if got[i], err = body.ReadByte(); err != nil {
				t.Fatalf("after %q: %v", got[:i], err)
			}
		}
		if string(got) != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	first <- struct{}{}
	expect("event: a\ndata: 1\ndata: 2\n\n")
	close(second)
	expect("data: 3\n\n: end\r\r")
	if b, err := body.ReadByte(); err == nil {
		t.Errorf("stream goes on with %q", b)
	}
}
