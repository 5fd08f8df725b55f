// Package spool writes files of bounded number and size into one directory, off the path of whoever has them to write.
package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// maxWaiting bounds the jobs that wait, however short they are.
const maxWaiting = 4096

// File is a file to be written. Its name has no directory.
type File struct {
	Name string
	Data []byte
}

// Options say where files go and how much of them there may be.
type Options struct {
	// Dir is made, with mode 0700, if it is not there.
	Dir string
	// MaxFiles and MaxBytes bound what is kept: the oldest files go first. Required.
	MaxFiles int
	MaxBytes int64
	// Owns tells the names of files that may be removed. Others are left alone. Required.
	Owns func(name string) bool
}

// State tells how a spool is doing.
type State struct {
	Written, Lost int64 // files that were written, and jobs that were not done
	Err           error // of the last attempt
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
}

type kept struct {
	name string
	size int64
}

// Open makes the directory and begins to write. Close ends it. A directory that others may write to is refused: they
// could put links where files are about to be.
func Open(o Options) (*Spool, error) {
	if err := os.MkdirAll(o.Dir, dirMode); err != nil {
		return nil, err
	}
	info, err := os.Stat(o.Dir)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s can be written to by others (mode %04o, want 0700)", o.Dir, info.Mode().Perm())
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
	s.trim()
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
		for _, f := range s.files(job) {
			s.write(f)
		}
	}
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

// files calls a job. What it does not survive is one job that is lost.
func (s *Spool) files(job func() []File) (files []File) {
	defer func() {
		if recover() != nil {
			s.fail(errors.New("a file could not be put together"))
		}
	}()
	return job()
}

func (s *Spool) write(f File) {
	if f.Name == "" || f.Name != filepath.Base(f.Name) || !s.opts.Owns(f.Name) {
		s.fail(errors.New("a file has a name that is not the spool's"))
		return
	}
	err := s.create(f)
	if errors.Is(err, fs.ErrNotExist) { // somebody tidied up
		if os.MkdirAll(s.opts.Dir, dirMode) == nil {
			err = s.create(f)
		}
	}
	if err != nil {
		s.fail(err)
		return
	}
	s.written.Add(1)
	s.err.Store(nil)
	s.kept = append(s.kept, kept{f.Name, int64(len(f.Data))})
	s.bytes += int64(len(f.Data))
	s.trim()
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

func (s *Spool) fail(err error) {
	s.lost.Add(1)
	s.err.Store(&err)
}

// trim removes the oldest files until the rest is within the limits.
func (s *Spool) trim() {
	for len(s.kept) > 0 && (len(s.kept) > s.opts.MaxFiles || s.bytes > s.opts.MaxBytes) {
		_ = os.Remove(filepath.Join(s.opts.Dir, s.kept[0].name)) // one that is gone already takes no room
		s.bytes -= s.kept[0].size
		s.kept = s.kept[1:]
	}
}

// State tells how many files were written and lost.
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
