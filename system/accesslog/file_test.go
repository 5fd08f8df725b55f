package accesslog

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func opened(t *testing.T, path string, batch int) *file {
	t.Helper()
	f := &file{path: path, batch: batch, interval: time.Second, logger: slog.New(slog.DiscardHandler)}
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.close() })
	return f
}

func write(t *testing.T, f *file, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if _, err := f.Write([]byte(l + "\n")); err != nil {
			t.Fatal(err)
		}
	}
}

func want(t *testing.T, path, text string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(got)); diff != "" {
		t.Errorf("%s mismatch (-want +got):\n%s", filepath.Base(path), diff)
	}
}

func TestFileWritesFullBatches(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	f := opened(t, path, 2)
	write(t, f, "1")
	want(t, path, "")
	write(t, f, "2", "3")
	want(t, path, "1\n2\n")
	long := strings.Repeat("x", flushBytes)
	write(t, f, long)
	want(t, path, "1\n2\n3\n"+long+"\n")
}

func TestFileWritesInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a.log")
		f := opened(t, path, 100)
		for _, l := range []string{"1", "2"} {
			write(t, f, l)
			time.Sleep(time.Second - time.Nanosecond)
			if got, _ := os.ReadFile(path); strings.Contains(string(got), l) {
				t.Errorf("line %s is written before its time", l)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
		}
		want(t, path, "1\n2\n")
	})
}

func TestFileFollowsRotation(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be renamed here")
	}
	path := filepath.Join(t.TempDir(), "a.log")
	f := opened(t, path, 1)
	write(t, f, "1")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, f, "2")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, f, "3")
	want(t, path+".1", "1\n")
	want(t, path, "3\n")
}

// TestFullDisk holds that a disk that takes nothing costs lines only beyond the buffer, and says so.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("needs " + full)
	}
	var out bytes.Buffer
	f := &file{path: full, batch: 1, interval: time.Hour, logger: slog.New(slog.NewTextHandler(&out, nil))}
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	p := &plugin{client: &sink{file: f}}
	line := strings.Repeat("x", maxPending/4)
	write(t, f, line, line, line, line, line)
	if h := p.HealthCheck(t.Context()); h.Status != "warn" || h.Details["lost_lines"] != int64(2) {
		t.Errorf("health = %+v, want a warning with 2 lost lines", h)
	}
	if n := strings.Count(out.String(), "access log cannot be written"); n != 1 {
		t.Errorf("trouble is logged %d times, want once", n)
	}
	disk := filepath.Join(t.TempDir(), "a.log")
	f.mu.Lock()
	f.path = disk // as if there were room again
	f.mu.Unlock()
	write(t, f, "last")
	want(t, disk, strings.Repeat(line+"\n", 3)+"last\n")
	if h := p.HealthCheck(t.Context()); h.Status != "" {
		t.Errorf("health = %+v, want none to speak of", h)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
}
