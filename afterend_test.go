package ccproxy_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// whole is a client's request for an answer that is no stream.
func (k clientKind) whole() string { return strings.Replace(k.body, `"stream":true,`, "", 1) }

// TestAfterTheEnd holds that whatever becomes of an upstream's stream behind its terminal event, the client has its
// answer, soon and without a word more.
func TestAfterTheEnd(t *testing.T) {
	t.Parallel()
	ends := map[string]providertest.Part{
		"lingers": providertest.Gate(nil), "cut": providertest.Cut(), "reset": providertest.Reset(),
		"talks on": func(ctx context.Context, w io.Writer) error {
			for ctx.Err() == nil {
				if _, err := io.WriteString(w, "event: ping\ndata: {\"type\":\"ping\"}\n\n"); err != nil {
					return err
				}
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		},
		"ends": providertest.Bytes(""),
	}
	for _, k := range clientKinds() {
		for name, end := range ends {
			for _, stream := range []bool{true, false} {
				if !stream && k.name == "messages" {
					continue // relayed as it comes
				}
				t.Run(fmt.Sprintf("%s %s stream %t", k.name, name, stream), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						log := new(eventLog)
						r := newRig(t, rigSetup{plugins: []ccproxy.Factory{log.factory()}})
						r.upstream.Enqueue(providertest.Stream(append(providertest.TextEvents("claude-fake", "One two."), end)...))
						body := k.body
						if !stream {
							body = k.whole()
						}
						begun := time.Now()
						status, got, err := askAt(t.Context(), newHost(t, r.proxy, false), k.path, body)
						if took := time.Since(begun); took > 2*time.Second {
							t.Errorf("took %v", took)
						}
						if err != nil || status != http.StatusOK || strings.Contains(got, k.failure) {
							t.Errorf("%d, %v: %s", status, err, got)
						}
						if stream && strings.Count(got, k.success) != 1 || !stream && !strings.Contains(got, "One two.") {
							t.Errorf("not the answer: %s", got)
						}
						time.Sleep(10 * time.Second)
						names := namesOfEvents(log.take())
						if got := countEvents(names, hooks.EventRequestCompleted); got != 1 {
							t.Errorf("%d times completed: %v", got, names)
						}
					})
				})
			}
		}
	}
}

func countEvents(all []hooks.Event, e hooks.Event) (n int) {
	for _, name := range all {
		if name == e {
			n++
		}
	}
	return n
}

// silent begins an answer and says nothing more.
func silent(status int, header http.Header) providertest.Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// TestSilentAfterItsHeader holds that an upstream that begins a stream, or a refusal, is not waited for without end.
func TestSilentAfterItsHeader(t *testing.T) {
	t.Parallel()
	events, object := []string{"text/event-stream"}, []string{"application/json"}
	tests := []struct {
		name, body string
		reply      providertest.Reply
		status     int
		within     time.Duration
	}{
		{"stream", streamBody, silent(200, http.Header{"Content-Type": events}), 504, 6 * time.Minute},
		{"stream in gzip", streamBody, silent(200, http.Header{"Content-Type": events, "Content-Encoding": {"gzip"}}), 504, 6 * time.Minute},
		{"stream in zstd", streamBody, silent(200, http.Header{"Content-Type": events, "Content-Encoding": {"zstd"}}), 504, 6 * time.Minute},
		{"stream that calls itself JSON", streamBody, silent(200, http.Header{"Content-Type": object}), 504, 6 * time.Minute},
		{"refusal of a stream", streamBody, silent(529, http.Header{"Content-Type": object}), 529, 10 * time.Second},
		{"refusal", wholeBody, silent(529, http.Header{"Content-Type": object}), 529, 10 * time.Second},
		{"refusal in gzip", wholeBody, silent(529, http.Header{"Content-Type": object, "Content-Encoding": {"gzip"}}), 529, 10 * time.Second},
	}
	for _, tt := range tests {
		for _, commit := range []time.Duration{0, 10 * time.Second} {
			t.Run(fmt.Sprintf("%s commit %v", tt.name, commit), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, rigSetup{settings: ccproxy.Settings{Streams: ccproxy.Streams{CommitAfter: commit}}})
					r.upstream.Enqueue(tt.reply)
					ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
					defer cancel()
					begun := time.Now()
					status, got, err := askAt(ctx, newHost(t, r.proxy, false), messagesPath, tt.body)
					if took := time.Since(begun); took > tt.within {
						t.Errorf("%v, want %v at most", took, tt.within)
					}
					if status == http.StatusOK { // promised
						status = tt.status
					}
					if err != nil || status != tt.status || strings.Count(got, `"type":"error"`) != 1 {
						t.Errorf("%d %s, %v; want one error of %d", status, got, err, tt.status)
					}
				})
			})
		}
	}
}

