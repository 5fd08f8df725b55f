package commandreplay

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
)

// A form that a provider's plugin posts.
func TestFormBody(t *testing.T) {
	t.Parallel()
	p := &plugin{scrubber: scrub.New()}
	files := p.script("x", &hooks.HTTPRequest{
		ID: "r", Method: "POST", URL: "https://h.test/oauth/token", Upstream: true,
		Header: hooks.SnapshotHeader(http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}),
		Body:   "grant_type=refresh_token&refresh_token=refresh-canary-112233&client_secret=secret-canary-445566",
	})
	for _, f := range files {
		if strings.Contains(string(f.Data), "canary") {
			t.Errorf("%s: %s", f.Name, f.Data)
		}
	}
}

// A query that is parted by a semicolon, whose key SafeURL has redacted.
func TestSemicolon(t *testing.T) {
	t.Parallel()
	text, ok := (&plugin{scrubber: scrub.New()}).command(&hooks.HTTPRequest{Method: "GET", URL: "https://h.test/x?" + hooks.SafeQuery("a=1;key=canary")}, "b", false)
	if !ok || !strings.Contains(text, "$REPLAY_KEY") {
		t.Errorf("no variable, and the script sends the placeholder:\n%s", text)
	}
}
