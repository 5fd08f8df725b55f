package codex_test

import (
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/limit"
)

// Each turn over a WebSocket counts as the client's own request, with a key and without.
func TestSocketLimits(t *testing.T) {
	t.Parallel()
	up := upstream(textStream("ok"))
	s := settings(chatGPT(nil))
	s.Security = ccproxy.Security{Limits: limit.Policy{RequestsPerMinute: 2}}
	conn := dial(t, start(t, up, s), "/codex/v1/responses", nil)
	for i, want := range []string{"response.completed", "response.completed", "error"} {
		events := turn(t, conn, turnFrame("", "", question))
		if got := member(t, last(events), "type"); got != want || want == "error" && !strings.Contains(last(events), "429") {
			t.Errorf("turn %d: %s, want %s", i+1, last(events), want)
		}
	}
	if n := len(up.Requests()); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}
