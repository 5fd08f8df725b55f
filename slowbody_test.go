package ccproxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// announced is the head of a request with a body of size bytes.
func announced(size int, more string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n",
		messagesPath, more, size)
}

// sending opens a connection and writes to it.
func (s *host) sending(t *testing.T, text string) net.Conn {
	t.Helper()
	conn, err := s.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A client that falls silent in its body is told so when the read timeout has passed, and the proxy is done with it.
func TestSilentBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, head, begin string
	}{
		{"nothing", announced(100, ""), ""},
		{"half", announced(len(wholeBody), ""), wholeBody[:20]},
		{"chunks", strings.Replace(announced(0, ""), "Content-Length: 0", "Transfer-Encoding: chunked", 1), "5\r\n{\"mod\r\n"},
		{"compressed, nothing", announced(100, "Content-Encoding: gzip\r\n"), ""},
		{"compressed, half", announced(100, "Content-Encoding: gzip\r\n"), gzipped(wholeBody)[:30]},
		{"compressed by zstd", announced(100, "Content-Encoding: zstd\r\n"), zstandard(wholeBody)[:20]},
	}
	for _, tt := range tests {
		for set, limit := range map[time.Duration]time.Duration{0: time.Minute, 2 * time.Second: 2 * time.Second} {
			t.Run(fmt.Sprint(tt.name, " ", limit), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{ReadTimeout: set}}})
					conn := newHost(t, r.proxy, false).sending(t, tt.head+tt.begin)
					begun := time.Now()
					resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
					if err != nil {
						t.Fatal(err)
					}
					wantError(t, received(t, resp), anthropicDialect, http.StatusRequestTimeout, "timeout_error", "in time")
					if took := time.Since(begun); took > limit {
						t.Errorf("the answer came after %v, want at most %v", took, limit)
					}
					if end := r.failed(t); end.Status != http.StatusRequestTimeout {
						t.Errorf("request.failed = %+v", end)
					}
					if seen := r.upstream.Requests(); len(seen) != 0 {
						t.Errorf("the upstream got %+v", seen)
					}
				})
			})
		}
	}
}

// Neither does an answer that needs no body wait for one: net/http reads what is left of it first.
func TestSilentBodyOfARefusedRequest(t *testing.T) {
	t.Parallel()
	for line, status := range map[string]int{
		"POST /claude/v1/nothing": 404, "POST /nothing": 404, "PUT " + messagesPath: 405, "GET /health": 200,
		"POST /wildlife/early": 405, "GET /wildlife/early": 500,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigSetup{plugins: []ccproxy.Factory{wild()}})
			conn := newHost(t, r.proxy, false).sending(t, line+" HTTP/1.1\r\nHost: p\r\nContent-Length: 100\r\n\r\n")
			begun := time.Now()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if rec := received(t, resp); rec.Code != status {
				t.Errorf("%s: %d %s, want %d", line, rec.Code, rec.Body, status)
			}
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("%s: the answer came after %v", line, took)
			}
		})
	}
}

// Slow is not silent: a body that takes longer than the read timeout, but always has something new, arrives.
func TestSlowBodyArrives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{quiet: true, settings: ccproxy.Settings{Limits: ccproxy.Limits{BodyTimeout: 2 * time.Hour}}})
		conn := newHost(t, r.proxy, false).sending(t, announced(len(wholeBody), ""))
		for _, b := range []byte(wholeBody) {
			time.Sleep(45 * time.Second)
			if _, err := conn.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK || string(r.last(t).Body) != wholeBody {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

// Nobody holds a connection for as long as he likes by sending a byte now and then.
func TestDrippingBody(t *testing.T) {
	t.Parallel()
	chunked := strings.Replace(announced(0, ""), "Content-Length: 0", "Transfer-Encoding: chunked", 1)
	for set, limit := range map[time.Duration]time.Duration{0: 5 * time.Minute, 20 * time.Second: 20 * time.Second} {
		for _, tt := range []struct{ head, drop string }{{announced(1<<20, ""), " "}, {chunked, "1\r\n \r\n"}} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{BodyTimeout: set}}})
				conn := newHost(t, r.proxy, false).sending(t, tt.head)
				var dripping sync.WaitGroup
				defer dripping.Wait()
				dripping.Go(func() {
					for {
						if _, err := io.WriteString(conn, tt.drop); err != nil {
							return
						}
						time.Sleep(9 * time.Second)
					}
				})
				begun := time.Now()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				wantError(t, received(t, resp), anthropicDialect, http.StatusRequestTimeout, "timeout_error", "in time")
				if took := time.Since(begun); took != limit {
					t.Errorf("the answer came after %v, want %v", took, limit)
				}
				r.failed(t)
				conn.Close()
			})
		}
	}
}

// A drain waits no longer for a silent client than the read timeout.
func TestDrainBesideASilentBody(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigSetup{})
			s := newHost(t, r.proxy, http2)
			body, write := io.Pipe()
			defer write.Close()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://p"+messagesPath, body)
			if err != nil {
				t.Fatal(err)
			}
			var asking sync.WaitGroup
			defer asking.Wait()
			asking.Go(func() {
				if resp, err := s.client.Do(req); err == nil {
					resp.Body.Close()
				}
			})
			synctest.Wait() // the proxy waits for the body
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := r.proxy.Drain(ctx); err != nil {
				t.Errorf("Drain = %v", err)
			}
			if took := time.Since(begun); took == 0 || took > time.Minute {
				t.Errorf("HTTP/2 %t: the drain took %v, want at most a minute", http2, took)
			}
			r.failed(t)
		})
	}
}

// readNotice is a body that tells when somebody waits for it.
type readNotice struct {
	io.ReadCloser

	once sync.Once
	note func()
}

func (n *readNotice) Read(p []byte) (int, error) {
	n.once.Do(n.note)
	return n.ReadCloser.Read(p)
}

// What a client only announces costs next to nothing, since anybody can announce.
func TestAnnouncedBodiesCostLittle(t *testing.T) { //nolint:paralleltest // measures the heap
	const (
		clients = 200
		most    = 100 << 10
	)
	r := newRig(t, rigSetup{quiet: true})
	waiting := make(chan struct{}, clients)
	s := newHost(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.Body = &readNotice{ReadCloser: req.Body, note: func() { waiting <- struct{}{} }}
		r.proxy.ServeHTTP(w, req)
	}), false)
	before := inUse()
	for range clients {
		s.sending(t, announced(4<<20, ""))
	}
	for range clients {
		<-waiting
	}
	if each := (inUse() - before) / clients; each > most {
		t.Errorf("a client that sent nothing of 4 MiB takes %d bytes, want at most %d", each, most)
	} else {
		t.Logf("%d bytes for each client", each)
	}
}

// inUse is the memory that is reachable.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // pools let go of what they have only now
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
