package permissions_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/system/permissions"
)

// Plain promises that nothing without width stays.
func TestPlainWidth(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]rune{
		"variation selector 1": '\ufe00', "variation selector 16": '\ufe0f', "variation selector 256": '\U000E01EF',
		"grapheme joiner": '\u034f', "Mongolian selector": '\u180b', "Hangul filler": '\u1160', "Hangul choseong filler": '\u115f',
		"Khmer inherent vowel": '\u17b4', "Hangul filler 2": '\u3164', "Halfwidth filler": '\uffa0', "Braille blank": '\u2800',
		"zero width joiner": '\u200d',
	} {
		if s := "rm" + string(r) + " -rf"; permissions.Plain(s) == s {
			t.Errorf("%s (%U) stays as it is", name, r)
		}
	}
}

// A question that waits for some seconds when the proxy drains.
func TestWaitSecondsAtDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	type told struct {
		status int
		out    map[string]any
	}
	got := make(chan told, 1)
	go func() {
		s, out := r.send(t, http.MethodPost, "/mcp/permission/check", askerKey,
			`{"tool_name":"Bash","input":{},"wait_seconds":60}`)
		got <- told{s, out}
	}()
	r.first(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := r.proxy.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if x := <-got; x.out["behavior"] == "pending" {
		id, _ := x.out["permission_id"].(string)
		s, out := r.send(t, http.MethodPost, "/permissions/"+id+"/respond", approverKey, `{"allowed":true}`)
		t.Logf("an answer afterwards: %d %v", s, out)
		t.Errorf("%d %v: nobody can answer any more", x.status, x.out)
	}
}

func TestTwoAnswersInOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, body := range []string{`{"allowed":false,"allowed":true}`, `{"allowed":false,"Allowed":true}`, `{"ALLOWED":true}`} {
		id := r.put(t, `{"tool_name":"Bash","input":{},"wait_seconds":0}`)
		status, out := r.send(t, http.MethodPost, "/permissions/"+id+"/respond", approverKey, body)
		if status == http.StatusOK {
			t.Errorf("%s: %v", body, out)
		}
	}
}

// hastyHost is a host's writer whose deadline has passed unless it is moved on.
type hastyHost struct {
	*httptest.ResponseRecorder

	deadline time.Time
}

func (h *hastyHost) SetWriteDeadline(at time.Time) error {
	h.deadline = at
	return nil
}

func (h *hastyHost) Write(b []byte) (int, error) {
	if !time.Now().Before(h.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	return h.ResponseRecorder.Write(b)
}

// TestAnswerAfterTheWriteTimeout holds that an answer reaches who has asked although the host's time for it is over.
func TestAnswerAfterTheWriteTimeout(t *testing.T) {
	t.Parallel()
	const question = `{"tool_name":"Bash","input":{}}`
	for path, body := range map[string]string{
		"/mcp/permission/check": question,
		"/mcp": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"check_permission",` +
			`"_meta":{"progressToken":"p"},"arguments":` + question + `}}`,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			w := &hastyHost{ResponseRecorder: httptest.NewRecorder()}
			done := make(chan struct{})
			go func() {
				defer close(done)
				req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
				req.Header.Set("Authorization", "Bearer "+askerKey)
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Accept", "application/json, text/event-stream")
				r.proxy.ServeHTTP(w, req)
			}()
			id, _ := r.first(t)["request_id"].(string)
			status, out := r.send(t, http.MethodPost, "/permissions/"+id+"/respond", approverKey, `{"allowed":true}`)
			if status != http.StatusOK {
				t.Fatal(status, out)
			}
			<-done
			if !strings.Contains(w.Body.String(), "allow") {
				t.Errorf("the answer was lost: %d %q", w.Code, w.Body)
			}
		})
	}
}
