package providertest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
)

// memory is a server and the transport that reaches it, joined by in-memory connections. Both are
// net/http's own, so framing, flushing, keep-alive and cancellation are what they are over a network.
type memory struct {
	once      sync.Once
	transport *http.Transport
	http2     *http.Transport
	refusing  atomic.Bool
	server    *http.Server
	listener  *memoryListener
	closed    chan struct{} // the server has stopped accepting
	conns     sync.WaitGroup
}

// Transport returns a round tripper that brings every request to u, whatever the URL's host and scheme
// (https is spoken without TLS). It adds no header of its own beyond what net/http requires. All calls
// return the same one.
func (u *Upstream) Transport() http.RoundTripper {
	return u.start().transport
}

// HTTP2Transport is [Upstream.Transport] for HTTP/2, spoken without TLS whatever the URL's scheme. Replies that take
// the connection over, such as [Wire] and [Drop], only reset their stream then.
func (u *Upstream) HTTP2Transport() http.RoundTripper {
	return plainHTTP2{u.start().http2}
}

// plainHTTP2 asks for http, since a transport speaks HTTP/2 without TLS only to such URLs.
type plainHTTP2 struct{ base *http.Transport }

func (t plainHTTP2) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return t.base.RoundTrip(r)
}

// Refuse lets u refuse new connections, or accept them again. Those that are open stay.
func (u *Upstream) Refuse(refuse bool) { u.memory.refusing.Store(refuse) }

// Client returns a client with u's [Upstream.Transport]. It has no timeout.
func (u *Upstream) Client() *http.Client {
	return &http.Client{Transport: u.Transport()}
}

// Close breaks all connections of [Upstream.Transport] and returns when their handlers have returned,
// so a Reply or Handler of a test must heed the request's context. Requests after it fail. Where no
// Transport was used there is nothing to close.
func (u *Upstream) Close() error {
	m := u.start()
	err := m.server.Close()
	<-m.closed
	// A connection accepted while the first call ran may have escaped it; now no more can come.
	err = errors.Join(err, m.server.Close())
	m.conns.Wait()
	m.transport.CloseIdleConnections()
	m.http2.CloseIdleConnections()
	return err
}

// start runs the server on the first call, so that an upstream used as a plain handler costs nothing.
func (u *Upstream) start() *memory {
	m := &u.memory
	m.once.Do(func() {
		m.listener = &memoryListener{conns: make(chan net.Conn), done: make(chan struct{}), refusing: &m.refusing}
		both, http2 := new(http.Protocols), new(http.Protocols)
		both.SetHTTP1(true)
		both.SetUnencryptedHTTP2(true)
		http2.SetUnencryptedHTTP2(true)
		m.transport = m.newTransport(nil)
		m.http2 = m.newTransport(http2)
		m.server = &http.Server{
			Handler: u, ConnState: m.count, Protocols: both,
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, connKey{}, c)
			},
		}
		m.closed = make(chan struct{})
		go func() {
			defer close(m.closed)
			_ = m.server.Serve(m.listener) // always ends with ErrServerClosed, by Close
		}()
	})
	return m
}

func (m *memory) newTransport(protocols *http.Protocols) *http.Transport {
	return &http.Transport{
		DialContext:            m.listener.dial,
		DialTLSContext:         m.listener.dial,
		Protocols:              protocols,
		MaxResponseHeaderBytes: 256 << 10, // net/http's default lets a test wait for 10 MiB of them
		DisableCompression:     true,      // a test sees the headers that were set, and no others
	}
}

// count keeps track of live connections, because closing a server does not wait for their handlers.
func (m *memory) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		m.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		m.conns.Done()
	default: // still the same connection
	}
}

// memoryListener accepts what dial connects.
type memoryListener struct {
	conns    chan net.Conn
	done     chan struct{}
	once     sync.Once
	refusing *atomic.Bool
}

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if l.refusing.Load() {
		return nil, errRefused()
	}
	client, server := net.Pipe()
	reset := new(atomic.Bool)
	select {
	case l.conns <- &memoryConn{Conn: server, reset: reset}:
		return &memoryConn{Conn: client, reset: reset}, nil
	case <-l.done:
		return nil, errRefused()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func errRefused() error { return &net.OpError{Op: "dial", Net: "memory", Err: syscall.ECONNREFUSED} }

// Accept implements [net.Listener].
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *memoryListener) Addr() net.Addr { return &net.UnixAddr{Name: "providertest", Net: "memory"} }

// memoryConn is one end of a pipe that, like a TCP connection, can be closed or reset.
type memoryConn struct {
	net.Conn
	reset *atomic.Bool // shared by both ends
}

// SetLinger makes the next Close a reset if sec is 0, as for a [net.TCPConn].
func (c *memoryConn) SetLinger(sec int) error {
	c.reset.Store(sec == 0)
	return nil
}

// Read returns a reset in place of the end if the other side asked for one.
func (c *memoryConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) && c.reset.Load() {
		return n, &net.OpError{Op: "read", Net: "memory", Err: syscall.ECONNRESET}
	}
	return n, err
}
