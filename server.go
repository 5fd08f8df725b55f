package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// NewServer returns a server for h with limits that suit a proxy, for those who have no server yet: a client has 10
// seconds for its headers, of at most 64 KiB, and an idle connection is closed after two minutes. There is no time
// limit for answers, since models think for minutes; the proxy itself gives up clients that take nothing. Of a
// connection the system holds at most 256 KiB that were not taken, and none of a client that was given up: the
// server's ConnContext sees to that, so whoever sets another one calls this one, too.
//
// The caller sets Addr, listens, and stops it with [Proxy.StopServer], or [Handle.StopServer].
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       withConn,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 100, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second,
			WriteByteTimeout: 30 * time.Second,
		},
	}
}

// partingTime is what requests that were cut off have to send their last event.
const partingTime = time.Second

// StopServer takes the proxy and the server that it is served by out of service, in the order that loses nothing: it
// drains, while the port still answers health checks, closes the port, and shuts the proxy down, when its hooks have
// been told of every request. Requests that are not done when ctx ends are cut off: streams end with an error event
// of the client's format, for which there is one more second, and the error is that of ctx. The server may have failed
// before. Where it serves other handlers, too, they have the same time. See [Proxy.Drain] and [Proxy.Shutdown].
func (p *Proxy) StopServer(ctx context.Context, server *http.Server) error {
	return stopServer(ctx, server, p.Drain(ctx), p.Shutdown)
}

// StopServer is [Proxy.StopServer] for whatever proxy is there. A Swap that is under way comes to its end first, or is
// interrupted when ctx ends; those that come later fail with [ErrState] and leave their proxy as it was.
func (h *Handle) StopServer(ctx context.Context, server *http.Server) error {
	h.stopped.Store(true)
	release := context.AfterFunc(ctx, h.interruptSwap)
	defer release()
	first := h.Proxy()
	drained := first.drainIfAny(ctx)
	h.swap.Lock()
	defer h.swap.Unlock()
	last := h.Proxy()
	if last == nil {
		return stopServer(ctx, server, nil, func(context.Context) error { return nil })
	}
	if last != first {
		drained = last.Drain(ctx)
	}
	return stopServer(ctx, server, drained, last.Shutdown)
}

func (h *Handle) interruptSwap() {
	h.cut.Store(true) // for those that still wait for their turn
	if cancel := h.interrupt.Load(); cancel != nil {
		(*cancel)()
	}
}

func (p *Proxy) drainIfAny(ctx context.Context) error {
	if p == nil {
		return nil
	}
	return p.Drain(ctx)
}

// stopServer goes on where a proxy was drained.
func stopServer(
	ctx context.Context, server *http.Server, drained error, shutdown func(context.Context) error,
) error {
	if drained == nil || errors.Is(drained, ErrState) { // a proxy that has not started has no requests
		drained = server.Shutdown(ctx)
	}
	err := shutdown(ctx)
	if drained == nil {
		return err
	}
	parting, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	if server.Shutdown(parting) != nil {
		_ = server.Close() // its requests had their time
	}
	if err == nil {
		err = fmt.Errorf("stop server: %w", drained)
	}
	return err
}
