package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// loaded is one proxy under the load of many streams.
type loaded struct {
	name     string
	spec     spec
	prefix   string
	dialect  dialect
	rss, cpu float64 // most that they may be, as ratios to the bare proxy's
}

// streamLoad runs the same streams through the bare proxy and through the proxy, and counts every event.
func streamLoad(ctx context.Context, s scale, f *finding) error {
	d := dialects()
	variants := []loaded{
		{name: "bare", spec: spec{Role: roleBare}, dialect: d[0]},
		{name: "native", spec: spec{Role: roleProxied}, prefix: provider, dialect: d[0], rss: 1.5, cpu: 2},
		{name: "converted", spec: spec{Role: roleProxied, Hooks: 3}, prefix: provider, dialect: d[1], rss: 2.5, cpu: 5},
	}
	var bare usage
	for i, v := range variants {
		used, sum, err := v.load(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		sum.check(f, v.name)
		p50, p99 := quantile(sum.latencies, 0.5), quantile(sum.latencies, 0.99)
		figure := fmt.Sprintf("%s %d events, %s, %.2f cores, p50 %v, p99 %v", v.name, len(sum.latencies),
			mebibytes(used.PeakRSS), used.CPU.Seconds()/s.duration.Seconds(), p50.Round(10*time.Microsecond),
			p99.Round(10*time.Microsecond))
		if i == 0 {
			bare = used
			f.figuref("%s", figure)
			continue
		}
		rss := float64(used.PeakRSS) / float64(max(bare.PeakRSS, 1))
		cpu := float64(used.CPU) / float64(max(bare.CPU, 1))
		f.figuref("%s (%.2f× RSS, %.2f× CPU)", figure, rss, cpu)
		// What starts and ends a process counts more than streams where there are few of them.
		if s.streams >= 1000 && (rss > v.rss || cpu > v.cpu) {
			f.failf("%s: %.2f× the RSS and %.2f× the CPU of the bare proxy, the limits are %.1f and %.1f",
				v.name, rss, cpu, v.rss, v.cpu)
		}
	}
	return nil
}

// load runs all streams through one proxy.
func (v loaded) load(ctx context.Context, s scale) (u usage, sum counted, err error) {
	site, err := open(ctx, v.spec)
	if err != nil {
		return u, sum, err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	before, err := site.proxy.usage()
	if err != nil {
		return u, sum, err
	}
	sum = v.drive(ctx, site.proxy.url()+v.prefix, s)
	u, err = site.proxy.usage()
	u.CPU -= before.CPU
	return u, sum, err
}

// drive asks for all streams at once and reads them to their ends.
func (v loaded) drive(ctx context.Context, base string, s scale) counted {
	const pace = 500 * time.Millisecond
	client := newClient()
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var sum counted
	var streams sync.WaitGroup
	for id := range s.streams {
		streams.Go(func() {
			o := order{kind: kindCount, id: id, number: int(s.duration / pace), pause: pace}
			resp, err := post(ctx, client, base, v.dialect, o)
			c := counted{lost: o.number, err: err}
			if err == nil {
				c = readCounted(resp, v.dialect, o)
			}
			mu.Lock()
			sum.add(c)
			mu.Unlock()
		})
	}
	streams.Wait()
	return sum
}
