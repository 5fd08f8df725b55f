package analytics

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	appendTimeout = 30 * time.Second
	retryFirst    = time.Second
	retryMost     = 30 * time.Second
	// closeRetry is how long a writer that is being closed waits until it tries again, twice as long each time, and not
	// for longer than closeMost: a store that was busy for a moment shall have what is left, one that is away shall not
	// hold up a shutdown.
	closeRetry = 100 * time.Millisecond
	closeMost  = 2 * time.Second
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
	batches [][]Record  // that wait, the oldest first
	sealed  bool        // the last of them is being written, and stays as it is
	last    int         // how many were written last, which is how many there will be
	timer   *time.Timer // runs while records wait
	closing bool        // what is pending is the rest
	waiting []flusher
	added   int64 // that are written, or wait
	urgent  int64 // how many of these have waited long enough
	written int64
	dropped int64
	told    int64 // dropped, as last logged
	err     error // of the last attempt
	since   int64 // written since the store was last trimmed
}

// flusher waits until so many records have been written.
type flusher struct {
	written int64
	done    chan struct{}
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
func (w *writer) add(r *Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending() >= w.queue || w.closing {
		w.dropped++
		return
	}
	last := len(w.batches) - 1
	if last < 0 || w.sealed || len(w.batches[last]) == w.batch {
		w.batches, w.sealed = append(w.batches, make([]Record, 0, w.last)), false
		last++
	}
	w.batches[last] = append(w.batches[last], *r)
	w.added++
	switch {
	case w.err != nil: // the next attempt has its time
	case len(w.batches[0]) == w.batch:
		w.rouse()
	case w.timer == nil:
		w.arm(w.interval)
	}
}

// pending is how many records wait. The caller holds the mutex.
func (w *writer) pending() int { return int(w.added - w.written) }

// arm makes what will be pending after a while urgent. The caller holds the mutex.
func (w *writer) arm(after time.Duration) {
	w.timer = time.AfterFunc(after, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.timer, w.urgent = nil, w.added
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
		some, err := w.writeDue()
		if some {
			wait = retryFirst
		}
		if w.closed() {
			w.writeRest(err)
			return
		}
		if err != nil {
			w.postpone(wait, err)
			wait = min(2*wait, retryMost)
		}
	}
}

// writeDue writes batch after batch while there is something to write, and reports whether there was.
func (w *writer) writeDue() (some bool, err error) {
	for {
		batch := w.next()
		if batch == nil {
			return some, nil
		}
		if err := w.write(batch); err != nil {
			return some, err
		}
		some = true
	}
}

// writeRest writes what is left when the writer is closed. err is how the last attempt has failed, nil if it has not.
func (w *writer) writeRest(err error) {
	for wait := closeRetry; ; wait *= 2 {
		if err == nil {
			_, err = w.writeDue()
		}
		if err == nil {
			return
		}
		w.failed(err)
		if wait > closeMost {
			return
		}
		select {
		case <-w.ctx.Done():
			return
		case <-time.After(wait):
			err = nil
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
	if len(w.batches) == 0 {
		return nil
	}
	batch := w.batches[0]
	if len(batch) < w.batch && w.urgent <= w.written && !w.closing {
		return nil
	}
	w.sealed = len(w.batches) == 1
	return batch
}

// write hands a batch to the store and notes what came of it.
func (w *writer) write(batch []Record) error {
	ctx, cancel := context.WithTimeout(w.ctx, appendTimeout)
	defer cancel()
	if err := w.store.Append(ctx, batch); err != nil {
		return err
	}
	w.mu.Lock()
	w.remove()
	w.since += int64(len(batch))
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

// remove takes the batch that has been written from those that wait. The caller holds the mutex.
func (w *writer) remove() {
	w.last = len(w.batches[0])
	w.written += int64(w.last)
	w.batches = slices.Delete(w.batches, 0, 1)
	if w.pending() > 0 && w.urgent <= w.written && w.timer == nil {
		w.arm(w.interval)
	}
	w.waiting = slices.DeleteFunc(w.waiting, func(f flusher) bool {
		if f.written > w.written {
			return false
		}
		close(f.done)
		return true
	})
}

// postpone notes that the store took nothing, and plans the next attempt.
func (w *writer) postpone(wait time.Duration, err error) {
	w.failed(err)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		w.arm(wait)
	}
}

// failed notes that the store took nothing.
func (w *writer) failed(err error) {
	w.mu.Lock()
	first := w.err == nil
	w.err = err
	w.mu.Unlock()
	if first {
		w.logger.Error("records cannot be written", "error", err)
	}
}

// flush returns when everything that is pending now has been written, or ctx ends.
func (w *writer) flush(ctx context.Context) error {
	w.mu.Lock()
	if w.pending() == 0 {
		w.mu.Unlock()
		return nil
	}
	f := flusher{w.added, make(chan struct{})}
	w.waiting = append(w.waiting, f)
	w.urgent = w.added
	w.rouse()
	w.mu.Unlock()
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting = slices.DeleteFunc(w.waiting, func(other flusher) bool { return other == f })
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
	if lost := w.pending(); lost > 0 {
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
	return writerState{pending: w.pending(), written: w.written, dropped: w.dropped, err: w.err}
}
