package analytics_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/ccproxy-go/ccproxy/system/analytics"
	"github.com/ccproxy-go/ccproxy/system/analytics/analyticstest"
)

// age makes a database what version 1 of the schema was: the records alone.
func age(t *testing.T, db *sql.DB) {
	t.Helper()
	for _, text := range []string{
		"DROP TABLE ccproxy_requests_by_model", "DROP TABLE ccproxy_requests_by_account",
		"DROP TABLE ccproxy_requests_by_caller", "DROP TABLE ccproxy_requests_rollups",
		"DELETE FROM ccproxy_requests_schema", "INSERT INTO ccproxy_requests_schema (version) VALUES (1)",
	} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// oldIndexes are those that version 1 made in SQLite and this version does not.
var oldIndexes = []string{"model", "provider", "account"}

// TestOldSQLite and TestOldPostgres open databases of version 1.
func TestOldSQLite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "old.db")
	checkOld(t, "sqlite", path, func() (analytics.Store, error) { return analytics.OpenSQLite(t.Context(), path) })
}

// checkOld has a database whose records are rolled up while it is in use, and is closed and opened meanwhile: the sums
// are right at every moment, and in the end rollups have everything.
func checkOld(t *testing.T, driver, address string, open func() (analytics.Store, error)) {
	t.Helper()
	mustOpen := func() analytics.Store {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	closing := func(s analytics.Store) {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := mustOpen()
	number, seeds, steps := 13_000, uint64(6), 20
	if raceEnabled { // which takes fifty times as long
		number, seeds, steps = 5_500, 2, 2
	}
	records := analyticstest.Records(21, number)
	early := records[:20]
	for i := range early {
		early[i].Time = early[i].Time.AddDate(-60, 0, 0)
	}
	if err := s.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	closing(s)
	age(t, db)
	if driver == "sqlite" {
		for _, name := range oldIndexes {
			text := "CREATE INDEX ccproxy_requests_" + name + " ON ccproxy_requests (" + name + ", at)"
			if _, err := db.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
	}

	s = mustOpen()
	if unfinished(t, db) == 0 {
		t.Error("opening has waited for all records to be rolled up")
	}
	for seed := range seeds {
		more := analyticstest.Records(seed+22, 50)
		if err := s.Append(t.Context(), append(more, records[seed*1000:][:50]...)); err != nil {
			t.Fatal(err)
		}
		records = append(records, more...)
		checkTotals(t, s, records)
		if seed%2 == 1 {
			closing(s)
			s = mustOpen()
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for unfinished(t, db) > 0 {
		select {
		case <-ctx.Done():
			t.Fatal("the records are not rolled up")
		case <-time.After(5 * time.Millisecond): // the store tells nobody
		}
	}
	checkTotals(t, s, records)
	var rolled int
	count := "SELECT SUM(requests) FROM ccproxy_requests_by_caller"
	if err := db.QueryRowContext(t.Context(), count).Scan(&rolled); err != nil || rolled != len(records)-len(early) {
		t.Errorf("%d records are rolled up, %v, want %d", rolled, err, len(records)-len(early))
	}
	if driver == "sqlite" {
		var left int
		count := "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('ccproxy_requests_model', " +
			"'ccproxy_requests_provider', 'ccproxy_requests_account')"
		if err := db.QueryRowContext(t.Context(), count).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d indexes are left that nobody needs, %v", left, err)
		}
	}
	analyticstest.CheckSums(t, s, 1000, steps, records)
	closing(s)
}

func unfinished(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	count := "SELECT COUNT(*) FROM ccproxy_requests_rollups WHERE unfinished <> 0"
	if err := db.QueryRowContext(t.Context(), count).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func checkTotals(t *testing.T, s analytics.Store, records []analytics.Record) {
	t.Helper()
	begin := time.Date(2026, 3, 2, 5, 17, 0, 0, time.UTC)
	for _, a := range []analytics.Aggregation{
		{By: []analytics.Dimension{analytics.ByProvider, analytics.ByModel}},
		{By: []analytics.Dimension{analytics.ByAccount}, Filter: analytics.Filter{From: begin}},
		{By: []analytics.Dimension{analytics.ByCaller}, Filter: analytics.Filter{From: begin, Until: begin.AddDate(0, 0, 2)}},
	} {
		got, err := s.Aggregate(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(analyticstest.Sum(records, a), got); diff != "" {
			t.Fatalf("by %v (-want +got):\n%s", a.By, diff)
		}
	}
}
