package ccproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// clientKind is what one kind of clients asks, and what tells the ends of its streams.
type clientKind struct {
	name, path, body string
	ping             string // its keep-alive
	success, failure string // what only the end of a good stream, and of a failed one, has
}

func clientKinds() []clientKind {
	return []clientKind{
		{
			"messages", messagesPath, streamBody, "event: ping\ndata: {\"type\": \"ping\"}\n\n",
			"event: message_stop\n", "event: error\n",
		},
		{
			"chat", "/claude/v1/chat/completions",
			`{"model":"claude-fake-1","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`,
			": keep-alive\n\n", "data: [DONE]\n", `data: {"error":`,
		},
		{
			"responses", "/claude/v1/responses", `{"model":"claude-fake-1","stream":true,"input":"Hi"}`,
			": keep-alive\n\n", "event: response.completed\n", "event: response.failed\n",
		},
	}
}

// stream asks and reads the answer to its end.
func (k clientKind) stream(t *testing.T, s *host) (*http.Response, string) {
	t.Helper()
	resp, err := s.client.Post("http://proxy"+k.path, "application/json", strings.NewReader(k.body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("after %q: %v", got, err)
	}
	return resp, string(got)
}

func pause(d time.Duration) providertest.Part {
	return func(ctx context.Context, _ io.Writer) error {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return ctx.Err()
	}
}

// A client hears of a stream that is alive while the provider says nothing, and only then.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	for _, k := range clientKinds() {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprint(k.name, " http2 ", http2), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, rigSetup{})
					s := newHost(t, r.proxy, http2)
					text := providertest.TextEvents("claude-fake", "One two.")
					parts := append([]providertest.Part{}, text[:4]...)
					parts = append(parts, pause(50*time.Second))
					for _, p := range text[4:] {
						parts = append(parts, p, pause(2*time.Second))
					}
					r.upstream.Enqueue(providertest.Stream(parts...))
					_, got := k.stream(t, s)
					if n := strings.Count(got, k.ping); n != 3 { // at 15, 30 and 45 seconds
						t.Errorf("%d keep-alives: %q", n, got)
					}
					if strings.Count(got, k.success) != 1 || strings.Contains(got, k.failure) {
						t.Errorf("got %q", got)
					}
					r.completed(t)
				})
			})
		}
	}
}

// A provider that goes silent for good costs its client one error at the end of the stream, and the upstream is freed.
func TestStreamIdle(t *testing.T) {
	t.Parallel()
	for _, k := range clientKinds() {
		for _, begin := range []int{0, 4} {
			t.Run(fmt.Sprint(k.name, " after ", begin), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					limits := ccproxy.Limits{StreamIdle: time.Minute}
					r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: limits}})
					s := newHost(t, r.proxy, false)
					text := providertest.TextEvents("claude-fake", "One two.")
					parts := append([]providertest.Part{pause(50 * time.Second)}, text[:begin]...)
					for _, end := range []providertest.Part{pause(50 * time.Second), providertest.Gate(nil)} {
						parts = append(parts, providertest.Bytes(": alive\n\n"), end)
					}
					r.upstream.Enqueue(providertest.Stream(parts...))
					begun := time.Now()
					resp, got := k.stream(t, s)
					if took := time.Since(begun); took != 160*time.Second {
						t.Errorf("took %v", took)
					}
					failed := strings.Count(got, k.failure)
					if begin == 0 && (resp.StatusCode != http.StatusGatewayTimeout || failed+strings.Count(got, k.ping) > 0) {
						t.Errorf("before the first event: %d %q", resp.StatusCode, got)
					}
					if begin > 0 && (resp.StatusCode != http.StatusOK || failed != 1) {
						t.Errorf("after it: %d %q", resp.StatusCode, got)
					}
					if !strings.Contains(got, "silent for too long") || strings.Contains(got, k.success) {
						t.Errorf("got %q", got)
					}
					<-r.upstream.Canceled()
					if end := r.failed(t); end.ClientGone {
						t.Errorf("request.failed = %+v", end)
					}
				})
			})
		}
	}
}

