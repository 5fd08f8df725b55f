package ccproxy_test

import (
	"context"
	"errors"
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
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// servedStage is a stage behind a server, with a stream that has begun and goes on when the gate is opened.
type servedStage struct {
	*host
	handle ccproxy.Handle
	gate   chan struct{}
	body   io.ReadCloser
}

func newServedStage(t *testing.T) *servedStage {
	t.Helper()
	s := newStage(t, nil)
	st := &servedStage{gate: make(chan struct{})}
	front := built(t, ccproxy.Settings{}, []ccproxy.Factory{forwardTo(s)}, ccproxy.WithStrictStart())
	if err := st.handle.Swap(t.Context(), front); err != nil {
		t.Fatal(err)
	}
	st.host = newHost(t, &st.handle, false)
	parts := providertest.TextEvents("m", "one two three")
	s.up.Enqueue(providertest.Stream(append(append(parts[:4:4], providertest.Gate(st.gate)), parts[4:]...)...))
	resp, err := st.client.Post("http://h"+claudeMessages, "application/json", strings.NewReader(streamRequest))
	if err != nil {
		t.Fatal(err)
	}
	st.body = resp.Body
	t.Cleanup(func() { _ = resp.Body.Close() })
	return st
}

// stopper is what has StopServer.
type stopper interface {
	StopServer(ctx context.Context, server *http.Server) error
}

func (st *servedStage) stoppers() map[string]stopper {
	return map[string]stopper{"proxy": st.handle.Proxy(), "handle": &st.handle}
}

func TestStopServerLetsStreamsFinish(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"proxy", "handle"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				st := newServedStage(t)
				stopped := make(chan error, 1)
				go func() { stopped <- st.stoppers()[who].StopServer(t.Context(), st.server) }()
				synctest.Wait()
				resp, err := st.client.Get("http://h/health/ready")
				if err != nil {
					t.Fatalf("the port is closed while a stream runs: %v", err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("while it stops, readiness is %d, want 503", resp.StatusCode)
				}
				time.Sleep(10 * time.Second) // less than its client may leave anything untaken
				close(st.gate)
				if got, err := io.ReadAll(st.body); err != nil || !strings.Contains(string(got), "event: message_stop") {
					t.Errorf("stream = %s, %v, want it whole", got, err)
				}
				if err := <-stopped; err != nil {
					t.Errorf("StopServer = %v", err)
				}
				if _, err := st.client.Get("http://h/health/ready"); !errors.Is(err, net.ErrClosed) {
					t.Errorf("a request after the stop = %v, want a closed port", err)
				}
			})
		})
	}
}

func TestStopServerCutsOff(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"proxy", "handle"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				st := newServedStage(t)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				begun := time.Now()
				stopped := make(chan error, 1)
				go func() { stopped <- st.stoppers()[who].StopServer(ctx, st.server) }()
				got, err := io.ReadAll(st.body)
				if err != nil || strings.Count(string(got), "event: error\n") != 1 || !strings.Contains(string(got), "shutting down") {
					t.Errorf("stream = %s, %v, want it to end with one error event", got, err)
				}
				if err := <-stopped; !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("StopServer = %v, want it to say that time ran out", err)
				}
				if took := time.Since(begun); took < 10*time.Second || took > 11*time.Second {
					t.Errorf("the stop took %v, want 10 seconds and one at most", took)
				}
				close(st.gate)
			})
		})
	}
}

// TestStopServerDuringSwap holds that the proxy that a swap puts in while the server stops is stopped with it, and that
// none is put in later.
func TestStopServerDuringSwap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newServedStage(t)
		next, late := echoing(t, "next "), echoing(t, "late ")
		swapped, stopped := make(chan error, 1), make(chan error, 1)
		go func() { swapped <- st.handle.Swap(t.Context(), next) }()
		synctest.Wait()
		go func() { stopped <- st.handle.StopServer(t.Context(), st.server) }() // waits for a mutex: no synctest.Wait
		close(st.gate)
		if got, err := io.ReadAll(st.body); err != nil || !strings.Contains(string(got), "event: message_stop") {
			t.Errorf("stream = %s, %v, want it whole", got, err)
		}
		if err := errors.Join(<-swapped, <-stopped); err != nil {
			t.Error(err)
		}
		if err := next.Start(t.Context()); !errors.Is(err, ccproxy.ErrState) {
			t.Errorf("Start of the proxy that was swapped in = %v, want ErrState: it has been stopped", err)
		}
		if err := st.handle.Swap(t.Context(), late); !errors.Is(err, ccproxy.ErrState) {
			t.Errorf("Swap after the stop = %v, want ErrState", err)
		}
		if err := errors.Join(late.Start(t.Context()), late.Shutdown(t.Context())); err != nil {
			t.Errorf("the proxy that was refused: %v", err)
		}
	})
}

// TestStopServerEndsSwap holds that a swap that waits for streams does not keep the server from stopping in time.
func TestStopServerEndsSwap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newServedStage(t)
		defer close(st.gate)
		swapped := make(chan error, 1)
		go func() { swapped <- st.handle.Swap(t.Context(), echoing(t, "next ")) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		stopped := make(chan error, 1)
		go func() { stopped <- st.handle.StopServer(ctx, st.server) }()
		if got, err := io.ReadAll(st.body); err != nil || strings.Count(string(got), "event: error\n") != 1 {
			t.Errorf("stream = %s, %v, want it to end with one error event", got, err)
		}
		if err := <-swapped; !errors.Is(err, context.Canceled) {
			t.Errorf("Swap = %v, want it to say that it was cancelled", err)
		}
		if err := <-stopped; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("StopServer = %v", err)
		}
	})
}

// TestStopServerEndsSwapsInTurn holds that it does not wait for a swap that had to wait for another, either: one that
// takes the proxy out, and would go on until its requests have ended.
func TestStopServerEndsSwapsInTurn(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	front := func() *ccproxy.Proxy {
		return built(t, ccproxy.Settings{}, []ccproxy.Factory{forwardTo(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			<-r.Context().Done()
		}))}, ccproxy.WithStrictStart())
	}
	var h ccproxy.Handle
	var all sync.WaitGroup
	ask := func() {
		all.Go(func() { visit(&h, http.MethodPost, claudeMessages, streamRequest) })
		<-entered
	}
	first, second := front(), front()
	if err := h.Swap(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	ask()
	all.Go(func() { _ = h.Swap(context.Background(), second) }) // whether it is cut off is not looked at
	for h.Proxy() == first {
		runtime.Gosched()
	}
	ask()
	all.Go(func() { _ = h.Swap(context.Background(), nil) })
	for range 1000 {
		runtime.Gosched() // most often it comes before the stop; nothing outside tells
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.StopServer(ctx, ccproxy.NewServer(&h)); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("StopServer = %v", err)
	}
	all.Wait()
}

func TestStopServerWithoutProxy(t *testing.T) {
	t.Parallel()
	var h ccproxy.Handle
	if err := h.StopServer(t.Context(), ccproxy.NewServer(&h)); err != nil {
		t.Errorf("StopServer of a handle without a proxy = %v", err)
	}
	p := echoing(t, "")
	if err := p.StopServer(t.Context(), ccproxy.NewServer(p)); err != nil {
		t.Errorf("StopServer of a proxy that was not started = %v", err)
	}
}
