package system

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whoever answers decides what the CLI does, and is told who asks for what.
func TestPermissionAnswers(t *testing.T) {
	t.Parallel()
	a := newAsking(t, nil, nil)
	for _, tt := range []struct{ name, answer, status, want string }{
		{"allowed", `{"allowed":true}`, "allowed", `allow: {"command":"allowed"}`},
		{"denied", `{"allowed":false}`, "denied", "deny: The use of Bash was not permitted."},
		{"reason", `{"allowed":false,"reason":"not on a Friday"}`, "denied", "deny: not on a Friday"},
	} {
		answer := a.say(t.Context(), tt.name)
		got := a.next(t, "permission_request")
		want := map[string]any{
			"tool_name": "Bash", "input": map[string]any{"command": tt.name}, "tool_use_id": "toolu_" + tt.name,
			"caller": "ann", "source": "service", "status": "pending", "editable": false,
		}
		for key := range got {
			if _, ok := want[key]; !ok && key != "request_id" {
				delete(got, key)
			}
		}
		id := got["request_id"]
		delete(got, "request_id")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: question (-want +got):\n%s", tt.name, diff)
		}
		if status := a.respond(t, id, tt.answer); status != http.StatusOK {
			t.Errorf("%s: answering: %d", tt.name, status)
		}
		if s := <-answer; s.status != http.StatusOK || s.text != tt.want || s.err != nil {
			t.Errorf("%s: %+v, want %s", tt.name, s, tt.want)
		}
		if end := a.next(t, "permission_resolved"); end["status"] != tt.status || end["resolved_by"] != "bob" {
			t.Errorf("%s: ended as %v", tt.name, end)
		}
	}
	a.checkNone(t)
}

// When nobody answers, the CLI is told so, and the same whichever of the two limits is the shorter one.
func TestPermissionExpiry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, desk, sdk string }{
		{"of permissions", "1s", "30s"}, {"of claude_sdk", "30s", "1s"}, {"both", "1s", "1s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAsking(t, map[string]any{"permission_timeout": tt.sdk}, map[string]any{"timeout": tt.desk})
			answer := a.say(t.Context(), "ls")
			id := a.next(t, "permission_request")["request_id"]
			const want = "deny: Nobody answered in time whether Bash may be used."
			if s := <-answer; s.status != http.StatusOK || s.text != want || s.err != nil {
				t.Errorf("%+v, want %s", s, want)
			}
			a.checkNone(t)
			if end := a.next(t, "permission_expired"); end["request_id"] != id || end["status"] != "expired" {
				t.Errorf("ended as %v", end)
			}
			if status := a.respond(t, id, `{"allowed":true}`); status != http.StatusGone {
				t.Errorf("answering too late: %d", status)
			}
		})
	}
}

// With the client its question goes, and its CLI, which is told to stop.
func TestPermissionClientLeaves(t *testing.T) {
	t.Parallel()
	a := newAsking(t, nil, nil)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	answer, cli := a.say(ctx, "ls"), a.cli(t)
	id := a.next(t, "permission_request")["request_id"]
	leave()
	if s := <-answer; !errors.Is(s.err, context.Canceled) {
		t.Errorf("the client has %+v", s)
	}
	if end := a.next(t, "permission_expired"); end["request_id"] != id || end["status"] != "withdrawn" {
		t.Errorf("ended as %v", end)
	}
	a.checkNone(t)
	told, _ := io.ReadAll(cli) // up to the end of the CLI, in whatever way
	if want := "is interrupted\n"; !strings.HasPrefix(string(told), want) {
		t.Errorf("the CLI tells %q, want %q", told, want)
	}
	if status := a.respond(t, id, `{"allowed":true}`); status != http.StatusGone {
		t.Errorf("answering nobody: %d", status)
	}
}

// With the CLI its question goes, and its client is told at once.
func TestPermissionCLIDies(t *testing.T) {
	t.Parallel()
	a := newAsking(t, nil, nil)
	answer, cli := a.say(t.Context(), "ls"), a.cli(t)
	id := a.next(t, "permission_request")["request_id"]
	if _, err := cli.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if end := a.next(t, "permission_expired"); end["request_id"] != id || end["status"] != "withdrawn" {
		t.Errorf("ended as %v", end)
	}
	if s := <-answer; s.status != http.StatusBadGateway || s.err != nil {
		t.Errorf("the client has %+v", s)
	}
	a.checkNone(t)
}

// Of two people who answer at the same time one is told that the other was faster, and the CLI does what the first
// has said.
func TestPermissionRace(t *testing.T) {
	t.Parallel()
	a := newAsking(t, nil, nil)
	answer := a.say(t.Context(), "ls")
	id := a.next(t, "permission_request")["request_id"]
	begin := make(chan struct{})
	type result struct {
		status int
		text   string
	}
	results := make(chan result, 2)
	for text, body := range map[string]string{
		`allow: {"command":"ls"}`: `{"allowed":true}`, "deny: no": `{"allowed":false,"reason":"no"}`,
	} {
		go func() {
			<-begin
			results <- result{a.respond(t, id, body), text}
		}()
	}
	close(begin)
	both := []result{<-results, <-results}
	sort.Slice(both, func(i, j int) bool { return both[i].status < both[j].status })
	if both[0].status != http.StatusOK || both[1].status != http.StatusConflict {
		t.Errorf("the answers are answered with %d and %d", both[0].status, both[1].status)
	}
	if s := <-answer; s.text != both[0].text || s.err != nil {
		t.Errorf("%+v, want %s", s, both[0].text)
	}
	a.next(t, "permission_resolved")
	a.checkNone(t)
}

// A proxy that shuts down waits for no answer: none could come any more.
func TestPermissionShutdown(t *testing.T) {
	t.Parallel()
	a := newAsking(t, nil, nil)
	answer := a.say(t.Context(), "ls")
	a.next(t, "permission_request")
	if err := a.proxy.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	const want = "deny: The use of Bash was not permitted."
	if s := <-answer; s.status != http.StatusOK || s.text != want || s.err != nil {
		t.Errorf("%+v, want %s", s, want)
	}
}
