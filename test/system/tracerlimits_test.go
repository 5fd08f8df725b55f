package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/commandreplay"
	"github.com/ccproxy-go/ccproxy/system/requesttracer"
)

// TestTracerLimits looks into the directories all the time while requests go on: they never have more files or bytes
// than they may, and in the end the newest.
func TestTracerLimits(t *testing.T) {
	t.Parallel()
	requests := pairings
	if raceEnabled {
		requests = 2 * int(endings) // the race detector makes it ten times as long
	}
	for _, tt := range []struct {
		name   string
		limits map[string]any
		files  int
		bytes  int64
	}{
		{name: "files", limits: map[string]any{"max_files": 7}, files: 7, bytes: 1 << 30},
		{name: "bytes", limits: map[string]any{"max_total_size": 9000}, files: 5000, bytes: 9000},
		{name: "a file is too large", limits: map[string]any{"max_total_size": 900}, files: 5000, bytes: 900},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := startTracer(t, requesttracer.Name, tt.limits)
				asked := make(chan struct{})
				go func() {
					defer close(asked)
					rig.askAll(0, requests)
				}()
				look := func() {
					checkSize(t, rig.traces, tt.files, tt.bytes)
					checkSize(t, rig.scripts, tt.files, tt.bytes)
				}
				for done := false; !done; {
					look()
					select {
					case <-asked:
						done = true
					case <-time.After(5 * time.Millisecond):
					}
				}
				rig.stop()
				look()
				rig.compareAnswers(0, requests)
				rig.compareNewest(requests)
			})
		})
	}
}

// checkSize counts what is in a directory.
func checkSize(t *testing.T, dir string, files int, size int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	var sum int64
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it made room
		}
		if err != nil {
			t.Error(err)
			continue
		}
		sum += info.Size()
	}
	if len(entries) > files || sum > size {
		t.Errorf("%s has %d files of %d bytes, may have %d of %d", filepath.Base(dir), len(entries), sum, files, size)
	}
}

// compareNewest holds that what is left is of the last requests.
func (r *tracerRig) compareNewest(requests int) {
	r.t.Helper()
	for dir, each := range map[string]int{r.traces: 2, r.scripts: 1} { // numbers an exchange takes
		last := each * r.exchanges(0, requests)
		var numbers []int
		for _, files := range readTraces(r.t, dir) {
			for _, f := range files {
				numbers = append(numbers, f.number)
			}
		}
		if len(numbers) == 0 {
			r.t.Errorf("%s is empty", filepath.Base(dir))
			continue
		}
		const racing = 60 // exchanges that end together, and files that are too large between them
		if first := slices.Min(numbers); first < last-racing {
			r.t.Errorf("%s still has file %d, and %d was written", filepath.Base(dir), first, last)
		}
	}
}

// exchanges is how many there were on both sides for plans from one number to before another.
func (r *tracerRig) exchanges(from, to int) int {
	sum := to - from
	for n := from; n < to; n++ {
		sum += len(r.witness.of(n))
	}
	return sum
}

// TestTracerWithoutDirectory takes the directories away while requests go on, and gives them back: no request feels
// it, and whoever runs the proxy is told once.
func TestTracerWithoutDirectory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{requesttracer.Name, requesttracer.Alias} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := startTracer(t, name, nil)
				const some = int(endings)
				rig.askAll(0, some)
				synctest.Wait()
				rig.checkHealth(0)
				before := len(readTraces(t, rig.traces))
				for _, dir := range []string{rig.traces, rig.scripts} {
					if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o600)); err != nil {
						t.Fatal(err)
					}
				}
				rig.askAll(some, 3*some)
				synctest.Wait()
				rig.compareAnswers(0, 3*some)
				rig.checkHealth(rig.exchanges(some, 3*some))
				if n := len(rig.log.lines("level=WARN", "cannot be written")); n != 2 {
					t.Errorf("%d warnings, want one of each plugin", n)
				}
				for _, dir := range []string{rig.traces, rig.scripts} {
					if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)); err != nil {
						t.Fatal(err)
					}
				}
				rig.askAll(3*some, 4*some)
				synctest.Wait()
				rig.checkHealth(0)
				rig.stop()
				rig.compareAnswers(3*some, 4*some)
				if n := len(rig.log.lines("can be written again", "lost=")); n != 2 {
					t.Errorf("%d times told that files can be written again, want once by each plugin", n)
				}
				if after := len(readTraces(t, rig.traces)); before != some || after != 2*some {
					t.Errorf("files of %d requests, then of %d, want %d and %d", before, after, some, 2*some)
				}
			})
		})
	}
}

// checkHealth asks both plugins whether they can write, and if not how many messages were lost.
func (r *tracerRig) checkHealth(want int) {
	r.t.Helper()
	monitor, ok := r.eye.plugins.(ccproxy.Monitor)
	if !ok {
		r.t.Fatal("no monitor")
	}
	for name, lost := range map[string]string{r.name: "traces_lost", commandreplay.Name: "scripts_lost"} {
		h := monitor.Health(r.t.Context(), name)
		got := fmt.Sprintf("%s", h.Details[lost])
		if (h.Status == ccproxy.HealthWarn) != (want > 0) || want > 0 && got != strconv.Itoa(want) {
			r.t.Errorf("%s: %s %q, %s lost, want %d", name, h.Status, h.Output, got, want)
		}
	}
}
