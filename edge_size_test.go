package ccproxy_test

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// sink is a client that takes any amount and keeps its sum, and the end.
type sink struct {
	header http.Header
	status int
	sum    hash.Hash
	n      int
	tail   string
}

func newSink() *sink { return &sink{header: make(http.Header), sum: sha256.New()} }

func (s *sink) Header() http.Header    { return s.header }
func (s *sink) WriteHeader(status int) { s.status = status }
func (s *sink) Flush()                 {}

func (s *sink) Write(b []byte) (int, error) {
	s.n += len(b)
	_, _ = s.sum.Write(b) // hashes do not fail
	s.tail = string(b[max(0, len(b)-300):])
	return len(b), nil
}

// An event of any size up to the limit comes through byte for byte and costs no more than three times its size; a
// larger one ends the stream with an error, at no larger cost.
//
//nolint:paralleltest // it measures memory
func TestEventSizes(t *testing.T) {
	const (
		limit = 32 << 20
		slack = 2 << 20 // for what happens besides
	)
	r := newRig(t, rigSetup{quiet: true})
	empty := newSink()
	r.upstream.Enqueue(providertest.HugeLine(0))
	r.proxy.ServeHTTP(empty, hugeRequest(t))
	head := len(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}`)
	for _, size := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 8 << 20, limit, limit + 1, limit + 1<<20} {
		n := size - head
		want := sumOf(t, n)
		var client *sink
		rise := 0
		for range 3 { // what else the process does then can only add to it
			client = newSink()
			r.upstream.Enqueue(providertest.HugeLine(n))
			rise = memoryRise(t, func() { r.proxy.ServeHTTP(client, hugeRequest(t)) })
			if rise <= 3*size+slack {
				break
			}
		}
		t.Logf("%9d bytes: memory rises by %.2f times as much", size, float64(rise)/float64(size))
		if !raceEnabled && rise > 3*size+slack { // the detector keeps memory of its own
			t.Errorf("%d bytes: memory rises by %d, more than three times as much", size, rise)
		}
		switch {
		case size > limit:
			if !strings.HasPrefix(client.tail, "event: error\n") || !strings.Contains(client.tail, "too large") || client.n > 2000 {
				t.Errorf("%d bytes: got %d, at the end %q", size, client.n, client.tail)
			}
		case client.n != empty.n+n || string(client.sum.Sum(nil)) != want:
			t.Errorf("%d bytes: got %d, want %d, or others: %q", size, client.n, empty.n+n, client.tail)
		}
		r.upstream.Reset()
	}
}

func hugeRequest(t *testing.T) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodPost, messagesPath, strings.NewReader(streamBody))
}

// sumOf is the sum of what an upstream sends, without the proxy.
func sumOf(t *testing.T, n int) string {
	t.Helper()
	var up providertest.Upstream
	up.Enqueue(providertest.HugeLine(n))
	w := newSink()
	up.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/messages", strings.NewReader(streamBody)))
	return string(w.sum.Sum(nil))
}

// memoryRise is by how much more memory the process holds at the most while f runs, where the system tells.
func memoryRise(t *testing.T, f func()) int {
	t.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak is the present, from here on
		f()
		return 0
	}
	before := statusLine(t, "VmRSS:")
	f()
	return statusLine(t, "VmHWM:") - before
}

// statusLine is a figure of the process, in bytes.
func statusLine(t *testing.T, name string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), name)
	var kilobytes int
	if _, err := fmt.Sscan(line, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
