package requesttracer

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
)

func feed(lines ...string) []byte {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("data: " + l + "\n\n")
	}
	return []byte(b.String())
}

const chunk = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt","choices":`

// A Chat stream whose text speaks of Anthropic's events.
func TestDialectByWords(t *testing.T) {
	t.Parallel()
	p := &plugin{scrubber: scrub.New()}
	s := p.summarize(feed(
		chunk+`[{"index":0,"delta":{"role":"assistant","content":"First comes message_start, "},"finish_reason":null}]}`,
		chunk+`[{"index":0,"delta":{"content":"then more."},"finish_reason":null}]}`,
		chunk+`[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`[DONE]`,
	), nil)
	if s == nil || s.Text != "First comes message_start, then more." || !s.Complete || s.unfinished() != "" {
		t.Errorf("format %v text %q complete %v error %q", s.Format, s.Text, s.Complete, s.unfinished())
	}
}

// A Responses stream whose instructions speak of Anthropic's events.
func TestDialectByWordsResponses(t *testing.T) {
	t.Parallel()
	p := &plugin{scrubber: scrub.New()}
	s := p.summarize([]byte("event: response.created\n"+`data: {"type":"response.created","sequence_number":0,"response":{"id":"r1","object":"response","created_at":1,"status":"in_progress",`+
		`"model":"gpt","instructions":"you explain message_start","output":[]}}`+"\n\n"+
		"event: response.completed\n"+`data: {"type":"response.completed","sequence_number":1,"response":{"id":"r1","object":"response","created_at":1,"status":"completed","model":"gpt",`+
		`"output":[],"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}`+"\n\n"), nil)
	if s == nil || s.Format != "openai.responses" || !s.Complete {
		t.Errorf("%+v", s)
	}
}

// Two choices.
func TestChoices(t *testing.T) {
	t.Parallel()
	p := &plugin{scrubber: scrub.New()}
	s := p.summarize(feed(
		chunk+`[{"index":0,"delta":{"role":"assistant","content":"yes, "},"finish_reason":null}]}`,
		chunk+`[{"index":1,"delta":{"role":"assistant","content":"no, "},"finish_reason":null}]}`,
		chunk+`[{"index":0,"delta":{"content":"delete it"},"finish_reason":null}]}`,
		chunk+`[{"index":1,"delta":{"content":"keep it"},"finish_reason":null}]}`,
		chunk+`[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		chunk+`[{"index":1,"delta":{},"finish_reason":"stop"}]}`,
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}`,
		`[DONE]`,
	), nil)
	if !strings.Contains(s.Text, "yes, delete it") || !strings.Contains(s.Text, "no, keep it") {
		t.Errorf("text %q", s.Text)
	}
	if s.Usage == nil || s.Usage.Output != 6 {
		t.Errorf("usage %+v", s.Usage)
	}
}

// An Anthropic stream with cache figures, whose message_delta repeats some.
func TestUsage(t *testing.T) {
	t.Parallel()
	p := &plugin{scrubber: scrub.New()}
	for _, last := range []string{
		`{"output_tokens":9}`, `{"input_tokens":3,"output_tokens":9}`,
		`{"input_tokens":3,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,"output_tokens":9}`,
		`{"input_tokens":null,"cache_read_input_tokens":null,"output_tokens":9}`,
	} {
		s := p.summarize(feed(
			`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,`+
				`"usage":{"input_tokens":3,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,"output_tokens":1}}}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"}}`,
			`{"type":"content_block_stop","index":0}`,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":`+last+`}`,
			`{"type":"message_stop"}`,
		), nil)
		if s.Usage == nil || s.Usage.Input != 3 || s.Usage.CacheRead != 100 || s.Usage.CacheWrite != 50 || s.Usage.Output != 9 {
			t.Errorf("last %s: usage %+v", last, s.Usage)
		}
	}
}

// A body cut in the midst of a secret.
func TestCutSecret(t *testing.T) {
	t.Parallel()
	const secret = "client-canary-0987654321-abcdefghijklmnop"
	text := "error: wrong key " + secret
	tr := &trace{exchange: &exchange{p: &plugin{scrubber: scrub.New()}}, secrets: []string{secret}}
	var d document
	kept := []byte(text[:len(text)-1])
	got := tr.text(hooks.SnapshotHeader(http.Header{}), &body{kept: kept, size: int64(len(text))}, &d)
	if strings.Contains(string(got), secret[:len(secret)-1]) {
		t.Errorf("all of a secret but its last letter: %s", got)
	}
}

func TestTwoEncodings(t *testing.T) {
	t.Parallel()
	tr := &trace{exchange: &exchange{p: &plugin{scrubber: scrub.New()}}}
	for _, h := range []http.Header{{"Content-Encoding": {"identity", "gzip"}}, {"Content-Encoding": {"", "gzip"}}, {"Content-Encoding": {"identity, gzip"}}} {
		var d document
		if text := tr.text(hooks.SnapshotHeader(h), &body{kept: []byte("zipped"), size: 6}, &d); text != nil {
			t.Errorf("%v: %q", h, text)
		}
	}
}

func TestFormOfAnotherCase(t *testing.T) {
	t.Parallel()
	tr := &trace{exchange: &exchange{p: &plugin{scrubber: scrub.New()}}}
	var d document
	text := "client_id=x&client_secret=secret-canary-445566"
	got := tr.text(hooks.SnapshotHeader(http.Header{"Content-Type": {"Application/X-WWW-Form-Urlencoded"}}),
		&body{kept: []byte(text), size: int64(len(text))}, &d)
	if strings.Contains(string(got), "canary") {
		t.Errorf("%s", got)
	}
}
