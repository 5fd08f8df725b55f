package ccproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// readSlowly takes 64 KiB every second.
func readSlowly(body io.Reader) (n int, err error) {
	for buf := make([]byte, 64<<10); ; time.Sleep(time.Second) {
		k, err := io.ReadFull(body, buf)
		if n += k; err != nil {
			return n, err
		}
	}
}

// TestSlowReaders holds that a client that takes something all the time gets all, however large it is in one piece.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	text := strings.Repeat("a", size)
	big := "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"text\":\"" + text + "\"}\n\n"
	plugin := plain(ccproxy.Manifest{Name: "big", Routes: []ccproxy.RouteSpec{{
		Prefix: "/big", Endpoints: []ccproxy.Endpoint{{Method: http.MethodPost}},
		New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ev, err := pc.Streams.Open(w, r)
				if err == nil {
					err = ev.Send(adapters.Event{Type: "x", Data: []byte(text)})
				}
				if err != nil {
					t.Errorf("a plugin's event: %v", err)
				}
			}), nil
		},
	}}})
	for _, tt := range []struct {
		name, path, body string
		reply            providertest.Reply
	}{
		{"answer", messagesPath, wholeBody, providertest.Message(text)},
		{"event", messagesPath, streamBody, streamOf(startEvent + big + stopEvent)},
		{"plugin", "/big", "", nil},
	} {
		for _, over := range []string{"HTTP/1", "HTTP/2", "Transport"} {
			t.Run(tt.name+" "+over, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, rigSetup{plugins: []ccproxy.Factory{plugin}})
					if tt.reply != nil {
						r.upstream.Enqueue(tt.reply)
					}
					client := &http.Client{Transport: r.proxy.Transport()}
					if over != "Transport" {
						client = newHost(t, r.proxy, over == "HTTP/2").client
					}
					resp, err := client.Post("http://proxy"+tt.path, "application/json", strings.NewReader(tt.body))
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					if n, err := readSlowly(resp.Body); n < size || !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
						t.Errorf("%d of %d bytes and more: %v", n, size, err)
					}
				})
			})
		}
	}
}

// TestLargeAnswerPauses holds that the upstream's silence within an answer that is passed on is not taken for the
// client's.
func TestLargeAnswerPauses(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{AnswerBytes: 1 << 10}}})
				head, tail := `{"type":"message","text":"`+strings.Repeat("a", 4<<10), strings.Repeat("b", 4<<10)+`"}`
				r.upstream.Enqueue(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, head)
					_ = http.NewResponseController(w).Flush()
					time.Sleep(40 * time.Second)
					_, _ = io.WriteString(w, tail)
				})
				status, got, err := askAt(t.Context(), newHost(t, r.proxy, http2), messagesPath, wholeBody)
				if err != nil || status != http.StatusOK || got != head+tail {
					t.Errorf("%d with %d bytes: %v", status, len(got), err)
				}
			})
		})
	}
}

// stalled is a call whose body never ends. The body is closed when the test ends.
func stalled(ctx context.Context, t *testing.T) *http.Request {
	t.Helper()
	pr, pw := io.Pipe()
	t.Cleanup(func() { _ = pw.Close() })
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://x"+messagesPath, pr)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(pw, `{"model":`) }()
	return req
}

// TestTransportBodies holds that the body of a call in the same process has the limits of a client's, and ends with its
// call.
func TestTransportBodies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{})
		begun := time.Now()
		resp, err := r.proxy.Transport().RoundTrip(stalled(t.Context(), t))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if took := time.Since(begun); resp.StatusCode != http.StatusRequestTimeout || took > 2*time.Minute {
			t.Errorf("a body that stalls: %d after %v, want 408", resp.StatusCode, took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := r.proxy.Transport().RoundTrip(stalled(ctx, t)); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that leaves: %v", err)
		}
		begun = time.Now()
		if err := r.proxy.Drain(t.Context()); err != nil || time.Since(begun) > time.Second {
			t.Errorf("a call whose caller has left holds up a drain: %v after %v", err, time.Since(begun))
		}
	})
}

// TestTransportNoMethod holds that a request without a method is GET, as for net/http.
func TestTransportNoMethod(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	resp, err := r.proxy.Transport().RoundTrip(&http.Request{URL: &url.URL{Scheme: "http", Host: "x", Path: "/health"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%d, want 200", resp.StatusCode)
	}
}