// With a time after which the headers are sent, a client that has waited gets every failure as the end of a stream.
func TestCommitAfter(t *testing.T) {
	t.Parallel()
	text := providertest.TextEvents("claude-fake", "One two.")
	overloaded := providertest.Error(529, "overloaded_error", "the reason", nil)
	errorEvent := providertest.ErrorEvent("overloaded_error", "the reason")
	whole := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[`+
			`{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
	}
	tests := []struct {
		name  string
		wait  time.Duration
		reply providertest.Reply
		pings int
		says  string // in place of a success
		fails int    // the status, if it is none of a stream
	}{
		{"in time", time.Second, providertest.Stream(text...), 0, "", 0},
		{"error in time", time.Second, overloaded, 0, "the reason", 529},
		{"late", 32 * time.Second, providertest.Stream(text...), 2, "", 0},
		{"late first event", 0, providertest.Stream(append([]providertest.Part{pause(32 * time.Second)}, text...)...), 2, "", 0},
		{"late error", 32 * time.Second, overloaded, 2, "the reason", 0},
		{"late error event", 32 * time.Second, providertest.Stream(errorEvent), 2, "the reason", 0},
		{"late break", 32 * time.Second, providertest.Drop(), 2, "could not be reached", 0},
		{"late redirect", 32 * time.Second, providertest.Raw(307, http.Header{"Location": {"/"}}, ""), 2, "redirect", 0},
		{"late page", 32 * time.Second, providertest.Raw(200, http.Header{"Content-Type": {"text/html"}}, "<html>"), 2, "", 0},
		{"late whole answer", 32 * time.Second, whole, 2, "", 0},
	}
	for _, k := range clientKinds() {
		for _, tt := range tests {
			t.Run(k.name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					streams := ccproxy.Streams{CommitAfter: 10 * time.Second}
					r := newRig(t, rigSetup{settings: ccproxy.Settings{Streams: streams}})
					s := newHost(t, r.proxy, false)
					r.upstream.Enqueue(later(tt.wait, tt.reply))
					resp, got := k.stream(t, s)
					if n := strings.Count(got, k.ping); n != tt.pings {
						t.Errorf("%d keep-alives", n)
					}
					good, bad := strings.Count(got, k.success), strings.Count(got, k.failure)
					switch {
					case tt.fails > 0:
						if resp.StatusCode != tt.fails && resp.StatusCode != http.StatusServiceUnavailable || good+bad > 0 {
							t.Errorf("got %d %q", resp.StatusCode, got)
						}
					case resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
						t.Errorf("got %d %v", resp.StatusCode, resp.Header)
					case tt.name == "late page" || tt.says != "":
						if good > 0 || bad != 1 {
							t.Errorf("%d successes and %d failures: %q", good, bad, got)
						}
					case good != 1 || bad > 0:
						t.Errorf("%d successes and %d failures: %q", good, bad, got)
					}
					if !strings.Contains(got, tt.says) {
						t.Errorf("%q does not say %q", got, tt.says)
					}
				})
			})
		}
	}
}

// A client that takes nothing, not even keep-alives, is let go while the provider is silent.
func TestKeepAliveFindsStalledClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{})
		s := newHost(t, r.proxy, false)
		r.upstream.Enqueue(streamOf(startEvent, providertest.Gate(nil)))
		resp, err := s.client.Post("http://proxy"+messagesPath, "application/json", strings.NewReader(streamBody))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		begun := time.Now()
		<-r.upstream.Canceled()
		if end := r.failed(t); !end.ClientGone || time.Since(begun) > 2*time.Minute {
			t.Errorf("after %v request.failed = %+v", time.Since(begun), end)
		}
	})
}
