package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// local is an upstream in this process, whose clock and orders a row shares.
type local struct {
	*upstream

	server *http.Server
	addr   string
	done   chan error

	mu     sync.Mutex
	unused map[net.Conn]bool // no request is on them
}

// listen starts u.
func listen(ctx context.Context, u *upstream) (*local, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &local{
		upstream: u, server: &http.Server{Handler: u, ReadHeaderTimeout: time.Minute},
		addr: listener.Addr().String(), done: make(chan error, 1), unused: make(map[net.Conn]bool),
	}
	l.server.ConnState = l.note
	go func() { l.done <- l.server.Serve(listener) }()
	return l, nil
}

func (l *local) note(c net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if state == http.StateNew || state == http.StateIdle {
		l.unused[c] = true
	} else {
		delete(l.unused, c)
	}
}

// closeUnused closes connections that no request is on, those included on which there never was one.
func (l *local) closeUnused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.unused {
		_ = c.Close() // the server notices
	}
}

func (l *local) url() string { return "http://" + l.addr }

func (l *local) close() error {
	err := l.server.Close()
	if serving := <-l.done; !errors.Is(serving, http.ErrServerClosed) {
		err = errors.Join(err, serving)
	}
	return err
}
