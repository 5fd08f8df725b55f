package ccproxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// A server that fails after it has begun to stream may write its error without the fields of an event. The client is
// told what it says, once, whichever dialect it speaks.
func TestBareErrorInStream(t *testing.T) {
	t.Parallel()
	const (
		chunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"m",` +
			`"choices":[{"index":0,"delta":{"content":"one"},"finish_reason":null}]}` + "\n\n"
		failure = `{"error":{"message":"out of memory","type":"server_error","param":null,"code":null}}`
	)
	asks := map[string]string{
		"/v1/chat/completions": `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}`,
		"/v1/messages":         `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"stream":true}`,
		"/v1/responses":        `{"model":"m","input":"x","stream":true}`,
	}
	for path, ask := range asks {
		for i, end := range []string{"", "\n", "\n\n"} {
			t.Run(fmt.Sprint(path, i), func(t *testing.T) {
				t.Parallel()
				s := stubborn{stream: true, body: chunk + failure + end}
				w := visit(s.proxy(t, adapters.OpenAIChatCompletions), http.MethodPost, "/stubborn"+path, ask)
				got := w.Body.String()
				if w.Code != http.StatusOK || strings.Count(got, "out of memory") != 1 || strings.Contains(got, "broke off") ||
					!strings.Contains(got, "one") || strings.Contains(got, "[DONE]") {
					t.Errorf("answer %d\n%s", w.Code, got)
				}
				if last := got[strings.LastIndex(got, "data: "):]; !strings.Contains(last, "out of memory") {
					t.Errorf("something follows the error:\n%s", got)
				}
			})
		}
	}
	for name, body := range map[string]string{"chunk": chunk[len("data: "):], "half": failure[:20], "null": `{"error":null}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stubborn{stream: true, body: chunk + body}
			w := visit(s.proxy(t, adapters.OpenAIChatCompletions), http.MethodPost, "/stubborn/v1/messages", asks["/v1/messages"])
			if got := w.Body.String(); strings.Count(got, "event: error") != 1 || !strings.Contains(got, "broke off") {
				t.Errorf("no broken stream: %s", got)
			}
		})
	}
}
