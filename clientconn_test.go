package ccproxy_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// flood is a stream that does not end by itself.
func flood() providertest.Reply {
	event := strings.Replace(deltaEvent, "Hello", strings.Repeat("Hello ", 500), 1)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, err := io.WriteString(w, startEvent); err == nil; {
			_, err = io.WriteString(w, event)
		}
	}
}

// A client that takes nothing is given up, and the system does not keep for it what it has not taken.
func TestClientThatTakesNothing(t *testing.T) {
	t.Parallel()
	for body, reply := range map[string]providertest.Reply{
		streamBody: flood(), wholeBody: held(`{"x":"` + strings.Repeat("0", 64<<20)),
	} {
		r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{WriteTimeout: 300 * time.Millisecond}}})
		r.upstream.Enqueue(reply)
		conn, stop := dialed(t, r)
		if _, err := io.WriteString(conn, announced(len(body), "")+body); err != nil {
			t.Fatal(err)
		}
		if end := r.failed(t); !end.ClientGone {
			t.Errorf("request.failed = %+v", end)
		}
		n, err := io.Copy(io.Discard, conn)
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("what the client had not taken waited for it: %d bytes, %v", n, err)
		}
		stop()
	}
}

// A client that is only slow gets all of a large answer, also when the connection is closed behind it.
func TestLargeAnswerBeforeAClose(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	answer := `{"x":"` + strings.Repeat("0", 300<<10) + `"}`
	r.upstream.Enqueue(providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, answer))
	conn, stop := dialed(t, r)
	defer stop()
	if _, err := io.WriteString(conn, announced(len(wholeBody), "Connection: close\r\n")+wholeBody); err != nil {
		t.Fatal(err)
	}
	r.completed(t) // all of it is written
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(got), answer) {
		t.Errorf("the client got %d bytes, %v", len(got), err)
	}
}

// dialed is a connection to a server of the proxy's own making, and what ends both.
func dialed(t *testing.T, r *rig) (conn net.Conn, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := ccproxy.NewServer(r.proxy)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	if conn, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	return conn, func() {
		conn.Close()
		_ = server.Close()
		serving.Wait()
	}
}
