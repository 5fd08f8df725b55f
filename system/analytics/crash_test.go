package analytics_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/system/analytics"
	"github.com/ccproxy-go/ccproxy/system/analytics/analyticstest"
)

// crashPath is the variable that makes this test binary a process that writes until it is killed.
const crashPath = "ANALYTICS_CRASH_PATH"

const crashBatch = 50

// writeUntilKilled writes batch after batch and tells of each when it is stored.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	s, err := analytics.OpenSQLite(ctx, path)
	if err != nil {
		return err
	}
	for seed := uint64(0); ; seed++ {
		if err := s.Append(ctx, analyticstest.Records(seed, crashBatch)); err != nil {
			return err
		}
		if _, err := fmt.Println(seed + 1); err != nil {
			return err
		}
	}
}

// TestKill kills a process in the middle of writing, several times: everything that it had told of as stored is there,
// and of the batch that it was at all or nothing.
func TestKill(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		path := filepath.Join(t.TempDir(), "crash.db")
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), crashPath+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told := 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if told, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
			if told == 10*(round+1) {
				time.AfterFunc(time.Duration(round)*time.Millisecond, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait() // it was killed
		s, err := analytics.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatalf("the database does not open after the kill: %v", err)
		}
		sums, err := s.Aggregate(t.Context(), analytics.Aggregation{})
		if err != nil {
			t.Fatal(err)
		}
		n := int(sums[0].Totals.Requests)
		if n < told*crashBatch || n > (told+1)*crashBatch || n%crashBatch != 0 {
			t.Errorf("%d records are there, want %d and the next %d all or none", n, told*crashBatch, crashBatch)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
