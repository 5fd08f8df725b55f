// Package spool writes files of bounded number and size into one directory, off the path of whoever has them to write.
package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// maxWaiting bounds the jobs that wait, however short they are.
const maxWaiting = 4096

// quiet is how long nothing is logged after a fault was: a disk that is all but full takes some files and some not.
const quiet = time.Minute

// maxStuck bounds the files that are tried to be removed in vain for one that is to be written.
const maxStuck = 8

// File is a file to be written. Its name has no directory.
type File struct {
	Name string
	Data []byte
}

// Options say where files go and how much of them there may be.
type Options struct {
	// Dir is made, with mode 0700, if it is not there.
	Dir string
	// MaxFiles and MaxBytes bound what is kept, at any moment: the oldest files go before a new one comes. One that is
	// larger than MaxBytes is not written. Required.
	MaxFiles int
	MaxBytes int64
	// Owns tells the names of files that may be removed. Others are left alone. Required.
	Owns func(name string) bool
	// Logger is told when files cannot be written, and when they can be again; not of each. Nil logs nothing.
	Logger *slog.Logger
}

// State tells how a spool is doing.
type State struct {
	Written, Lost int64 // files that were written, and jobs of which a file was not
	Err           error // of the last job
}

// Spool is a directory and the goroutine that writes to it. Its methods may be called concurrently.
type Spool struct {
	opts Options
	done chan struct{}

	mu     sync.Mutex
	wake   *sync.Cond
	queue  []func() []File
	closed bool

	written, lost atomic.Int64
	err           atomic.Pointer[error]

	kept  []kept // of the goroutine: oldest first
	bytes int64

	failing bool      // of the goroutine, too: a fault was logged and is not over
	said    time.Time // when a fault was logged
	missed  int64     // jobs lost since then
}

type kept struct {
	name string
	size int64
}

// Open makes the directory and begins to write. Close ends it. A directory that others may write to, whose it is among
// them, is refused: they could put links where files are about to be.
func Open(o Options) (*Spool, error) {
	if err := os.MkdirAll(o.Dir, dirMode); err != nil {
		return nil, err
	}
	info, err := os.Stat(o.Dir)
	if err != nil {
		return nil, err
	}
	if !ours(info) {
		return nil, fmt.Errorf("%s belongs to another user", o.Dir)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s can be written to by others (mode %04o, want 0700)", o.Dir, info.Mode().Perm())
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Spool{opts: o, done: make(chan struct{})}
	s.wake = sync.NewCond(&s.mu)
	if err := s.list(); err != nil {
		return nil, err
	}
	go s.run()
	return s, nil
}

// list finds what earlier runs left.
func (s *Spool) list() error {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !s.opts.Owns(e.Name()) {
			continue
		}
		s.kept = append(s.kept, kept{e.Name(), info.Size()})
		s.bytes += info.Size()
	}
	slices.SortFunc(s.kept, func(a, b kept) int { return cmp.Compare(a.name, b.name) })
	_ = s.room(0, 0) // what cannot be removed is told of when there is something to write
	return nil
}

// Put has job make files later, which are written then. It never waits; false tells that there is no room, or that the
// spool is closed, and that job is not called.
func (s *Spool) Put(job func() []File) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.queue) >= maxWaiting {
		s.lost.Add(1)
		return false
	}
	s.queue = append(s.queue, job)
	s.wake.Signal()
	return true
}

func (s *Spool) run() {
	defer close(s.done)
	for {
		job := s.next()
		if job == nil {
			return
		}
		s.do(job)
	}
}

// do writes the files of a job, all that can be written. The first error is the job's.
func (s *Spool) do(job func() []File) {
	files, err := callJob(job)
	for _, f := range files {
		if e := s.write(f); err == nil {
			err = e
		}
	}
	if err != nil || len(files) > 0 { // a job without files tells nothing of the directory
		s.report(err)
	}
}

// report counts and logs how a job went.
func (s *Spool) report(err error) {
	if err == nil {
		s.err.Store(nil)
		if s.failing {
			s.failing = false
			s.opts.Logger.Info("files can be written again", "dir", s.opts.Dir, "lost", s.missed)
		}
		return
	}
	s.lost.Add(1)
	s.err.Store(&err)
	if !s.failing && (s.said.IsZero() || time.Since(s.said) >= quiet) {
		s.failing, s.said, s.missed = true, time.Now(), 0
		s.opts.Logger.Warn("a file cannot be written", "dir", s.opts.Dir, "error", err)
	}
	s.missed++
}

// next waits for a job; nil means that there will be none.
func (s *Spool) next() func() []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.closed {
		s.wake.Wait()
	}
	if len(s.queue) == 0 {
		return nil
	}
	job := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	return job
}

// callJob calls a job. What it does not survive is one job that is lost.
func callJob(job func() []File) (files []File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("a file could not be put together")
		}
	}()
	return job(), nil
}

func (s *Spool) write(f File) error {
	if f.Name == "" || f.Name != filepath.Base(f.Name) || !s.opts.Owns(f.Name) {
		return errors.New("a file has a name that is not the spool's")
	}
	size := int64(len(f.Data))
	if size > s.opts.MaxBytes {
		return fmt.Errorf("a file of %d bytes is larger than all may be: %d bytes", size, s.opts.MaxBytes)
	}
	if err := s.room(1, size); err != nil {
		return fmt.Errorf("no room for another file: %w", err)
	}
	err := s.create(f)
	if errors.Is(err, fs.ErrNotExist) { // somebody tidied up
		if os.MkdirAll(s.opts.Dir, dirMode) == nil {
			err = s.create(f)
		}
	}
	if err != nil {
		return err
	}
	s.written.Add(1)
	s.kept = append(s.kept, kept{f.Name, size})
	s.bytes += size
	return nil
}

// create makes a new file. It follows no link, since a name that is taken is an error.
func (s *Spool) create(f File) error {
	path := filepath.Join(s.opts.Dir, f.Name)
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.Data)
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(path) // half a file would look like a whole one
	}
	return err
}

// room removes the oldest files until more may come. A file that cannot be removed counts as long as it is there; it
// is tried again after the others.
func (s *Spool) room(files int, size int64) error {
	stuck := 0
	for len(s.kept) > 0 && (len(s.kept)+files > s.opts.MaxFiles || s.bytes+size > s.opts.MaxBytes) {
		oldest := s.kept[0]
		err := os.Remove(filepath.Join(s.opts.Dir, oldest.name))
		s.kept = s.kept[1:]
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			s.bytes -= oldest.size
			continue
		}
		s.kept = append(s.kept, oldest)
		if stuck++; stuck >= min(maxStuck, len(s.kept)) {
			return err
		}
	}
	return nil
}

// State tells how many files were written and jobs lost.
func (s *Spool) State() State {
	st := State{Written: s.written.Load(), Lost: s.lost.Load()}
	if err := s.err.Load(); err != nil {
		st.Err = *err
	}
	return st
}

// Close writes what waits, until ctx ends, and takes nothing any more. The nil Spool is closed.
func (s *Spool) Close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	s.closed = true
	s.wake.Broadcast()
	s.mu.Unlock()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.lost.Add(int64(len(s.queue)))
	s.queue = nil
	s.mu.Unlock()
	return ctx.Err()
}

// SafeName returns what a file may be called after: letters, digits, dots, hyphens and underscores, at most 64.
func SafeName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), 64)]
}
