package codex_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestRequests: what ChatGPT is sent of a client's request. A case has the sections config (JSON), path, headers,
// client, and what is expected: upstream (byte for byte), sent (headers; "-" for one that is not there), lost, status
// and answer (a part of the answer's text).
func TestRequests(t *testing.T) {
	t.Parallel()
	golden(t, "request", func(t *testing.T, c map[string]string) {
		t.Helper()
		table := map[string]any{}
		if err := json.Unmarshal([]byte(cmp.Or(c["config"], "{}")), &table); err != nil {
			t.Fatal(err)
		}
		up := upstream(textStream("ok"))
		s := settings(chatGPT(table))
		s.StrictConversion = strings.Contains(c[""], "strict")
		proxy := start(t, up, s)
		w := ask(t, proxy, http.MethodPost, cmp.Or(c["path"], "/codex/v1/responses"), c["headers"], c["client"])
		if want := cmp.Or(c["status"], "200"); strconv.Itoa(w.Code) != want || !strings.Contains(w.Body.String(), c["answer"]) {
			t.Errorf("answer is %d %s, want %s with %q", w.Code, w.Body, want, c["answer"])
		}
		got, ok := up.Last()
		if ok != (c["upstream"] != "") {
			t.Fatalf("upstream was asked: %v", ok)
		}
		if !ok {
			return
		}
		if diff := gocmp.Diff(c["upstream"], string(got.Body)); diff != "" {
			t.Errorf("request mismatch (-want +got):\n%s", diff)
		}
		if got.Path != "/backend-api/codex/responses" || got.Host != "chatgpt.com" || got.RawQuery != "" {
			t.Errorf("asked %s%s?%s", got.Host, got.Path, got.RawQuery)
		}
		if lost := w.Header().Get("X-Ccproxy-Loss"); lost != c["lost"] {
			t.Errorf("lost %q, want %q", lost, c["lost"])
		}
		checkHeaders(t, c["sent"], got.Header)
	})
}

// checkHeaders compares headers with lines such as "Name: pattern".
func checkHeaders(t *testing.T, want string, got http.Header) {
	t.Helper()
	for line := range strings.Lines(want) {
		name, pattern, _ := strings.Cut(strings.TrimSpace(line), ": ")
		value := got.Get(name)
		if pattern == "-" {
			pattern = ""
		}
		if !regexp.MustCompile("^(" + pattern + ")$").MatchString(value) {
			t.Errorf("header %s is %q, want %s", name, value, pattern)
		}
	}
}
