package ccproxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

// parrot is an upstream that answers with the last text that it was sent, whole or as a stream.
type parrot struct{}

func (parrot) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	_, text, _ := bytes.Cut(body, []byte("<<"))
	text, _, _ = bytes.Cut(text, []byte(">>"))
	head := `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":%s,` +
		`"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}`
	answer := fmt.Sprintf(head, `{"type":"text","text":"`+string(text)+`"}`, `"end_turn"`)
	kind := "application/json"
	if bytes.Contains(body, []byte(`"stream":true`)) {
		kind = "text/event-stream"
		var b strings.Builder
		event := func(data string) { fmt.Fprintf(&b, "data: %s\n\n", data) }
		event(`{"type":"message_start","message":` + fmt.Sprintf(head, "", "null") + `}`)
		event(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
		for i := 0; i < len(text); i += 100 {
			event(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` +
				string(text[i:min(i+100, len(text))]) + `"}}`)
		}
		event(`{"type":"content_block_stop","index":0}`)
		event(`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}`)
		event(`{"type":"message_stop"}`)
		answer = b.String()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, Request: r,
		Body: io.NopCloser(strings.NewReader(answer)), ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(answer)),
	}, nil
}

// Conversions write into memory that other requests have used and will use: each client gets its own words back, and
// what repeats its own request.
func TestConvertedRequestsKeepApart(t *testing.T) {
	t.Parallel()
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret(rigKey)
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{claudeapi.Factory()},
		ccproxy.WithTransport(parrot{}), ccproxy.WithPluginConfig(claudeapi.Name, *cfg))
	ask := func(path, body, want string, echoes string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		got := strings.NewReplacer("\ndata: ", "", "data: ", "").Replace(w.Body.String())
		if n := strings.Count(got, want); w.Code != http.StatusOK || n == 0 || !strings.Contains(got, echoes) {
			t.Errorf("%d of %d bytes, %d times %.40q, echo %.20q", w.Code, w.Body.Len(), n, want, echoes)
		}
	}
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for i := range 60 {
				word := fmt.Sprintf("client %d turn %d ", c, i)
				text := strings.Repeat(word, 1+(i*37+c*11)%700)
				stream := i%3 == 0
				ask("/claude/v1/chat/completions", fmt.Sprintf(
					`{"model":"m","stream":%t,"messages":[{"role":"user","content":"<<%s>>"}]}`, stream, text), word, `"model":"m"`)
				ask("/claude/v1/responses", fmt.Sprintf(
					`{"model":"m","stream":%t,"instructions":"be %s","input":"<<%s>>"}`, stream, word, text),
					text, `"instructions":"be `+word+`"`)
			}
		})
	}
	clients.Wait()
}
