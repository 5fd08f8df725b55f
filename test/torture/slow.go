package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// slowClients has clients send next to nothing, of heads and of bodies, while another one asks as clients do.
func slowClients(ctx context.Context, s scale, f *finding) (err error) {
	site, err := open(ctx, spec{
		Role: roleProxied, Header: s.headerLimit, BodyIdle: s.bodyIdle, BodyTotal: s.bodyTotal,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asker := newAsker(ctx, site.proxy.url()+provider)
	defer asker.stop(f)
	if err := pause(ctx, s.bodyTotal/2); err != nil {
		return err
	}
	calm := asker.take()
	groups := slowGroups(s)
	var closing sync.WaitGroup
	for _, g := range groups {
		for range g.clients {
			closing.Go(func() { g.add(drip(ctx, site.proxy.addr, g)) })
		}
	}
	closing.Wait()
	crowded := asker.take()
	for _, g := range groups {
		g.report(f)
	}
	f.figuref("p99 of others %v, before %v", crowded.Round(time.Microsecond), calm.Round(time.Microsecond))
	// A machine that is busy with other things is so before, too.
	f.within("p99 of the others", crowded, max(50*time.Millisecond, 3*calm))
	return nil
}

// slowGroup is clients that are slow in one way.
type slowGroup struct {
	name    string
	clients int
	limit   time.Duration
	head    string        // what each sends at once
	drop    time.Duration // between the bytes that follow; zero for none

	mu     sync.Mutex
	closed []time.Duration
	first  error
}

func slowGroups(s scale) []*slowGroup {
	d := dialects()[0]
	line := "POST " + provider + d.path + " HTTP/1.1\r\nHost: proxy\r\n"
	head := line + "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
	return []*slowGroup{
		{
			name: "heads", clients: s.slowHeaders / 2, limit: s.headerLimit, head: line + "X-A: ",
			drop: s.headerLimit / 10,
		},
		{name: "silent heads", clients: s.slowHeaders - s.slowHeaders/2, limit: s.headerLimit, head: line},
		{name: "silent bodies", clients: s.slowBodies / 2, limit: s.bodyIdle, head: head + "{"},
		{
			name: "bodies", clients: s.slowBodies - s.slowBodies/2, limit: s.bodyTotal, head: head + "{",
			drop: s.bodyIdle / 10,
		},
	}
}

func (g *slowGroup) add(took time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		g.closed = append(g.closed, took)
	} else if g.first == nil {
		g.first = err
	}
}

func (g *slowGroup) report(f *finding) {
	slowest := quantile(g.closed, 1)
	f.figuref("%s closed %d/%d, the last after %v", g.name, len(g.closed), g.clients, slowest.Round(time.Millisecond))
	if len(g.closed) != g.clients {
		f.failf("%s: %d of %d are not closed: %v", g.name, g.clients-len(g.closed), g.clients, g.first)
	}
	f.within(g.name, slowest, g.limit+time.Second)
}

// drip sends what a group sends, and returns how long it was listened to.
func drip(ctx context.Context, addr string, g *slowGroup) (time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	begun := time.Now()
	if err := conn.SetDeadline(begun.Add(g.limit + 10*time.Second)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, g.head); err != nil {
		return 0, err
	}
	if g.drop > 0 {
		var dripping sync.WaitGroup
		ctx, cancel := context.WithCancel(ctx)
		defer dripping.Wait()
		defer cancel()
		dripping.Go(func() {
			for pause(ctx, g.drop) == nil {
				if _, err := io.WriteString(conn, " "); err != nil {
					return
				}
			}
		})
	}
	_, err = io.Copy(io.Discard, conn)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return 0, fmt.Errorf("open after %v", time.Since(begun).Round(time.Millisecond))
	}
	return time.Since(begun), nil // by an end or by a reset
}

// asker sends one request after the other.
type asker struct {
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	took   []time.Duration
	broken []string
}

func newAsker(ctx context.Context, base string) *asker {
	a := new(asker)
	ctx, a.cancel = context.WithCancel(ctx)
	for client := range 4 {
		a.running.Go(func() { a.ask(ctx, base, client) })
	}
	return a
}

func (a *asker) ask(ctx context.Context, base string, client int) {
	c := newClient()
	defer c.CloseIdleConnections()
	for number := 0; pause(ctx, 10*time.Millisecond) == nil; number++ {
		begun := time.Now()
		resp, err := post(ctx, c, base, dialects()[0], order{kind: kindWhole, id: client, number: number})
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		if ctx.Err() != nil {
			return
		}
		a.mu.Lock()
		a.took = append(a.took, time.Since(begun))
		if err != nil {
			a.broken = append(a.broken, err.Error())
		}
		a.mu.Unlock()
	}
}

// take returns the 99th percentile of the times since the last call.
func (a *asker) take() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	p99 := quantile(a.took, 0.99)
	a.took = nil
	return p99
}

// stop ends the requests. None should have failed.
func (a *asker) stop(f *finding) {
	a.cancel()
	a.running.Wait()
	for _, line := range a.broken {
		f.failf("a request of others: %s", line)
	}
}
