package ccproxy

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// Handle is an http.Handler in front of a proxy that can be swapped for another one, without losing a request:
// that is how configuration is reloaded. The zero value answers 503 until the first Swap. Its methods may be
// called concurrently.
type Handle struct {
	swap      sync.Mutex
	interrupt atomic.Pointer[context.CancelFunc] // of the swap that is under way, or the last one
	stopped   atomic.Bool                        // no proxy is put in any more
	cut       atomic.Bool                        // the time to stop is over
	current   atomic.Pointer[slot]
}

// slot is a proxy with the requests that it holds.
type slot struct {
	proxy *Proxy
	mu    sync.Mutex
	users int
	idle  chan struct{} // closed when the last of them has left; nil while nobody waits
}

// ServeHTTP implements http.Handler.
func (h *Handle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := h.hold()
	if s == nil {
		writeError(w, r, "", unavailable(proxyNew))
		return
	}
	defer s.release()
	s.proxy.ServeHTTP(w, r)
}

// Mount is [Proxy.Mount] for whatever proxy is there.
func (h *Handle) Mount(prefix string) http.Handler { return mounted(prefix, h) }

// Proxy returns the proxy that serves, or nil.
func (h *Handle) Proxy() *Proxy {
	if s := h.current.Load(); s != nil {
		return s.proxy
	}
	return nil
}

// hold returns the current slot, which cannot be swapped out before its release without somebody waiting for it.
func (h *Handle) hold() *slot {
	for {
		s := h.current.Load()
		if s == nil {
			return nil
		}
		s.mu.Lock()
		s.users++
		s.mu.Unlock()
		if h.current.Load() == s {
			return s
		}
		s.release()
	}
}

func (s *slot) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// Swap starts next and puts it in the place of the current proxy, which keeps its running requests until they end
// or ctx does, and is then shut down. When next does not start, the current proxy stays and the error says why;
// an error of the old proxy's shutdown is returned after the swap. A nil next only takes the current proxy out.
// next must be new, not started. Swaps wait for each other. After [Handle.StopServer], a Swap with another proxy is
// [ErrState].
func (h *Handle) Swap(ctx context.Context, next *Proxy) error {
	h.swap.Lock()
	defer h.swap.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.interrupt.Store(&cancel) // before the look at stopped: one of the two sees the other
	if h.cut.Load() {
		cancel()
	}
	var s *slot
	if next != nil {
		if h.stopped.Load() {
			return fmt.Errorf("swap: %w: the server has been stopped", ErrState)
		}
		if err := next.Start(ctx); err != nil {
			return fmt.Errorf("swap: %w", err)
		}
		s = &slot{proxy: next}
	}
	old := h.current.Swap(s)
	if old == nil {
		return nil
	}
	old.proxy.flights.announce() // or it would wait for clients that are connected and ask nothing
	old.wait(ctx)
	if err := old.proxy.Shutdown(ctx); err != nil {
		return fmt.Errorf("swap: old proxy: %w", err)
	}
	return nil
}

// wait returns when nobody holds the slot, or ctx ends.
func (s *slot) wait(ctx context.Context) {
	s.mu.Lock()
	if s.users == 0 {
		s.mu.Unlock()
		return
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
