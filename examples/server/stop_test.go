package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// pipes is a listener without a network, so that a bubble's clock can run.
type pipes struct {
	conns  chan net.Conn
	closed context.Context
	stop   context.CancelFunc
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.stop()
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.conns <- server
	return client, nil
}

// TestStopCutsOff holds that a stream that goes on and on does not keep the server from stopping, that its client is
// told, and that whoever asks for readiness is too.
func TestStopCutsOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg ccproxy.Registry
		if err := reg.Register(echo.Factory()); err != nil {
			t.Fatal(err)
		}
		proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{echo.Name: {"delay": "4s"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		logger := slog.New(slog.DiscardHandler)
		s := &server{proxy: proxy, http: newHTTPServer(guard(proxy, false), logger), logger: logger}
		ctx, stop := context.WithCancel(t.Context())
		l := &pipes{conns: make(chan net.Conn)}
		l.closed, l.stop = context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.serve(ctx, l) }()

		transport := &http.Transport{DialContext: l.dial}
		defer transport.CloseIdleConnections()
		const body = `{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}`
		const address = "http://127.0.0.1/echo/v1/messages"
		resp, err := (&http.Client{Transport: transport}).Post(address, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		begun := time.Now()
		stop()
		synctest.Wait()
		if ready, err := (&http.Client{Transport: transport}).Get("http://127.0.0.1/health/ready"); err != nil {
			t.Error(err)
		} else if _ = ready.Body.Close(); ready.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("while it stops, readiness is %d, want 503", ready.StatusCode)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(got), "\nevent: error\n") || !strings.Contains(string(got), "shutting down") {
			t.Errorf("stream = %s, %v, want it to end with an error event", got, err)
		}
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("serve = %v, want it to say that time ran out", err)
		}
		if took := time.Since(begun); took < drainTime || took > drainTime+partingTime {
			t.Errorf("the stop took %v, want %v and a little", took, drainTime)
		}
	})
}
