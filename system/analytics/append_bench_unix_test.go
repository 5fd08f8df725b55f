//go:build unix

package analytics_test

import (
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/system/analytics"
	"github.com/ccproxy-go/ccproxy/system/analytics/analyticstest"
)

// BenchmarkAppend stores records in batches as the plugin makes them, and tells the CPU time of this process for each:
//
//	go test -run '^$' -bench Append -benchtime 100x .
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{10, 200} {
		for _, batch := range []int{50, 500} {
			b.Run("callers="+strconv.Itoa(callers)+"/batch="+strconv.Itoa(batch), func(b *testing.B) {
				s, err := analytics.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "append.db"))
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				const warm = 20_000 // the table's indexes have some depth
				next := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
				seed := uint64(0)
				records := func() []analytics.Record {
					seed++
					some := analyticstest.Records(seed, batch)
					for i := range some {
						next = next.Add(7 * time.Millisecond)
						some[i].Time = next
						some[i].Caller = "caller-" + strconv.Itoa(int(some[i].RequestBytes)%callers)
						some[i].Session = "session-" + strconv.Itoa(int(next.Unix()/60)%1000)
					}
					return some
				}
				var spent time.Duration
				add := func() {
					some := records()
					began := processorTime()
					if err := s.Append(b.Context(), some); err != nil {
						b.Fatal(err)
					}
					spent += processorTime() - began
				}
				for range warm / batch {
					add()
				}
				spent = 0
				for b.Loop() {
					add()
				}
				b.ReportMetric(float64(spent.Microseconds())/float64(b.N*batch), "cpu-µs/record")
			})
		}
	}
}

// processorTime is what this process has used, its garbage collector included.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
