package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// leaks sends requests that end in every way, and looks what the proxy still has when all are over.
func leaks(ctx context.Context, s scale, f *finding) (err error) {
	up, err := listen(ctx, new(upstream))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.close()) }()
	proxy, err := start(ctx, spec{Role: roleProxied, Upstream: up.url(), Hooks: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, proxy.stop()) }()
	m := &mixture{base: proxy.url() + provider}
	quiet := func() (usage, error) {
		up.closeUnused()
		if _, err := proxy.do(command{Do: doIdle}); err != nil {
			return usage{}, err
		}
		return proxy.usage()
	}
	fresh, err := quiet()
	if err != nil {
		return err
	}
	m.send(ctx, len(outcomes())*len(dialects()))
	before, err := rested(ctx, quiet, fresh) // what only the first requests of a process make
	if err != nil {
		return err
	}
	m.send(ctx, s.requests)
	after, err := rested(ctx, quiet, before)
	if err != nil {
		return err
	}
	for _, line := range m.wrong {
		f.failf("%s", line)
	}
	f.figuref("%d requests, goroutines %d, %d and %d at the end, files %d, %d and %d, RSS %s", s.requests,
		fresh.Goroutines, before.Goroutines, after.Goroutines, fresh.Files, before.Files, after.Files,
		mebibytes(after.RSS))
	if after.Goroutines > before.Goroutines || after.Files > before.Files {
		f.failf("%d goroutines and %d files are left", after.Goroutines-before.Goroutines, after.Files-before.Files)
	}
	return nil
}

// rested asks until there is no more than a limit, for 8 seconds: that is when the proxy's server, too, has closed
// connections on which nothing was ever asked.
func rested(ctx context.Context, ask func() (usage, error), limit usage) (usage, error) {
	now, err := ask()
	for begun := time.Now(); err == nil && time.Since(begun) < 8*time.Second; now, err = ask() {
		if now.Goroutines <= limit.Goroutines && now.Files <= limit.Files {
			break
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return now, err
		}
	}
	return now, err
}

// outcome is one way in which a request ends.
type outcome struct {
	name   string
	order  order
	leaves bool // the client leaves when the answer has begun, or soon if there is none
	status int  // 0: whatever comes
	method string
	path   string // in place of the dialect's
	body   string // in place of the order's
}

func outcomes() []outcome {
	const ok = http.StatusOK
	return []outcome{
		{name: "stream", order: order{kind: kindCount, number: 3, pause: time.Millisecond}, status: ok},
		{name: "whole", order: order{kind: kindWhole}, status: ok},
		{name: "server error", order: order{kind: kindFail, number: 500}},
		{name: "too many", order: order{kind: kindFail, number: 429}},
		{name: "broken stream", order: order{kind: kindCut}, status: ok},
		{name: "leaves a silent upstream", order: order{kind: kindMute}, leaves: true},
		{name: "leaves before events", order: order{kind: kindEmpty}, leaves: true},
		{name: "leaves a stream", order: order{kind: kindHold}, leaves: true},
		{name: "leaves a flood", order: order{kind: kindFire}, leaves: true},
		{name: "leaves half an answer", order: order{kind: kindHalf}, leaves: true},
		{name: "no JSON", body: "{", status: http.StatusBadRequest},
		{name: "no order", body: `{"model":"x","max_tokens":1,"messages":[],"input":"x"}`},
		{name: "no such path", path: "/v1/nothing", body: "{}", status: http.StatusNotFound},
		{name: "no such method", method: http.MethodPut, body: "{}", status: http.StatusMethodNotAllowed},
	}
}

// mixture sends requests that end in every way.
type mixture struct {
	base string

	mu    sync.Mutex
	wrong []string
}

func (m *mixture) send(ctx context.Context, n int) {
	ids := make(chan int)
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			c := newClient()
			defer c.CloseIdleConnections()
			for id := range ids {
				if err := m.one(ctx, c, id); err != nil {
					m.mu.Lock()
					m.wrong = append(m.wrong, err.Error())
					m.mu.Unlock()
				}
			}
		})
	}
	for id := range n {
		ids <- id
	}
	close(ids)
	clients.Wait()
}

// one sends one request, and tells what is wrong with its answer's status.
func (m *mixture) one(ctx context.Context, c *http.Client, id int) error {
	o := outcomes()[id%len(outcomes())]
	o.order.id = id
	d := dialects()[id/len(outcomes())%len(dialects())]
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if o.leaves {
		late := time.AfterFunc(20*time.Millisecond, cancel)
		defer late.Stop()
	}
	body, path, method := o.body, o.path, o.method
	if body == "" {
		body = d.body(o.order)
	}
	if path == "" {
		path = d.path
	}
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, m.base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		if o.leaves {
			return nil
		}
		return fmt.Errorf("%s, %s: %w", o.name, d.name, err)
	}
	defer resp.Body.Close()
	if o.leaves {
		_, _ = io.CopyN(io.Discard, resp.Body, 100) // it may have left already
		return nil
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err != nil || o.status != 0 && resp.StatusCode != o.status {
		return fmt.Errorf("%s, %s: status %d, %w", o.name, d.name, resp.StatusCode, err)
	}
	return nil
}