// TestSilentRefusalFallsBack holds that a refusal counts when its status is there.
func TestSilentRefusalFallsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		second := &spare{}
		r := newRig(t, rigSetup{
			settings: ccproxy.Settings{Fallbacks: toSpare()}, plugins: []ccproxy.Factory{second.factory()},
		})
		r.upstream.Enqueue(silent(529, http.Header{"Content-Type": {"application/json"}}))
		begun := time.Now()
		status, got, err := askAt(t.Context(), newHost(t, r.proxy, false), messagesPath, streamBody)
		if err != nil || status != http.StatusOK || len(second.asked()) != 1 || time.Since(begun) > 10*time.Second {
			t.Errorf("after %v: %d %s, %v; the fallback was asked %d times", time.Since(begun), status, got, err, len(second.asked()))
		}
	})
}

// TestCollectedAnswerIsBounded has an upstream stream more than an answer may have to somebody who wants it whole.
func TestCollectedAnswerIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size, status int
	}{{400 << 10, http.StatusOK}, {2 << 20, http.StatusBadGateway}, {16 << 20, http.StatusBadGateway}} {
		r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{AnswerBytes: 1 << 20}}})
		delta := "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0," +
			"\"delta\":{\"type\":\"text_delta\",\"text\":\"" + strings.Repeat("word", 1<<10) + "\"}}\n\n"
		parts := providertest.TextEvents("claude-fake", "x")
		middle := providertest.Bytes(strings.Repeat(delta, tt.size/(4<<10)))
		all := append(append(append([]providertest.Part{}, parts[:2]...), middle), parts[2:]...)
		r.upstream.Enqueue(providertest.Stream(all...))
		k := clientKinds()[1]
		rec := r.do(t, http.MethodPost, k.path, http.Header{"Content-Type": {"application/json"}}, strings.NewReader(k.whole()))
		large := strings.Contains(rec.Body.String(), "too large")
		if rec.Code != tt.status || large != (tt.status != http.StatusOK) || !large && rec.Body.Len() < tt.size {
			t.Errorf("%d bytes: %d with %d bytes: %.200s", tt.size, rec.Code, rec.Body.Len(), rec.Body)
		}
	}
}

// TestOneEndAfterAnError holds that an upstream which goes on after its error ends no stream twice.
func TestOneEndAfterAnError(t *testing.T) {
	t.Parallel()
	const failed = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}\n\n"
	for name, text := range map[string]string{
		"error twice": startEvent + failed + failed, "error and stop": startEvent + failed + stopEvent,
		"stop and error": wholeTurn + failed, "stop twice": wholeTurn + stopEvent,
	} {
		for _, k := range clientKinds() {
			t.Run(k.name+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, rigSetup{})
					r.upstream.Enqueue(streamOf(text))
					_, got, err := askAt(t.Context(), newHost(t, r.proxy, false), k.path, k.body)
					if n := strings.Count(got, k.success) + strings.Count(got, k.failure); n != 1 || err != nil {
						t.Errorf("%d ends, %v: %s", n, err, got)
					}
				})
			})
		}
	}
}

// TestMarkAfterKeepAlive holds that a byte order mark is not sent where it is none.
func TestMarkAfterKeepAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{settings: ccproxy.Settings{Streams: ccproxy.Streams{CommitAfter: 10 * time.Second}}})
		r.upstream.Enqueue(providertest.Stream(pause(20*time.Second), providertest.Bytes("\xef\xbb\xbf"+wholeTurn)))
		_, got, err := askAt(t.Context(), newHost(t, r.proxy, false), messagesPath, streamBody)
		if err != nil || strings.Contains(got, "\xef\xbb\xbf") || !strings.HasSuffix(got, "\n\n"+wholeTurn) {
			t.Errorf("%v: %q", err, got)
		}
	})
}
