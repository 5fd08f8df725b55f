package codex_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// TestAnswers: what clients get of ChatGPT's stream. A case has the sections path, client, stream (lines of data), and
// what is expected: status, and answer as a JSON value or, for clients that stream, events as text.
func TestAnswers(t *testing.T) {
	t.Parallel()
	golden(t, "answer", func(t *testing.T, c map[string]string) {
		t.Helper()
		proxy := start(t, upstream(providertest.Stream(providertest.Bytes(asStream(c["stream"])))), settings(chatGPT(nil)))
		path := cmp.Or(c["path"], "/codex/v1/responses")
		w := ask(t, proxy, http.MethodPost, path, "", cmp.Or(c["client"], `{"model":"gpt-5.3-codex","input":"hi"}`))
		if want := cmp.Or(c["status"], "200"); strconv.Itoa(w.Code) != want {
			t.Errorf("status is %d, want %s", w.Code, want)
		}
		if c["events"] != "" {
			if diff := gocmp.Diff(asStream(c["events"]), w.Body.String()); diff != "" {
				t.Errorf("stream mismatch (-want +got):\n%s", diff)
			}
			return
		}
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("content type is %q", got)
		}
		var want, got any
		if err := json.Unmarshal([]byte(c["answer"]), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got, gocmp.FilterPath(isTime, gocmp.Ignore())); diff != "" {
			t.Errorf("answer mismatch (-want +got):\n%s\n%s", diff, w.Body)
		}
	})
}

// isTime tells members that hold the time of the test.
func isTime(p gocmp.Path) bool { return strings.HasSuffix(p.String(), "created") }
