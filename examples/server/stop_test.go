package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
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

// TestStopUnderLoad stops the server while 20 streams of 4 clients run: each arrives to the last byte, and whoever asks
// meanwhile is told to go elsewhere.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	const clients, each = 4, 5
	r := start(t, "[plugins.echo]\ndelay = \"40ms\"\n")
	want := openStream(t.Context(), t, r.client, r.address, words(30)).rest(t)
	streams := make(chan *stream, clients*each)
	for range clients {
		client := &http.Client{Transport: &http.Transport{}}
		t.Cleanup(client.CloseIdleConnections)
		for range each {
			go func() { streams <- openStream(t.Context(), t, client, r.address, words(30)) }()
		}
	}
	running := make([]*stream, 0, clients*each)
	for range clients * each {
		if s := <-streams; s != nil {
			running = append(running, s)
		}
	}
	stopped := time.Now()
	r.stop()
	var readers sync.WaitGroup
	for i, s := range running {
		readers.Go(func() {
			if got := s.rest(t); got != want {
				t.Errorf("stream %d differs (-want +got):\n%s", i, cmp.Diff(want, got))
			}
		})
	}
	for status := 0; status != http.StatusServiceUnavailable; {
		status, _ = r.get(t, "/health/ready")
	}
	unready := time.Now()
	if status, body := r.do(t, r.try(t)); status != http.StatusServiceUnavailable {
		t.Errorf("a request after the stop: %d %s, want 503", status, body)
	}
	readers.Wait()
	for i, s := range running {
		if s.ends.Before(unready) {
			t.Errorf("stream %d was over before the server was unready", i)
		}
	}
	r.wait(t)
	t.Logf("%d streams; unready after %v", len(running), unready.Sub(stopped))
	if n := strings.Count(r.log.String(), `"path":"/echo/v1/messages","status_code":200`); n != 1+clients*each {
		t.Errorf("%d streams in the log, want %d:\n%s", n, 1+clients*each, r.log)
	}
	r.client.CloseIdleConnections() // one that the server has closed may look open still
	if resp, err := r.client.Do(r.try(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a request after the end = %v, %v, want a refused connection", resp, err)
	}
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
		const drainTime = 10 * time.Second
		l := &pipes{conns: make(chan net.Conn)}
		l.closed, l.stop = context.WithCancel(t.Context())
		s := &server{
			file:   &config.File{Server: config.Server{ShutdownTimeout: drainTime}},
			logger: slog.New(slog.DiscardHandler), listener: l,
			options: config.Options{Dir: t.TempDir(), Environ: []string{}},
		}
		s.http = ccproxy.NewServer(&s.handle)
		if err := s.handle.Swap(t.Context(), proxy); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.serve(ctx) }()

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
		if took := time.Since(begun); took < drainTime || took > drainTime+time.Second {
			t.Errorf("the stop took %v, want %v and a little", took, drainTime)
		}
	})
}
