package claudesdk_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
)

// A CLI that dies while somebody is asked whether it may use a tool ends the question and the answer at once.
func TestDeathEndsQuestion(t *testing.T) {
	t.Parallel()
	service := &asked{wait: true, tools: make(chan string, 1), ended: make(chan error, 1)}
	p := start(t, map[string]any{"permission_timeout": "10s"}, service.factory())
	w := ask(t, p, messages, "", body(t, nil, "askanddie"))
	if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "ended before its answer did") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := <-service.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the question ended with %v, want %v", err, context.Canceled)
	}
}

// A client that goes away ends the question, and the CLI is told to stop, as it is in the middle of an answer.
func TestLeaveEndsQuestion(t *testing.T) {
	t.Parallel()
	service := &asked{wait: true, tools: make(chan string, 1), ended: make(chan error, 1)}
	note := filepath.Join(t.TempDir(), "note")
	p := start(t, map[string]any{"env": map[string]any{"FAKE_NOTE": note}}, service.factory())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		askWith(ctx, p, messages, "", body(t, nil, "askforever"))
	}()
	if got := <-service.tools; got != `Bash{"q":"p1"}toolu_p1` {
		t.Errorf("asked for %s", got)
	}
	cancel()
	<-done
	if err := <-service.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the question ended with %v, want %v", err, context.Canceled)
	}
	await(t, func() bool { live, _ := health(t, p); return live == 0 })
	got, err := os.ReadFile(note)
	if want := "stopped, then the request was given up"; err != nil || string(got) != want {
		t.Errorf("the CLI notes %q, %v; want %q", got, err, want)
	}
}

// A client is kept alive while somebody is asked, also where the CLI says nothing for longer than it may else.
func TestPingsWhileAsked(t *testing.T) {
	t.Parallel()
	service := &asked{allow: true, tools: make(chan string, 2), release: make(chan struct{})}
	pool := map[string]any{"stream_ongoing_timeout": "1s"}
	p := start(t, map[string]any{"session_pool": pool}, service.factory())
	w := &pinged{ResponseRecorder: httptest.NewRecorder(), release: service.release, after: 1}
	p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, messages,
		strings.NewReader(body(t, map[string]any{"stream": true}, "asktwice"))))
	if got := w.Body.String(); w.after > 0 || !strings.Contains(got, "message_stop") {
		t.Errorf("%d pings are missing in %s", w.after, got)
	}
}

// pinged releases something after so many pings.
type pinged struct {
	*httptest.ResponseRecorder
	release chan struct{}
	after   int
}

func (w *pinged) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "event: ping") {
		if w.after--; w.after == 0 {
			close(w.release)
		}
	}
	return w.ResponseRecorder.Write(b)
}

// A CLI may ask for several tools at the same time, and so may people be asked.
func TestQuestionsTogether(t *testing.T) {
	t.Parallel()
	service := &asked{allow: true, tools: make(chan string, 2), release: make(chan struct{})}
	p := start(t, map[string]any{"permission_timeout": "10s"}, service.factory())
	go func() {
		<-service.tools
		<-service.tools
		close(service.release)
	}()
	if got := say(t, p, messages, "", nil, "asktwice"); got != "p1 and p2" {
		t.Errorf("answers to %q, want p1 and p2", got)
	}
}

// A question that the CLI takes back ends, and is not answered; those that follow are.
func TestCancelledQuestion(t *testing.T) {
	t.Parallel()
	service := &asked{wait: true, tools: make(chan string, 2), ended: make(chan error, 2)}
	p := start(t, map[string]any{"permission_timeout": "2s"}, service.factory())
	if got := say(t, p, messages, "", nil, "askandcancel"); got != "p1 is given up, the answer is to p2" {
		t.Error(got)
	}
	if first, second := <-service.ended, <-service.ended; !errors.Is(first, context.Canceled) ||
		!errors.Is(second, context.DeadlineExceeded) {
		t.Errorf("the questions ended with %v and %v", first, second)
	}
}

// A service that panics refuses.
func TestBrokenService(t *testing.T) {
	t.Parallel()
	service := &asked{allow: true, broken: true}
	text := say(t, start(t, nil, service.factory()), messages, "", nil, "tool rm it")
	if !strings.HasSuffix(text, "deny false not supported") || !strings.Contains(text, "was not permitted") {
		t.Errorf("got %q", text)
	}
}

// Who is asked is told who asks.
func TestCallerOfQuestion(t *testing.T) {
	t.Parallel()
	service := &asked{allow: true, tools: make(chan string, 1)}
	p := start(t, nil, service.factory())
	ctx := ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: "ann"})
	askWith(ctx, p, messages, "", body(t, nil, "tool rm it"))
	if got, want := <-service.tools, `Bash{"command":"rm it"}toolu_1ann`; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}
