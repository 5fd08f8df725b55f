package codex_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// A whole answer is put together of a stream. Once some of the answer has come, its failure is not the reason to ask
// ChatGPT again, whatever status it stands for.
func TestWholeIsAskedOnce(t *testing.T) {
	t.Parallel()
	const failed = `{"type":"response.failed","response":{"id":"resp_1","object":"response","status":"failed",` +
		`"error":{"code":"rate_limit_exceeded","message":"the reason"},"output":[]}}`
	text := textEvents("resp_1", "half")
	created, _, _ := strings.Cut(text, "event: response.output_item.added")
	middle, _, _ := strings.Cut(text, "event: response.output_text.done")
	for name, tt := range map[string]struct {
		stream string
		calls  int
	}{
		"at once":       {created + asStream(failed), 2},
		"in the middle": {middle + asStream(failed), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := upstream(providertest.Stream(providertest.Bytes(tt.stream)))
			s := settings(chatGPT(nil))
			s.Retries.Max, s.Retries.BaseDelay = 1, 1
			proxy := start(t, up, s)
			w := post(t, proxy, "/codex/v1/responses", `{"model":"m","input":"x"}`)
			if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "the reason") {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if n := len(up.Requests()); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
}
