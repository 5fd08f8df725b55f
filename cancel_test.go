package ccproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// A client that goes away ends the upstream's work at once, whatever the moment.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		body  string
		reply providertest.Reply
		read  int // bytes of the answer that the client waits for
	}{
		{"stream, before the header", streamBody, providertest.Stall(nil, nil), 0},
		{"stream, before the first event", streamBody, providertest.Stream(providertest.Gate(nil)), 0},
		{"stream, behind a comment", streamBody, streamOf(": wait\n\n", providertest.Gate(nil)), 0},
		{"stream, after an event", streamBody, streamOf(startEvent, providertest.Gate(nil)), len(startEvent)},
		{"stream, in an event", streamBody, streamOf(startEvent+deltaEvent[:30], providertest.Gate(nil)), len(startEvent)},
		{"stream, while it flows", streamBody, providertest.HugeLine(1 << 34), 100},
		{"whole, before the header", wholeBody, providertest.Stall(nil, nil), 0},
		{"whole, in the body", wholeBody, held(`{"half":`), 0},
		{"whole, in a large body", wholeBody, held(`{"x":"` + strings.Repeat("0", 9<<20)), 8 << 20},
		{"error, in the body", wholeBody, heldError(), 0},
	}
	for _, tt := range tests {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " http2 ", http2), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, rigSetup{})
				s := newHost(t, r.proxy, http2)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r.upstream.Handler = func(providertest.Request) providertest.Reply {
					if tt.read == 0 {
						cancel()
					}
					return tt.reply
				}
				leave(ctx, t, s, tt.body, tt.read)
				cancel()
				if got := <-r.upstream.Canceled(); string(got.Body) != tt.body {
					t.Errorf("cancelled: %q", got.Body)
				}
				end := r.failed(t)
				if !end.ClientGone || end.Status != 499 || end.ErrorType != "" || end.Stream != (tt.body == streamBody) {
					t.Errorf("request.failed = %+v", end)
				}
				if tt.read > 0 && end.ResponseBytes == 0 {
					t.Errorf("nothing is said of what was sent: %+v", end)
				}
			})
		}
	}
}

// leave asks, reads n bytes and returns; the caller's context ends the request.
func leave(ctx context.Context, t *testing.T, s *host, body string, n int) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://proxy"+messagesPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if n == 0 {
		if err == nil {
			resp.Body.Close()
			t.Errorf("got %d from a request that was given up", resp.StatusCode)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if _, err := io.CopyN(io.Discard, resp.Body, int64(n)); err != nil {
		t.Fatal(err)
	}
}

// held is an answer that does not go on after its beginning.
func held(begin string) providertest.Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, begin)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func heldError() providertest.Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// What a client was sent before it left is accounted for, and marked as a part.
func TestUsageOfClientsThatLeave(t *testing.T) {
	t.Parallel()
	for _, k := range clientKinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigSetup{})
			s := newHost(t, r.proxy, false)
			text := providertest.TextEvents("claude-fake-1", "One two.")
			r.upstream.Enqueue(providertest.Stream(append(append([]providertest.Part{}, text[:4]...), providertest.Gate(nil))...))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://proxy"+k.path, strings.NewReader(k.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.ReadFull(resp.Body, make([]byte, 64)); err != nil {
				t.Fatal(err)
			}
			cancel()
			<-r.upstream.Canceled()
			end := r.failed(t)
			if !end.ClientGone || end.Status != 499 || end.TimeToFirstByte == 0 || end.Attempts != 1 {
				t.Errorf("failed: %+v", end)
			}
			if end.Usage == nil || !end.Usage.Partial || end.Usage.InputTokens == 0 || end.Usage.Model != "claude-fake-1" {
				t.Errorf("usage %+v", end.Usage)
			}
		})
	}
}

// A client that left before its answer shows as 499 in the host's own log, not as a success.
func TestClientGoneInTheHostsLog(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	ctx, cancel := context.WithCancel(t.Context())
	r.upstream.Handler = func(providertest.Request) providertest.Reply { cancel(); return providertest.Stall(nil, nil) }
	rec := newRecorded(ctx, r, wholeBody)
	if rec.Code != 499 || rec.Body.Len() != 0 {
		t.Errorf("the host's writer got %d %q", rec.Code, rec.Body)
	}
}
