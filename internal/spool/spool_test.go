package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/internal/spool"
)

func owns(name string) bool { return strings.HasSuffix(name, ".txt") }

func open(t *testing.T, dir string, files int, size int64) *spool.Spool {
	t.Helper()
	s, err := spool.Open(spool.Options{Dir: dir, MaxFiles: files, MaxBytes: size, Owns: owns})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(name, text string) func() []spool.File {
	return func() []spool.File { return []spool.File{{Name: name, Data: []byte(text)}} }
}

func names(t *testing.T, dir string) (list string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list += e.Name() + " "
	}
	return strings.TrimSpace(list)
}

func TestOldestMakeRoom(t *testing.T) {
	t.Parallel()
	for _, limit := range []struct {
		name  string
		files int
		size  int64
	}{{"number", 2, 1000}, {"size", 1000, 9}} {
		t.Run(limit.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "a", "b")
			for run := range 2 { // the second finds what the first left
				s := open(t, dir, limit.files, limit.size)
				for i := range 4 {
					if !s.Put(put(fmt.Sprintf("%d%d.txt", run, i), "text")) {
						t.Error("Put refused a file")
					}
				}
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
				want := fmt.Sprintf("%d2.txt %d3.txt", run, run)
				if got := names(t, dir); got != want {
					t.Errorf("files %s, want %s", got, want)
				}
			}
		})
	}
}

func TestNothingOfOthersIsTouched(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a")
	s := open(t, dir, 1, 100)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.Symlink(victim, filepath.Join(dir, "link.txt")); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{"link.txt", "../x.txt", "foreign.log", ""} {
		s.Put(put(name, "text"))
	}
	s.Put(func() []spool.File { panic("boom") })
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if st := s.State(); st.Lost != 5 || st.Written != 0 || st.Err == nil {
		t.Errorf("%+v, want 5 lost", st)
	}
	if _, err := os.Stat(victim); !errors.Is(err, os.ErrNotExist) {
		t.Error("a link was followed")
	}
	if s.Put(put("late.txt", "")) {
		t.Error("Put after Close took a file")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(spool.Options{Dir: dir, MaxFiles: 1, MaxBytes: 1, Owns: owns}); err == nil {
		t.Error("Open took a directory that everybody may write to")
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(spool.Options{Dir: file, MaxFiles: 1, MaxBytes: 1, Owns: owns}); err == nil {
		t.Error("Open took a file for a directory")
	}
}

func TestCloseDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "a"), 9, 99)
	hold := make(chan struct{})
	s.Put(func() []spool.File { <-hold; return nil })
	s.Put(put("a.txt", ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close = %v", err)
	}
	close(hold)
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	b := spool.NewBudget(10)
	if !b.Take(6) || b.Take(6) || b.Left() != 4 {
		t.Errorf("%d left, want 4", b.Left())
	}
	b.Return(6)
	if !b.Take(10) {
		t.Error("nothing was given back")
	}
}

func TestSafeName(t *testing.T) {
	t.Parallel()
	if got := spool.SafeName("../é/a b" + strings.Repeat("x", 99)); strings.ContainsAny(got, "/ é") || len(got) > 64 {
		t.Errorf("%q", got)
	}
}
