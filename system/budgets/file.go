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

	"github.com/gofrs/flock"
)

// maxFile is larger than what DefaultMaxKeys take.
const maxFile = 64 << 20

const (
	// lockSuffix is that of the file that is locked while the file is written. It stays.
	lockSuffix = ".lock"
	lockWait   = 5 * time.Second
	lockPoll   = 10 * time.Millisecond
)

// file is a [Memory] that is written to a file a moment after it has changed. What is written is what the file has and
// what was added since, so that others may write to it, such as the proxy that takes this one's place.
type file struct {
	Memory

	path     string
	interval time.Duration
	logger   *slog.Logger

	mu      sync.Mutex
	unsaved map[Key]Spent // what was added since the file was read or written
	timer   *time.Timer   // set while changes wait
	closed  bool
	err     error // of the last attempt to write
}

// document is what the file holds.
type document struct {
	Version int     `json:"version"`
	Entries []Entry `json:"entries"`
}

// open reads the file, if it is there.
func (f *file) open() error {
	entries, err := f.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("budgets: %w", err) // beginning anew would give everything away again
	}
	f.replace(entries)
	return nil
}

// read returns what the file has.
func (f *file) read() ([]Entry, error) {
	in, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer in.Close() // only read
	var doc document
	if err := json.NewDecoder(io.LimitReader(in, maxFile)).Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w %s: %w", errBroken, f.path, err)
	}
	return doc.Entries, nil
}

var errBroken = errors.New("read")

// Add implements [Store].
func (f *file) Add(ctx context.Context, keys []Key, s Spent) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.Memory.Add(ctx, keys, s); err != nil {
		return err
	}
	if f.unsaved == nil {
		f.unsaved = make(map[Key]Spent)
	}
	for _, k := range keys {
		f.unsaved[k] = f.unsaved[k].Plus(s)
	}
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

// write adds what is not saved to what the file has, and takes that over. A file that is gone, or that somebody has
// broken, is made anew. The caller holds the mutex.
func (f *file) write() error {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	lock := flock.New(f.path+lockSuffix, flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	entries, err := f.read()
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errBroken):
		entries = f.entries(everything)
	case err != nil:
		return err
	default:
		for k, s := range f.unsaved {
			entries = append(entries, Entry{k, s})
		}
	}
	var all Memory
	all.replace(entries)
	entries = all.entries(everything)
	if err := f.put(document{Version: 1, Entries: entries}); err != nil {
		return err
	}
	f.replace(entries)
	f.unsaved = nil
	return nil
}

func everything(Key) bool { return true }

// put replaces the file in one step.
func (f *file) put(doc document) (err error) {
	body, err := json.Marshal(doc)
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
