package budgets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxFile is larger than what DefaultMaxKeys take.
const maxFile = 64 << 20

// file is a [Memory] that is written to a file a moment after it has changed.
type file struct {
	Memory

	path     string
	interval time.Duration
	logger   *slog.Logger

	mu     sync.Mutex
	timer  *time.Timer // set while changes wait
	closed bool
	err    error // of the last attempt to write
}

// document is what the file holds.
type document struct {
	Version int     `json:"version"`
	Entries []Entry `json:"entries"`
}

// open reads the file, if it is there.
func (f *file) open() error {
	in, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("budgets: %w", err)
	}
	defer in.Close() // only read
	var doc document
	if err := json.NewDecoder(io.LimitReader(in, maxFile)).Decode(&doc); err != nil {
		return fmt.Errorf("budgets: read %s: %w", f.path, err) // beginning anew would give everything away again
	}
	for _, e := range doc.Entries {
		if err := f.Memory.Add(context.Background(), []Key{e.Key}, e.Spent); err != nil {
			return fmt.Errorf("budgets: read %s: %w", f.path, err)
		}
	}
	return nil
}

// Add implements [Store].
func (f *file) Add(ctx context.Context, keys []Key, s Spent) error {
	if err := f.Memory.Add(ctx, keys, s); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer == nil && !f.closed {
		f.timer = time.AfterFunc(f.interval, f.tick)
	}
	return nil
}

func (f *file) tick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.timer = nil
	f.save()
	if f.err != nil {
		f.timer = time.AfterFunc(f.interval, f.tick)
	}
}

// save writes the file. The caller holds the mutex, so that an older state never follows a newer one.
func (f *file) save() {
	err := f.write()
	switch {
	case err != nil && f.err == nil:
		f.logger.Error("budgets cannot be saved", "error", err)
	case err == nil && f.err != nil:
		f.logger.Info("budgets can be saved again")
	}
	f.err = err
}

// write replaces the file in one step.
func (f *file) write() (err error) {
	body, err := json.Marshal(document{Version: 1, Entries: f.entries(func(Key) bool { return true })})
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name()) // nobody needs it any more
		}
	}()
	_, err = tmp.Write(body)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), f.path)
}

// state returns why the last attempt to write failed.
func (f *file) state() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// close writes what waits.
func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	if f.timer == nil {
		return nil
	}
	f.timer.Stop()
	f.save()
	return f.err
}
