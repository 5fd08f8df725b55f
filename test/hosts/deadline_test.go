package hosts

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// Streams outlive the server's WriteTimeout. Where a wrapper does not let them, the proxy says so, once, and no client
// takes what it got for a whole answer.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	const limit = time.Second // a handshake has to be over by then, on a busy machine too
	limited := func(s *httptest.Server) { s.Config.WriteTimeout = limit }
	tests := []host{
		{name: "bare", wrap: bare, server: limited},
		{name: "HTTP/2", wrap: bare, server: func(s *httptest.Server) { limited(s); s.EnableHTTP2 = true }},
		{name: "gin", base: "/llm", wrap: withGin, server: limited},
		{name: "echo", base: "/llm", wrap: withEcho, server: limited},
		{name: "hidden", whole: true, server: limited, wrap: writer("flusher").wrap},
	}
	for _, h := range tests {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, h)
			for range 2 {
				over := time.After(limit + limit/2)
				wait := make(chan struct{})
				go func() { <-over; close(wait) }()
				r.upstream.Enqueue(providertest.Stream(providertest.Bytes(startEvent), providertest.Gate(wait),
					providertest.Bytes(deltaEvent), providertest.Bytes(stopEvent)))
				r.outlive(t)
				<-wait
			}
			want := 0
			if h.whole {
				want = 1
			}
			if got := r.log.count("WriteTimeout"); got != want {
				t.Errorf("said %d times, want %d:\n%s", got, want, r.log)
			}
		})
	}
}

// outlive reads a stream that takes longer than the server's WriteTimeout.
func (r *rig) outlive(t *testing.T) {
	t.Helper()
	resp, err := r.post(t.Context(), t, streamBody)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if r.host.whole {
		if err == nil || strings.Contains(string(got), stopEvent) {
			t.Errorf("got %q, %v; want a break", got, err)
		}
		return
	}
	if err != nil || string(got) != startEvent+deltaEvent+stopEvent {
		t.Errorf("got %q, %v", got, err)
	}
}

// A stream that http.TimeoutHandler ends is an error of the handler's, never half an answer, and its upstream is freed.
func TestTimeoutHandlerEndsStreams(t *testing.T) {
	t.Parallel()
	r := newRig(t, host{wrap: func(p *ccproxy.Proxy) http.Handler {
		return http.TimeoutHandler(p, 100*time.Millisecond, "too slow")
	}})
	r.upstream.Enqueue(providertest.Stream(providertest.Bytes(startEvent), providertest.Gate(nil)))
	resp, body := r.ask(t, http.MethodPost, messagesPath, streamBody)
	if resp.StatusCode != http.StatusServiceUnavailable || body != "too slow" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	<-r.upstream.Canceled()
}
