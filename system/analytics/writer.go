package analytics

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	appendTimeout = 30 * time.Second
	retryFirst    = time.Second
	retryMost     = 30 * time.Second
)

// writer gives records to a store, a batch at a time. Its methods may be called concurrently.
type writer struct {
	store    Store
	batch    int
	interval time.Duration
	queue    int
	keep     int64 // records that the store shall have at most, zero for any number
	logger   *slog.Logger

	ctx    context.Context //nolint:containedctx // ends when close gives up
	cancel context.CancelFunc
	wake   chan struct{} // there is something to do
	done   chan struct{} // closed when run returns

	mu      sync.Mutex
	pending []Record
	last    int           // how many were written last, which is how many there will be
	due     bool          // what is pending has waited long enough
	timer   *time.Timer   // runs while records wait
	closing bool          // what is pending is the rest
	flushed chan struct{} // closed when nothing is pending; nil if nobody waits
	written int64
	dropped int64
	told    int64 // dropped, as last logged
	err     error // of the last attempt
	since   int64 // written since the store was last trimmed
}

func newWriter(s Store, cfg *Config, logger *slog.Logger) *writer {
	ctx, cancel := context.WithCancel(context.Background())
	return &writer{
		ctx: ctx, cancel: cancel,
		store: s, batch: cfg.BatchSize, interval: cfg.FlushInterval, queue: cfg.QueueSize, logger: logger,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// add takes a record, or drops it where too many wait. It never waits itself.
func (w *writer) add(r Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) >= w.queue || w.closing {
		w.dropped++
		return
	}
	if w.pending == nil {
		w.pending = make([]Record, 0, w.last)
	}
	w.pending = append(w.pending, r)
	switch {
	case w.err != nil: // the next attempt has its time
	case len(w.pending) >= w.batch:
		w.rouse()
	case w.timer == nil:
		w.arm(w.interval)
	}
}

// arm makes what is pending due after a while. The caller holds the mutex.
func (w *writer) arm(after time.Duration) {
	w.timer = time.AfterFunc(after, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.timer, w.due = nil, true
		w.rouse()
	})
}

func (w *writer) rouse() {
	select {
	case w.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run writes until the writer is closed and there is nothing left to write.
func (w *writer) run() {
	defer close(w.done)
	wait := retryFirst
	for range w.wake {
		for {
			batch := w.next()
			if batch == nil {
				break
			}
			if err := w.write(batch); err != nil {
				w.postpone(wait, err)
				wait = min(2*wait, retryMost)
				break
			}
			wait = retryFirst
		}
		if w.closed() {
			return
		}
	}
}

func (w *writer) closed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closing
}

// next returns the records to write now, nil for none.
func (w *writer) next() []Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.pending), w.batch)
	if n == 0 || n < w.batch && !w.due && !w.closing {
		return nil
	}
	// Others may append to pending meanwhile, which leaves these as they are.
	return w.pending[:n:n]
}

// write hands a batch to the store and notes what came of it.
func (w *writer) write(batch []Record) error {
	ctx, cancel := context.WithTimeout(w.ctx, appendTimeout)
	defer cancel()
	if err := w.store.Append(ctx, batch); err != nil {
		return err
	}
	w.mu.Lock()
	n := len(batch)
	w.pending, w.last = w.pending[n:], n
	w.written += int64(n)
	w.since += int64(n)
	if len(w.pending) == 0 {
		w.pending, w.due = nil, false // lets go of the memory
		w.release()
	}
	recovered, dropped := w.err != nil, w.dropped-w.told
	w.err, w.told = nil, w.dropped
	trim := w.keep > 0 && w.since > w.keep/10
	if trim {
		w.since = 0
	}
	w.mu.Unlock()
	if recovered || dropped > 0 {
		w.logger.Warn("records can be written again", "dropped_records", dropped)
	}
	if trim {
		if _, err := w.store.Prune(ctx, time.Time{}, w.keep); err != nil {
			w.logger.Warn("old records cannot be deleted", "error", err)
		}
	}
	return nil
}

// release tells those who wait for everything to be written. The caller holds the mutex.
func (w *writer) release() {
	if w.flushed != nil {
		close(w.flushed)
		w.flushed = nil
	}
}

// postpone notes that the store took nothing, and plans the next attempt.
func (w *writer) postpone(wait time.Duration, err error) {
	w.mu.Lock()
	first := w.err == nil
	w.err = err
	if w.timer == nil {
		w.arm(wait)
	}
	w.mu.Unlock()
	if first {
		w.logger.Error("records cannot be written", "error", err)
	}
}

// flush returns when everything that is pending has been written, or ctx ends.
func (w *writer) flush(ctx context.Context) error {
	w.mu.Lock()
	if len(w.pending) == 0 {
		w.mu.Unlock()
		return nil
	}
	if w.flushed == nil {
		w.flushed = make(chan struct{})
	}
	flushed := w.flushed
	w.due = true
	w.rouse()
	w.mu.Unlock()
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close writes what is left and stops. Its error tells how many records are lost.
func (w *writer) close(ctx context.Context) error {
	defer w.cancel()
	stop := context.AfterFunc(ctx, w.cancel)
	defer stop()
	w.mu.Lock()
	w.closing = true
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	w.rouse()
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	if lost := len(w.pending); lost > 0 {
		err := w.err
		if err == nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("analytics: %d records are lost: %w", lost, err)
	}
	return nil
}

// writerState is how a writer is doing.
type writerState struct {
	pending          int
	written, dropped int64
	err              error
}

func (w *writer) state() writerState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return writerState{pending: len(w.pending), written: w.written, dropped: w.dropped, err: w.err}
}
