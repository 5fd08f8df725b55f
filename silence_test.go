package ccproxy_test

import (
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

// stalls sends the first bytes of a whole answer, one each minute, and then nothing more.
func stalls(bytes int) providertest.Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		for i := range bytes {
			time.Sleep(time.Minute) // of the bubble
			_, _ = w.Write([]byte(`{"type":"message"`)[i : i+1])
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
}

// A provider that never answers, or never to the end, costs its client an error in its own dialect, streamed or not, and
// the upstream is freed. How long it takes in all does not matter.
func TestSilence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		reply providertest.Reply
		took  time.Duration
		says  string
		whole bool // only where no stream was asked for
	}{
		{"no answer", providertest.Stall(nil, nil), 20 * time.Minute, "begin to answer in time", false},
		{"no body", stalls(0), 20 * time.Minute, "begin to answer in time", true},
		{"half a body", stalls(10), 10*time.Minute + 90*time.Second, "silent for too long", true},
	}
	for _, k := range clientKinds() {
		for _, tt := range tests {
			for _, stream := range []bool{true, false} {
				if tt.whole && stream {
					continue
				}
				k := k
				if !stream {
					k.body = strings.Replace(k.body, `"stream":true,`, "", 1)
				}
				t.Run(fmt.Sprint(k.name, " ", tt.name, " stream ", stream), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						limits := ccproxy.Limits{FirstByte: 20 * time.Minute, StreamIdle: 90 * time.Second}
						r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: limits}})
						s := newHost(t, r.proxy, false)
						r.upstream.Enqueue(tt.reply)
						begun := time.Now()
						resp, got := k.stream(t, s)
						if took := time.Since(begun); took != tt.took || resp.StatusCode != http.StatusGatewayTimeout ||
							!strings.Contains(got, tt.says) || !strings.Contains(got, `"error"`) {
							t.Errorf("after %v: %d %q", took, resp.StatusCode, got)
						}
						<-r.upstream.Canceled()
						if end := r.failed(t); end.ClientGone || end.Status != http.StatusGatewayTimeout {
							t.Errorf("request.failed = %+v", end)
						}
					})
				})
			}
		}
	}
}

// A provider that does not begin to answer is left for another one.
func TestSilenceFallsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		second := new(spare)
		r := newRig(t, rigSetup{
			plugins: []ccproxy.Factory{second.factory()},
			settings: ccproxy.Settings{
				Fallbacks: toSpare(), Limits: ccproxy.Limits{FirstByte: time.Minute},
			},
		})
		r.upstream.Enqueue(providertest.Stall(nil, nil))
		begun := time.Now()
		w := r.do(t, http.MethodPost, claudeMessages, nil, strings.NewReader(strings.Replace(wholeRequest, `"m"`, `"claude-fake-1"`, 1)))
		if took := time.Since(begun); w.Code != http.StatusOK || took != time.Minute || len(second.asked()) != 1 {
			t.Errorf("after %v: %d %s", took, w.Code, w.Body)
		}
	})
}

// An answer too large to be held back is broken off where its provider goes silent in the middle.
func TestSilenceInALargeAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := ccproxy.Limits{AnswerBytes: 1 << 10, StreamIdle: time.Minute}
		r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: limits}})
		r.upstream.Enqueue(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"type":"message","text":"`+strings.Repeat("a", 4<<10))
			for range 3 {
				_ = http.NewResponseController(w).Flush()
				time.Sleep(50 * time.Second)
				_, _ = io.WriteString(w, "b")
			}
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		begun := time.Now()
		status, got, err := askAt(t.Context(), newHost(t, r.proxy, false), messagesPath, wholeBody)
		if took := time.Since(begun); took != 210*time.Second || err == nil || status != http.StatusOK || len(got) < 4<<10 {
			t.Errorf("after %v: %d with %d bytes, %v: want them broken off", took, status, len(got), err)
		}
		<-r.upstream.Canceled()
		if end := r.failed(t); end.ClientGone || !strings.Contains(end.Err, "silent") {
			t.Errorf("request.failed = %+v", end)
		}
	})
}
