package system

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// memoryServer serves a handler over connections in memory, so that time can be virtual.
type memoryServer struct {
	server    *http.Server
	transport *http.Transport
	conns     chan net.Conn
	done      chan struct{}
	once      sync.Once
	served    sync.WaitGroup
}

func listenInMemory(h http.Handler) *memoryServer {
	m := &memoryServer{server: &http.Server{Handler: h}, conns: make(chan net.Conn), done: make(chan struct{})}
	m.transport = &http.Transport{DialContext: m.dial, MaxIdleConnsPerHost: 64, DisableCompression: true}
	m.served.Go(func() { _ = m.server.Serve(m) }) // ends with close
	return m
}

func (m *memoryServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (m *memoryServer) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (m *memoryServer) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}

// Addr implements [net.Listener].
func (m *memoryServer) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "memory"} }

func (m *memoryServer) close() {
	_ = m.server.Close()
	m.transport.CloseIdleConnections()
	m.served.Wait()
}
