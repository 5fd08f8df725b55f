package analytics_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/system/analytics"
	"github.com/ccproxy-go/ccproxy/system/analytics/analyticstest"
)

// rowsVariable says with how many records TestMillion works.
const rowsVariable = "ANALYTICS_ROWS"

// TestMillion prints how long the questions take that clients ask:
//
//	ANALYTICS_ROWS=1000000 go test -run Million -v -timeout 10m .
//
//nolint:paralleltest // it measures
func TestMillion(t *testing.T) {
	rows, _ := strconv.Atoi(os.Getenv(rowsVariable))
	if rows == 0 {
		t.Skip("takes minutes: set " + rowsVariable + ", for instance to 1000000")
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "million.db")
		s, err := analytics.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		measure(t, s, rows)
		if info, err := os.Stat(path); err == nil {
			t.Logf("%-44s %8d MiB", "size of the file", info.Size()>>20)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		s := openPostgres(t)
		defer s.Close()
		measure(t, s, rows)
	})
}

// measure fills a store with records of thirty days and asks it everything.
func measure(t *testing.T, s analytics.Store, rows int) {
	t.Helper()
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	step := 30 * 24 * time.Hour / time.Duration(rows)
	var spent time.Duration
	const batch = 500
	for n := 0; n < rows; n += batch {
		records := analyticstest.Records(uint64(n), batch)
		for i := range records {
			records[i].Time = begin.Add(time.Duration(n+i) * step).Truncate(time.Microsecond)
			records[i].Caller = "caller-" + strconv.Itoa((n+i)%200)
			records[i].Session = "session-" + strconv.Itoa((n+i)/20)
			if (n+i)%50_000 == 777 {
				records[i].Model = "rare"
			}
		}
		began := time.Now()
		if err := s.Append(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		spent += time.Since(began)
	}
	t.Logf("%-44s %8.0f rows/s", "append, 500 at a time", float64(rows)/spent.Seconds())
	end := begin.Add(30 * 24 * time.Hour)
	lastDay := analytics.Filter{From: end.Add(-24 * time.Hour)}
	page := func(name string, q analytics.Query) {
		began := time.Now()
		p, err := s.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-44s %8.1f ms, %d records", name, milli(began), len(p.Records))
	}
	sum := func(name string, f analytics.Filter, by ...analytics.Dimension) {
		began := time.Now()
		g, err := s.Aggregate(t.Context(), analytics.Aggregation{Filter: f, By: by})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-44s %8.1f ms, %d groups", name, milli(began), len(g))
	}
	any1 := func(s string) analytics.Words { return analytics.Words{Any: []string{s}} }
	middle := analytics.Position{Time: begin.Add(15 * 24 * time.Hour)}
	page("query, first page of 100", analytics.Query{Limit: 100})
	page("query, first page of 1000", analytics.Query{})
	page("query, page of 1000 in the middle", analytics.Query{After: middle})
	page("query, 1000 of a model", analytics.Query{Filter: analytics.Filter{Models: any1("m1")}})
	page("query, the few of a model", analytics.Query{Filter: analytics.Filter{Models: any1("rare")}})
	page("query, a model that is not there", analytics.Query{Filter: analytics.Filter{Models: any1("nothing")}})
	page("query, 1000 of an account", analytics.Query{Filter: analytics.Filter{Accounts: any1("a1")}})
	page("query, a provider that is not there", analytics.Query{Filter: analytics.Filter{Providers: any1("nobody")}})
	page("query, 1000 of a caller", analytics.Query{Filter: analytics.Filter{Callers: any1("caller-7")}})
	page("query, a session", analytics.Query{Filter: analytics.Filter{Sessions: any1("session-9")}})
	page("query, a caller that is not there", analytics.Query{Filter: analytics.Filter{Callers: any1("nobody")}})
	page("query, 1000 with status 5xx", analytics.Query{Filter: analytics.Filter{StatusMin: 500, StatusMax: 599}})
	page("query, status that is not there", analytics.Query{Filter: analytics.Filter{StatusMin: 418, StatusMax: 418}})
	sum("sums of a day", lastDay)
	sum("sums of a day by hour and model", lastDay, analytics.ByHour, analytics.ByModel)
	sum("sums of a day by caller", lastDay, analytics.ByCaller)
	sum("sums of 30 days", analytics.Filter{})
	sum("sums of 30 days by day", analytics.Filter{}, analytics.ByDay)
	sum("sums of 30 days by hour", analytics.Filter{}, analytics.ByHour)
	sum("sums of 30 days by model", analytics.Filter{}, analytics.ByModel)
	sum("sums of 30 days by provider", analytics.Filter{}, analytics.ByProvider)
	sum("sums of 30 days by caller", analytics.Filter{}, analytics.ByCaller)
	sum("sums of 30 days of a caller by day", analytics.Filter{Callers: any1("caller-7")}, analytics.ByDay)
	began := time.Now()
	n, err := s.Prune(t.Context(), begin.Add(24*time.Hour), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%-44s %8.1f ms, %d records", "prune of the oldest day", milli(began), n)
}

func milli(began time.Time) float64 { return float64(time.Since(began).Microseconds()) / 1000 }
