package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// moment is when a client leaves.
type moment struct {
	kind string
	read bool // it waits for the beginning of the answer
}

func moments() []moment {
	return []moment{{kindMute, false}, {kindEmpty, false}, {kindHold, true}, {kindHalf, false}, {kindFire, true}}
}

// departures is when clients left, and when the upstream was told, by the ids of their orders.
type departures struct {
	mu      sync.Mutex
	arrived map[int]chan struct{}
	freed   map[int]chan time.Time
}

func (d *departures) expect(id int) (arrived chan struct{}, freed chan time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	arrived, freed = make(chan struct{}), make(chan time.Time, 1)
	d.arrived[id], d.freed[id] = arrived, freed
	return arrived, freed
}

func (d *departures) note(o order) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.arrived[o.id])
}

func (d *departures) end(o order) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.freed[o.id] <- time.Now()
}

// cancels has clients leave at any moment, and measures how long the upstream goes on for nobody.
func cancels(ctx context.Context, s scale, f *finding) (err error) {
	const clients = 16
	d := &departures{arrived: make(map[int]chan struct{}), freed: make(map[int]chan time.Time)}
	up, err := listen(ctx, &upstream{arrived: d.note, freed: d.end})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.close()) }()
	proxy, err := start(ctx, spec{Role: roleProxied, Upstream: up.url()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, proxy.stop()) }()
	var mu sync.Mutex
	var took []time.Duration
	ids := make(chan int)
	var leaving sync.WaitGroup
	for range clients {
		leaving.Go(func() {
			for id := range ids {
				after, err := d.leave(ctx, proxy.url()+provider, id)
				if err != nil {
					f.failf("client %d: %v", id, err)
					continue
				}
				mu.Lock()
				took = append(took, after)
				mu.Unlock()
			}
		})
	}
	for id := range s.cancels {
		ids <- id
	}
	close(ids)
	leaving.Wait()
	p99, slowest := quantile(took, 0.99), quantile(took, 1)
	f.figuref("%d/%d, p99 %v, the slowest %v", len(took), s.cancels, p99.Round(time.Microsecond),
		slowest.Round(time.Microsecond))
	f.within("p99", p99, 100*time.Millisecond)
	f.within("the slowest", slowest, time.Second)
	return nil
}

// leave sends an order and goes away. It returns how long the upstream went on.
func (d *departures) leave(ctx context.Context, base string, id int) (time.Duration, error) {
	m := moments()[id%len(moments())]
	dialect := dialects()[id/len(moments())%len(dialects())]
	arrived, freed := d.expect(id)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var asking sync.WaitGroup
	defer asking.Wait()
	begun := make(chan struct{})
	client := newClient()
	defer client.CloseIdleConnections()
	asking.Go(func() {
		resp, err := post(ctx, client, base, dialect, order{kind: m.kind, id: id})
		if err == nil {
			defer resp.Body.Close()
			_, err = io.ReadFull(resp.Body, make([]byte, 20))
		}
		if err == nil {
			close(begun)
			<-ctx.Done()
		}
	})
	waited := time.NewTimer(10 * time.Second)
	defer waited.Stop()
	wait := func(c <-chan struct{}, what string) error {
		select {
		case <-c:
			return nil
		case <-waited.C:
			return fmt.Errorf("%s, %s: %s in 10 s", m.kind, dialect.name, what)
		}
	}
	if err := wait(arrived, "nothing arrived"); err != nil {
		return 0, err
	}
	if m.read {
		if err := wait(begun, "no answer"); err != nil {
			return 0, err
		}
	}
	left := time.Now()
	cancel()
	select {
	case at := <-freed:
		return at.Sub(left), nil
	case <-waited.C:
		return 0, fmt.Errorf("%s, %s: the upstream was not told in 10 s", m.kind, dialect.name)
	}
}
