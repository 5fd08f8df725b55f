package permissions_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatuses(t *testing.T) {
	t.Parallel()
	const question = `{"tool_name":"Bash","input":{"command":"ls"},"wait_seconds":0}`
	r := newRig(t, nil)
	answered := r.put(t, question)
	if status, out := r.send(t, http.MethodPost, "/permissions/"+answered+"/respond", approverKey,
		`{"allowed":true,"updated_input":{"command":"ls -a"}}`); status != http.StatusOK {
		t.Fatalf("the first answer: %d %v", status, out)
	}
	pending := r.put(t, question)
	tests := []struct {
		name, method, path, key, body string
		want                          int
		code                          string
	}{
		{name: "second answer", path: answered + "/respond", body: `{"allowed":false}`, want: 409, code: "already_answered"},
		{name: "unknown", path: "nobody/respond", body: `{"allowed":true}`, want: 404, code: "unknown_permission"},
		{name: "look at unknown", method: "GET", path: "nobody", want: 404, code: "unknown_permission"},
		{name: "no decision", path: pending + "/respond", body: `{}`, want: 400, code: "invalid"},
		{name: "misspelled", path: pending + "/respond", body: `{"allowed":true,"updatedInput":{}}`, want: 400, code: "invalid"},
		{name: "input of a refusal", path: pending + "/respond", body: `{"allowed":false,"updated_input":{}}`, want: 400, code: "invalid"},
		{name: "two objects", path: pending + "/respond", body: `{"allowed":true}{}`, want: 400, code: "invalid"},
		{name: "no content type", path: pending + "/respond", want: 415, code: "invalid"},
		{name: "no key", path: pending + "/respond", key: "-", body: `{"allowed":true}`, want: 401},
		{name: "who asks does not answer", path: pending + "/respond", key: askerKey, body: `{"allowed":true}`, want: 403, code: "not_an_approver"},
		{name: "nor look", method: "GET", path: pending, key: askerKey, want: 403, code: "not_an_approver"},
		{name: "nor watch", method: "GET", path: "stream", key: askerKey, want: 403, code: "not_an_approver"},
		{name: "wrong status", method: "GET", path: "?status=old", want: 400, code: "invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, method := approverKey, http.MethodPost
			if tt.key != "" {
				key = strings.TrimPrefix(tt.key, "-")
			}
			if tt.method != "" {
				method = tt.method
			}
			path := "/permissions/" + tt.path
			status, out := r.send(t, method, strings.Replace(path, "/?", "?", 1), key, tt.body)
			fault, _ := out["error"].(map[string]any)
			if status != tt.want || tt.code != "" && fault["code"] != tt.code {
				t.Errorf("%d %v, want %d %s", status, out, tt.want, tt.code)
			}
		})
	}
	retry := fmt.Sprintf(`{"tool_name":"Bash","input":{"command":"ls"},"permission_id":%q}`, answered)
	status, out := r.send(t, http.MethodPost, "/mcp/permission/check", askerKey, retry)
	delete(out, "permission_id")
	want := map[string]any{"behavior": "allow", "updatedInput": map[string]any{"command": "ls -a"}}
	if diff := cmp.Diff(want, out); diff != "" || status != http.StatusOK {
		t.Errorf("asking again by id: %d (-want +got):\n%s", status, diff)
	}
}

func TestExpiredIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]any{"timeout": "1s"})
	status, out := r.send(t, http.MethodPost, "/mcp/permission/check", askerKey, `{"tool_name":"Bash","input":{}}`)
	if status != http.StatusOK || out["behavior"] != "deny" {
		t.Errorf("nobody answers: %d %v", status, out)
	}
	path := fmt.Sprintf("/permissions/%v", out["permission_id"])
	if status, out := r.send(t, http.MethodPost, path+"/respond", approverKey, `{"allowed":true}`); status != http.StatusGone {
		t.Errorf("answer after the end: %d %v", status, out)
	}
	if _, out := r.send(t, http.MethodGet, path, approverKey, ""); out["status"] != "expired" {
		t.Errorf("look after the end: %v", out)
	}
}

// events connects to the stream and returns a function that returns the next event, as "type id".
func (r *rig) events(t *testing.T) func() string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/permissions/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+approverKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() string {
		kind := ""
		for lines.Scan() {
			if s, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				kind = s
			}
			if s, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var data struct {
					ID string `json:"request_id"`
				}
				if err := json.Unmarshal([]byte(s), &data); err != nil {
					t.Errorf("data %q: %v", s, err)
				}
				return strings.TrimSpace(kind + " " + data.ID)
			}
		}
		return "end"
	}
}

func TestFanOut(t *testing.T) {
	t.Parallel()
	const watching = 5
	r := newRig(t, nil)
	first := r.put(t, `{"tool_name":"Bash","input":{},"wait_seconds":0}`)
	var next [watching]func() string
	for i := range next {
		next[i] = r.events(t)
	}
	expect := func(want ...string) {
		t.Helper()
		for i := range next {
			for _, w := range want {
				if got := next[i](); got != w {
					t.Errorf("watcher %d is told %q, want %q", i, got, w)
				}
			}
		}
	}
	expect("permission_request "+first, "ping")
	second := r.put(t, `{"tool_name":"Write","input":{},"wait_seconds":0}`)
	expect("permission_request " + second)
	var won sync.Map
	var all sync.WaitGroup
	for i := range watching {
		all.Go(func() {
			status, _ := r.send(t, http.MethodPost, "/permissions/"+second+"/respond", approverKey, `{"allowed":true}`)
			if status == http.StatusOK {
				won.Store(i, true)
			} else if status != http.StatusConflict {
				t.Errorf("a later answer: %d", status)
			}
		})
	}
	all.Wait()
	winners := 0
	won.Range(func(any, any) bool { winners++; return true })
	if winners != 1 {
		t.Errorf("%d answers were taken", winners)
	}
	expect("permission_resolved " + second)
	if err := r.proxy.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	expect("end")
}

// TestHostileTexts holds that a browser is sent nothing but data for what a model wrote, and that the page cannot run it.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	id := r.put(t, `{"tool_name":"</pre><script>alert(1)</script>\u001b[2J\u202e","input":{"x":"<img onerror=alert(1)>"},`+
		`"wait_seconds":0}`)
	_, out := r.send(t, http.MethodGet, "/permissions/"+id, approverKey, "")
	if text := fmt.Sprint(out["tool_text"]); strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, `\u001b[2J\u202e`) {
		t.Errorf("what is shown as the name: %q", text)
	}
	for _, path := range []string{"/permissions/page", "/permissions/page.js", "/permissions/page.css"} {
		resp, err := http.Get(r.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		policy := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") ||
			strings.Contains(policy, "unsafe") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d with the policy %q", path, resp.StatusCode, policy)
		}
	}
}
