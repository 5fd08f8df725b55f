package spool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// TestRoomIsMadeFirst holds that nothing makes room for a file that could never be kept.
func TestRoomIsMadeFirst(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a")
	s := open(t, dir, 2, 9)
	s.Put(put("1.txt", "text"))
	s.Put(put("2.txt", "text"))
	s.Put(put("3.txt", "larger than all together"))
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); got != "1.txt 2.txt" {
		t.Errorf("files %s: one that could never be kept has taken the place of others", got)
	}
	if st := s.State(); st.Lost != 1 || st.Written != 2 || st.Err == nil {
		t.Errorf("%+v, want one lost", st)
	}
}

// TestWhatCannotBeRemovedCounts holds that files stay counted while they are there.
func TestWhatCannotBeRemovedCounts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a")
	s := open(t, dir, 2, 1000)
	s.Put(put("1.txt", "text"))
	s.Put(func() []spool.File { // a directory that is not empty cannot be removed, whoever tries
		stuck := filepath.Join(dir, "1.txt")
		if err := errors.Join(os.Remove(stuck), os.Mkdir(stuck, 0o700),
			os.WriteFile(filepath.Join(stuck, "x"), nil, 0o600)); err != nil {
			t.Error(err)
		}
		return nil
	})
	for i := range 5 {
		s.Put(put(fmt.Sprintf("%d.txt", 2+i), "text"))
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); got != "1.txt 6.txt" {
		t.Errorf("files %s, want the one that is stuck and the newest", got)
	}
}

// TestFaultsAreSaidOnce puts a file in the place of the directory, and takes it away again.
func TestFaultsAreSaidOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a")
	var log bytes.Buffer
	s, err := spool.Open(spool.Options{
		Dir: dir, MaxFiles: 9, MaxBytes: 99, Owns: owns, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Put(func() []spool.File {
		if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
			t.Error(err)
		}
		return nil
	})
	for i := range 3 { // two files a job
		s.Put(func() []spool.File {
			return []spool.File{{Name: fmt.Sprintf("%da.txt", i)}, {Name: fmt.Sprintf("%db.txt", i)}}
		})
	}
	s.Put(func() []spool.File {
		if st := s.State(); st.Lost != 3 || st.Err == nil {
			t.Errorf("%+v, want three jobs lost", st)
		}
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
		return []spool.File{{Name: "again.txt"}}
	})
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if st := s.State(); st.Lost != 3 || st.Written != 1 || st.Err != nil {
		t.Errorf("%+v, want three jobs lost and no fault any more", st)
	}
	text := log.String()
	if strings.Count(text, "\n") != 2 || strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "lost=3") {
		t.Errorf("log, want a warning and how many were lost:\n%s", text)
	}
}
