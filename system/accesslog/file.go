package accesslog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	fileMode = 0o600
	// flushBytes are written although the batch is not full: header fields of a megabyte make long lines.
	flushBytes = 64 << 10
	// maxPending is kept for a disk that takes nothing at the moment; what comes on top is lost.
	maxPending = 1 << 20
)

// file appends lines to a file, a batch at a time. Its methods may be called concurrently.
type file struct {
	path     string
	batch    int
	interval time.Duration
	logger   *slog.Logger

	mu      sync.Mutex
	f       *os.File // nil before open and after close
	pending []byte
	lines   int         // in pending
	timer   *time.Timer // set while lines wait
	err     error       // of the last attempt to write
	lost    int64       // lines that no buffer took
}

func (f *file) open() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	opened, err := openAppend(f.path)
	if err != nil {
		return err
	}
	f.f = opened
	return nil
}

func openAppend(path string) (*os.File, error) {
	opened, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, fileMode)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	return opened, nil
}

// Write takes one line. It fails only if the line is lost; trouble with the disk shows in the plugin's health.
func (f *file) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		f.lost++
		return 0, os.ErrClosed
	}
	if len(f.pending) > 0 && len(f.pending)+len(line) > maxPending {
		f.flush() // the last chance to make room
	}
	if len(f.pending) > 0 && len(f.pending)+len(line) > maxPending {
		f.lost++
		return len(line), nil // an error would have the hook left out for a while, and then more lines are lost
	}
	f.pending = append(f.pending, line...)
	f.lines++
	if f.lines >= f.batch || len(f.pending) >= flushBytes {
		f.flush()
	}
	f.arm()
	return len(line), nil
}

// arm sees to it that what waits is written in time. The caller holds the mutex.
func (f *file) arm() {
	if f.timer == nil && len(f.pending) > 0 {
		f.timer = time.AfterFunc(f.interval, f.tick)
	}
}

func (f *file) tick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timer = nil
	if f.f == nil {
		return
	}
	f.flush()
	f.arm()
}

// flush writes what waits. What the disk does not take goes on waiting. The caller holds the mutex.
func (f *file) flush() {
	if len(f.pending) == 0 {
		return
	}
	f.follow()
	n, err := f.f.Write(f.pending)
	f.pending = f.pending[:copy(f.pending, f.pending[n:])]
	if err == nil {
		f.lines = 0
	}
	switch {
	case err != nil && f.err == nil:
		f.logger.Error("access log cannot be written", "error", err)
	case err == nil && f.err != nil:
		f.logger.Info("access log can be written again", "lost_lines", f.lost)
	}
	f.err = err
}

// follow begins a new file when the old one was renamed or removed, as programs that rotate logs do. While that is
// not possible the old one goes on. The caller holds the mutex.
func (f *file) follow() {
	named, err := os.Stat(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		open, err := f.f.Stat()
		if err != nil || os.SameFile(named, open) {
			return
		}
	}
	next, err := openAppend(f.path)
	if err != nil {
		return
	}
	_ = f.f.Close() // whatever was written is with the system
	f.f = next
}

// state returns how many lines were lost, and the error of the last attempt to write.
func (f *file) state() (lost int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost, f.err
}

// close writes what waits and closes the file. Without open it does nothing.
func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return nil
	}
	if f.timer != nil {
		f.timer.Stop()
	}
	f.flush()
	lost := f.err
	err := f.f.Close()
	f.f, f.pending, f.lines = nil, nil, 0
	return errors.Join(lost, err)
}
