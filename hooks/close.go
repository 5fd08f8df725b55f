package hooks

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// closeGrace is how long Close waits for hooks to notice that their context has ended.
const closeGrace = 250 * time.Millisecond

// Flush waits until every queue is empty and no observer is at work, or ctx ends, and returns ctx's error
// then.
func (r *Registry) Flush(ctx context.Context) error {
	r.mu.Lock()
	entries := slices.Clone(r.entries)
	r.mu.Unlock()
	for _, e := range entries {
		if e.observer == nil {
			continue
		}
		if err := await(ctx, e.observer.idle()); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the registry. From here on events are ignored and mutators are treated as failed. What is
// queued is delivered until ctx ends; then the rest is given up, the context of running calls ends, and
// they have a moment to return. No goroutine of the registry remains but those of hooks that do not return
// even so.
//
// The error, a *CloseError, says what was lost and which hooks did not return; nil means neither happened.
// Calling Close again is harmless.
func (r *Registry) Close(ctx context.Context) error {
	entries := r.shut()
	defer r.couriers.close()
	err := awaitAll(ctx, entries)
	if err == nil {
		r.end()
		return nil
	}
	failure := &CloseError{Err: err}
	for _, e := range entries {
		n := e.discard()
		failure.Lost += n
		if n > 0 {
			e.write(slog.LevelWarn, "events lost at close", slog.Int64("lost", n))
		}
	}
	r.end()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	_ = awaitAll(grace, entries) // who is late is looked up below
	for _, e := range entries {
		if e.busy() {
			failure.Running = append(failure.Running, hookID(e.plugin, e.name))
			e.write(slog.LevelError, "hook ignores the end of its context")
		}
	}
	if failure.Lost == 0 && len(failure.Running) == 0 {
		return nil
	}
	return failure
}

// shut stops the intake and returns every hook that may still be at work.
func (r *Registry) shut() []*entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.begin()
	r.publish()
	entries := slices.Concat(r.entries, r.leaving)
	for _, e := range entries {
		e.close()
	}
	return entries
}

// awaitAll waits until none of the hooks is at work.
func awaitAll(ctx context.Context, entries []*entry) error {
	for _, e := range entries {
		for _, c := range e.idle() {
			if err := await(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// await waits for a channel to be closed; a nil one stands for nothing to wait for.
func await(ctx context.Context, c <-chan struct{}) error {
	if c == nil {
		return nil
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
