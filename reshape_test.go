package ccproxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// An upstream that streams whatever it was asked answers a client who wants a whole answer, and only with a whole one.
func TestCollectedAnswer(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{})
		events := providertest.TextEvents("claude-fake-1", "one two")
		r.upstream.Enqueue(providertest.Stream(events...), providertest.Stream(events[:4]...))
		rec := c.post(t, r, "")
		if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json" ||
			c.text(rec.Body.Bytes()) != "one two" {
			t.Errorf("answer %d %v %s", rec.Code, rec.Header(), rec.Body)
		}
		if end := r.completed(t); end.Usage == nil || end.Usage.OutputTokens == 0 {
			t.Errorf("usage for hooks = %+v", end.Usage)
		}
		rec = c.post(t, r, "")
		wantError(t, rec, openAIDialect, http.StatusBadGateway, "server_error", "broke off")
		r.failed(t)
	})
}

// An upstream that answers whole although a stream was asked for answers a client who reads a stream.
func TestReplayedAnswer(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{})
		body := `{"id":"msg_1","type":"message","role":"assistant","model":"claude-fake-1","content":[{"type":"text",` +
			`"text":"one two"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}`
		r.upstream.Enqueue(providertest.Raw(200, http.Header{"Content-Type": {"application/json"}}, body))
		rec := c.post(t, r, `,"stream":true`)
		got := c.read(t, rec.Body.String())
		if !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/event-stream") || got.text != "one two" ||
			got.done != 1 || got.failed != 0 || got.afterTerminal {
			t.Errorf("stream %+v\n%s", got, rec.Body)
		}
		r.completed(t)
	})
}
