package ccproxy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// echoing builds a proxy whose echo puts a mark before its answers.
func echoing(t *testing.T, mark string, more ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	return built(t, ccproxy.Settings{}, append([]ccproxy.Factory{echo.Factory()}, more...),
		ccproxy.WithPluginConfig(echo.Name, echo.Config{Models: []string{"m"}, Prefix: mark}), ccproxy.WithStrictStart())
}

func TestHandleZeroValue(t *testing.T) {
	t.Parallel()
	var h ccproxy.Handle
	for name, handler := range map[string]http.Handler{"/echo/v1/messages": &h, "/llm/echo/v1/messages": h.Mount("/llm")} {
		w := visit(handler, http.MethodPost, name, wholeRequest)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"type":"error"`) {
			t.Errorf("POST %s = %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
	if h.Proxy() != nil {
		t.Error("a zero Handle has a proxy")
	}
	if err := h.Swap(t.Context(), nil); err != nil {
		t.Errorf("Swap(nil) = %v", err)
	}
}

func TestHandleSwapLosesNoRequest(t *testing.T) {
	t.Parallel()
	var h ccproxy.Handle
	if err := h.Swap(t.Context(), echoing(t, "mark0 ")); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	var served atomic.Int64
	for i := range 8 {
		body := []string{wholeRequest, streamRequest}[i%2]
		wg.Go(func() {
			for !stop.Load() {
				w := visit(&h, http.MethodPost, echoMessages, body)
				if text := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(text, "mark") || (body == streamRequest) != strings.Contains(text, "message_stop") {
					t.Errorf("answer %d %s", w.Code, w.Body)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 40 {
		before := served.Load()
		if err := h.Swap(t.Context(), echoing(t, fmt.Sprintf("mark%d ", i+1))); err != nil {
			t.Errorf("Swap %d = %v", i, err)
		}
		for served.Load() < before+16 && !t.Failed() { // every proxy gets some of the load
			visit(&h, http.MethodGet, "/health/live", "")
		}
	}
	stop.Store(true)
	wg.Wait()
	if w := visit(&h, http.MethodPost, echoMessages, wholeRequest); !strings.Contains(w.Body.String(), "mark40 ") {
		t.Errorf("answer of the last proxy = %s", w.Body)
	}
	last := h.Proxy()
	if err := h.Swap(t.Context(), nil); err != nil {
		t.Errorf("Swap(nil) = %v", err)
	}
	for _, handler := range []http.Handler{&h, last} {
		if got := visit(handler, http.MethodGet, "/", "").Code; got != http.StatusServiceUnavailable {
			t.Errorf("after Swap(nil): %d", got)
		}
	}
}

func TestHandleKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T) (*ccproxy.Proxy, error){
		"next fails to start": func(t *testing.T) (*ccproxy.Proxy, error) {
			t.Helper()
			bad := &actor{init: func(context.Context, *ccproxy.PluginContext) error { return errPlanned }}
			return echoing(t, "new ", playedBy(ccproxy.Manifest{Name: "bad"}, bad)), errPlanned
		},
		"next was shut down": func(t *testing.T) (*ccproxy.Proxy, error) {
			t.Helper()
			next := echoing(t, "new ")
			if err := next.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			return next, ccproxy.ErrState
		},
	}
	for name, next := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h ccproxy.Handle
			old := echoing(t, "old ")
			if err := h.Swap(t.Context(), old); err != nil {
				t.Fatal(err)
			}
			defer h.Swap(context.WithoutCancel(t.Context()), nil)
			p, want := next(t)
			if err := h.Swap(t.Context(), p); !errors.Is(err, want) {
				t.Errorf("Swap = %v, want %v", err, want)
			}
			if err := h.Swap(t.Context(), old); !errors.Is(err, ccproxy.ErrState) {
				t.Errorf("Swap with the one that runs = %v, want ErrState", err)
			}
			if w := visit(&h, http.MethodPost, echoMessages, wholeRequest); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "old ") {
				t.Errorf("answer %d %s", w.Code, w.Body)
			}
			if h.Proxy() != old {
				t.Error("the old proxy is not there any more")
			}
		})
	}
}

// heldStream starts a stream that stops half-way until the gate opens, and returns the answer when it is over.
func heldStream(t *testing.T, s *stage, h http.Handler) (open func(), answer <-chan *httptest.ResponseRecorder) {
	t.Helper()
	gate := make(chan struct{})
	parts := providertest.TextEvents("m", "one two three")
	s.up.Enqueue(providertest.Stream(append(append(parts[:4:4], providertest.Gate(gate)), parts[4:]...)...))
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() { done <- visit(h, http.MethodPost, claudeMessages, streamRequest) }()
	synctest.Wait()
	return sync.OnceFunc(func() { close(gate) }), done
}

func TestHandleLetsStreamsOfTheOldOneFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h ccproxy.Handle
		s := newStage(t, nil)
		// A Handle takes proxies that are new, so the stage's stands behind one that forwards to it.
		front := built(t, ccproxy.Settings{}, []ccproxy.Factory{forwardTo(s)})
		if err := h.Swap(t.Context(), front); err != nil {
			t.Fatal(err)
		}
		open, answer := heldStream(t, s, &h)
		swapped := make(chan error, 1)
		go func() { swapped <- h.Swap(t.Context(), echoing(t, "new ")) }()
		synctest.Wait()
		if w := visit(&h, http.MethodPost, echoMessages, wholeRequest); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "new ") {
			t.Errorf("the new proxy answers %d %s while the old one's stream runs", w.Code, w.Body)
		}
		time.Sleep(time.Minute)
		select {
		case err := <-swapped:
			t.Errorf("Swap returned %v before the stream ended", err)
		default:
		}
		open()
		if w := <-answer; w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "message_stop") {
			t.Errorf("stream of the old proxy = %d %s", w.Code, w.Body)
		}
		if err := <-swapped; err != nil {
			t.Errorf("Swap = %v", err)
		}
		if err := h.Swap(t.Context(), nil); err != nil {
			t.Errorf("Swap(nil) = %v", err)
		}
	})
}

// forwardTo is a plugin that hands /claude to another handler.
func forwardTo(next http.Handler) ccproxy.Factory {
	return plain(ccproxy.Manifest{Name: "forward", Routes: []ccproxy.RouteSpec{{
		Prefix: "/claude", Endpoints: []ccproxy.Endpoint{{Method: http.MethodPost, Pattern: "/v1/messages"}}, New: newOf(next, noStep),
	}}})
}

// A swap tells handlers that wait for something else than their client that the proxy goes out of service.
func TestSwapTellsWaitingHandlers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := make(chan struct{})
		m := ccproxy.Manifest{Name: "events", Routes: []ccproxy.RouteSpec{{
			Prefix: "/events", Endpoints: []ccproxy.Endpoint{{Method: "GET", Pattern: "/stream"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					close(began)
					select {
					case <-pc.Draining():
					case <-r.Context().Done():
					}
				}), nil
			},
		}}}
		build := func() *ccproxy.Proxy {
			var reg ccproxy.Registry
			if err := reg.Register(plain(m)); err != nil {
				t.Fatal(err)
			}
			p, err := reg.Build(ccproxy.Settings{})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		var h ccproxy.Handle
		if err := h.Swap(t.Context(), build()); err != nil {
			t.Fatal(err)
		}
		go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events/stream", nil))
		<-began
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begun := time.Now()
		err := h.Swap(ctx, build())
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("the swap took %v: %v", took, err)
		}
		if err := h.Swap(context.WithoutCancel(ctx), nil); err != nil {
			t.Error(err)
		}
	})
}
