package ccproxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		open, answer := heldStream(t, s, s)
		if got := visit(s, http.MethodGet, "/health/ready", "").Code; got != http.StatusOK {
			t.Errorf("readiness before the drain = %d", got)
		}
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(t.Context()) }()
		synctest.Wait()
		if w := visit(s, http.MethodGet, "/health/ready", ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("readiness = %d %v", w.Code, w.Header())
		}
		for path, status := range map[string]int{"/health/live": 200, "/health": 200, "/plugins": 200, "/": 200, "/claude/v1/models": 503} {
			if got := visit(s, http.MethodGet, path, "").Code; got != status {
				t.Errorf("GET %s while draining = %d, want %d", path, got, status)
			}
		}
		w := visit(s, http.MethodPost, echoMessages, wholeRequest)
		want := map[string]any{"type": "error", "error": map[string]any{"type": "overloaded_error", "message": "the proxy is shutting down"}}
		if diff := cmp.Diff(want, refusalOf(t, w)); diff != "" || w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
			t.Errorf("new request: %d %v (-want +got):\n%s", w.Code, w.Header(), diff)
		}
		select {
		case err := <-drained:
			t.Errorf("Drain returned %v while a stream runs", err)
		default:
		}
		open()
		if w := <-answer; !strings.Contains(w.Body.String(), "message_stop") {
			t.Errorf("the running stream = %s", w.Body)
		}
		if err := <-drained; err != nil {
			t.Errorf("Drain = %v", err)
		}
		checkLedger(t, s.log.take())
	})
}

// refusalOf decodes an error answer without what differs from request to request.
func refusalOf(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	delete(v, "request_id")
	return v
}

func TestDrainContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		open, answer := heldStream(t, s, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain = %v", err)
		}
		open()
		if w := <-answer; !strings.Contains(w.Body.String(), "message_stop") {
			t.Errorf("a drain that gave up ended the stream: %s", w.Body)
		}
	})
}

func TestShutdownCancelsWhatDoesNotFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		_, stream := heldStream(t, s, s)
		s.up.Enqueue(providertest.Stall(nil, nil))
		whole := make(chan *httptest.ResponseRecorder, 1)
		go func() { whole <- visit(s, http.MethodPost, claudeMessages, wholeRequest) }()
		synctest.Wait()
		s.log.take()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begun := time.Now()
		if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown = %v, want that of its context", err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("Shutdown took %v", took)
		}
		if w := <-stream; strings.Contains(w.Body.String(), "message_stop") || !strings.Contains(w.Body.String(), "event: error") {
			t.Errorf("stream that was cancelled = %s", w.Body)
		}
		if w := <-whole; w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("request that was cancelled = %d %s", w.Code, w.Body)
		}
		if w := visit(s, http.MethodPost, echoMessages, wholeRequest); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "shutting down") {
			t.Errorf("request after the shutdown = %d %s", w.Code, w.Body)
		}
	})
}

// A plugin is not stopped under requests that are about to end since they were cancelled.
func TestShutdownWaitsForCancelledRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		r := routeOf("slow")
		r.New = func(*ccproxy.PluginContext) (http.Handler, error) {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				time.Sleep(100 * time.Millisecond) // it has something to put away
				j.add("request ended")
			}), nil
		}
		a := &actor{stop: func(context.Context) error { j.add("stop"); return nil }}
		p := built(t, ccproxy.Settings{}, []ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "slow", Routes: []ccproxy.RouteSpec{r}}, a)})
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		go visit(p, http.MethodGet, "/slow", "")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v", err)
		}
		if diff := cmp.Diff([]string{"request ended", "stop"}, j.all()); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// idleCounter is a transport of an application's own that counts how often its connections are closed.
type idleCounter struct {
	http.RoundTripper
	closed int
}

func (c *idleCounter) CloseIdleConnections() { c.closed++ }

func TestShutdownLeavesTheApplicationsTransportAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(providertest.Upstream)
		defer up.Close()
		c := &idleCounter{RoundTripper: up.Transport()}
		s := newStage(t, nil, ccproxy.WithTransport(c))
		s.post(t.Context(), claudeMessages, wholeRequest)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if c.closed != 0 {
			t.Errorf("the application's connections were closed %d times", c.closed)
		}
	})
}

func TestGoroutinesOfAProxy(t *testing.T) { //nolint:paralleltest // counts goroutines
	upstream := new(providertest.Upstream)
	server := httptest.NewServer(upstream)
	defer server.Close()
	before := runtime.NumGoroutine()
	h := hooks.Observe("h", func(context.Context, *hooks.Context) error { return nil }, hooks.Events()...)
	p := built(t, ccproxy.Settings{}, []ccproxy.Factory{
		echo.Factory(), dialing(server.URL), plain(ccproxy.Manifest{
			Name: "h", Hooks: []ccproxy.HookSpec{{New: newOf(h, noStep)}},
			Tasks: []ccproxy.TaskSpec{{Name: "t", Interval: time.Hour, New: taskNew}},
		}),
	})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(p)
	client := front.Client()
	for i := range 100 {
		body := []string{wholeRequest, streamRequest}[i%2]
		path := []string{"/up/v1/messages", echoMessages}[i/2%2]
		resp, err := client.Post(front.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("answer %d: %v", resp.StatusCode, err)
		}
		resp.Body.Close()
	}
	client.CloseIdleConnections()
	front.Close()
	// The connection to the upstream has two goroutines on this side and one in the upstream.
	settles(t, before+4+1, "while the proxy runs")
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	server.CloseClientConnections()
	settles(t, before, "after Shutdown")
}

// dialing is a provider that takes connections of its own to a server.
func dialing(address string) ccproxy.Factory {
	return upstreamFactory("up", address)
}

// settles waits until at most n goroutines are left.
func settles(t *testing.T, n int, when string) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > n {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%s: %d goroutines, want at most %d:\n%s", when, runtime.NumGoroutine(), n, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}
