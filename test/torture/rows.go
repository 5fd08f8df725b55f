package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// rowTimeout ends a row that hangs.
const rowTimeout = 20 * time.Minute

// row is one thing that is measured.
type row struct {
	name, title string
	target      func(scale) string
	run         func(context.Context, scale, *finding) error
}

// finding is what came of a row.
type finding struct {
	lenient bool // judges no times

	mu      sync.Mutex
	figures []string
	wrong   []string
}

func (f *finding) figuref(format string, args ...any) {
	f.mu.Lock()
	f.figures = append(f.figures, fmt.Sprintf(format, args...))
	f.mu.Unlock()
}

func (f *finding) failf(format string, args ...any) {
	f.mu.Lock()
	f.wrong = append(f.wrong, fmt.Sprintf(format, args...))
	f.mu.Unlock()
}

// within fails where a figure is beyond its limit.
func (f *finding) within(what string, got, limit time.Duration) {
	if got > limit && !f.lenient {
		f.failf("%s: %v, the limit is %v", what, got.Round(time.Millisecond), limit)
	}
}

// scale is how much of everything there is.
type scale struct {
	lenient bool // judges no times

	cancels int // S4

	stalled, healthy int           // S9
	writeIdle        time.Duration // of the proxy

	slowHeaders, slowBodies int           // S10
	headerLimit             time.Duration // of the server
	bodyIdle, bodyTotal     time.Duration // of the proxy

	streams  int // S11
	duration time.Duration

	requests int // S13

	drains, draining int // S20
	grace            time.Duration

	environment string // S15, S17: what the tests read of their scale
}

func scales() map[string]scale {
	return map[string]scale{
		"full": {
			cancels: 1000, stalled: 500, healthy: 100, writeIdle: 5 * time.Second,
			slowHeaders: 2000, slowBodies: 200, headerLimit: 10 * time.Second,
			bodyIdle: 5 * time.Second, bodyTotal: 8 * time.Second,
			streams: 2000, duration: 2 * time.Minute, requests: 10_000,
			drains: 100, draining: 200, grace: time.Second, environment: "full",
		},
		"short": {
			cancels: 100, stalled: 20, healthy: 20, writeIdle: time.Second,
			slowHeaders: 100, slowBodies: 20, headerLimit: time.Second,
			bodyIdle: 500 * time.Millisecond, bodyTotal: time.Second,
			streams: 50, duration: time.Second, requests: 300,
			drains: 2, draining: 30, grace: 500 * time.Millisecond, environment: "short",
		},
	}
}

func rows() []row {
	return []row{
		{"S4", "cancels reach the upstream", func(s scale) string {
			return fmt.Sprintf("%d/%d, p99 ≤ 100 ms, the slowest ≤ 1 s", s.cancels, s.cancels)
		}, cancels},
		{"S9", "clients that take nothing", func(s scale) string {
			return fmt.Sprintf("%d/%d upstreams free in %v, RSS + ≤ 64 MiB, TCP memory back, p99 of others ≤ 2×",
				s.stalled, s.stalled, s.writeIdle+2*time.Second)
		}, stalledClients},
		{"S10", "clients that send next to nothing", func(s scale) string {
			return fmt.Sprintf("%d heads closed in %v, %d bodies in %v or %v, p99 of others ≤ 50 ms",
				s.slowHeaders, s.headerLimit+time.Second, s.slowBodies, s.bodyIdle+time.Second, s.bodyTotal+time.Second)
		}, slowClients},
		{"S11", "streams under load", func(s scale) string {
			return fmt.Sprintf("%d × 2/s × %v: lost, doubled, out of order 0; RSS and CPU to bare: native ≤ 1.5 "+
				"and 2, converted with 3 hooks ≤ 2.5 and 5", s.streams, s.duration)
		}, streamLoad},
		{"S13", "leaks", func(s scale) string {
			return fmt.Sprintf("%d mixed requests leave 0 goroutines and 0 files", s.requests)
		}, leaks},
		{"S15", "bad input", func(scale) string {
			return "no panic, no hang, no status and type but the documented"
		}, badInputs},
		{"S17", "headers of either side", func(scale) string {
			return "0 leaks"
		}, headerLeaks},
		{"S20", "stops while streams run", func(s scale) string {
			return fmt.Sprintf("%d × %d streams: what ends in time is whole, the rest ends with an error of its "+
				"dialect; gone in %v; 0 requests taken when not ready", s.drains, s.draining, s.grace+time.Second)
		}, drains},
	}
}
