package otel

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
)

// TestSweepBesideEnds has requests end while others are looked for whose end was never told: neither waits for what
// the other has locked.
func TestSweepBesideEnds(t *testing.T) {
	t.Parallel()
	p := new(plugin)
	_, span := noop.NewTracerProvider().Tracer("").Start(t.Context(), "")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := range uint64(50_000) {
			q := &request{p: p, exchange: n + 1, span: span}
			p.live.add(q)
			q.leave()
			q.end(nil)
		}
	}()
	deadline := time.After(time.Minute)
	swept := make(chan struct{}, 1)
	for {
		go func() {
			p.live.sweep(time.Time{})
			swept <- struct{}{}
		}()
		select {
		case <-swept:
		case <-deadline:
			t.Fatal("requests that end and the search for those that did not wait for each other")
		}
		select {
		case <-ended:
			return
		default:
		}
	}
}
