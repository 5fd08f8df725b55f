package redis_test

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ccproxy-go/ccproxy/limit"
)

// lossy is a line to a server that breaks while the answer to a script is under way.
type lossy struct {
	listener net.Listener
	server   string
	losses   atomic.Int32 // still to come
	all      sync.WaitGroup
}

func newLossy(t *testing.T, server string) *lossy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &lossy{listener: ln, server: server}
	l.all.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			l.all.Go(func() { l.relay(client) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		l.all.Wait()
	})
	return l
}

func (l *lossy) relay(client net.Conn) {
	defer client.Close()
	up, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	var script atomic.Bool
	l.all.Go(func() {
		defer up.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := client.Read(b)
			if bytes.Contains(bytes.ToLower(b[:n]), []byte("evalsha")) {
				script.Store(true)
			}
			if _, werr := up.Write(b[:n]); err != nil || werr != nil {
				return
			}
		}
	})
	b := make([]byte, 64<<10)
	for {
		n, err := up.Read(b)
		if script.Load() && l.losses.Add(-1) >= 0 {
			return
		}
		if _, werr := client.Write(b[:n]); err != nil || werr != nil {
			return
		}
	}
}

// TestLostReply holds that a command that is sent again, since its answer was lost, counts once.
func TestLostReply(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		policy limit.Policy
	}{
		{"requests at a time", limit.Policy{Concurrency: 1}},
		{"requests in a minute", limit.Policy{RequestsPerMinute: 10}},
		{"all", limit.Policy{Concurrency: 1, RequestsPerMinute: 10, TokensPerMinute: 1000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			line := newLossy(t, server.Addr())
			l := open(t, "redis://"+line.listener.Addr().String())
			l.Timeout = 10 * time.Second
			warm := limit.Request{Key: "other", ID: "0", Policy: tt.policy}
			if _, err := l.Begin(t.Context(), warm); err != nil { // loads the scripts
				t.Fatal(err)
			}
			if err := l.End(t.Context(), warm, 1); err != nil {
				t.Fatal(err)
			}
			for i, id := range []string{"1", "2"} {
				r := limit.Request{Key: "caller", ID: id, Policy: tt.policy}
				line.losses.Store(1)
				d, err := l.Begin(t.Context(), r)
				if err != nil || d.Refused != "" {
					t.Fatalf("request %s: %+v, %v", id, d, err)
				}
				if want := tt.policy.RequestsPerMinute - int64(i) - 1; want > 0 && d.Requests.Remaining != want {
					t.Errorf("request %s leaves %d of a minute's, want %d", id, d.Requests.Remaining, want)
				}
				if tt.policy.Concurrency == 0 && tt.policy.TokensPerMinute == 0 {
					continue // the end is nothing to tell
				}
				if line.losses.Load() > 0 {
					t.Error("no answer was lost at the beginning")
				}
				line.losses.Store(1)
				if err := l.End(t.Context(), r, 100); err != nil {
					t.Fatal(err)
				}
				if line.losses.Load() > 0 {
					t.Error("no answer was lost at the end")
				}
			}
			r := limit.Request{Key: "caller", ID: "3", Policy: tt.policy}
			d, err := l.Begin(t.Context(), r)
			if err != nil || d.Refused != "" {
				t.Fatalf("a third request: %+v, %v", d, err)
			}
			if want := tt.policy.TokensPerMinute - 200; want > 0 && (d.Tokens.Remaining < want || d.Tokens.Remaining > want+100) {
				t.Errorf("%d tokens remain, want %d and what has come back since", d.Tokens.Remaining, want)
			}
			if err := l.End(t.Context(), r, 0); err != nil {
				t.Error(err)
			}
		})
	}
}
