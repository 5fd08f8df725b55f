package analytics_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/system/analytics"
	"github.com/ccproxy-go/ccproxy/system/analytics/analyticstest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	analyticstest.TestStore(t, func(t *testing.T) analytics.Store {
		t.Helper()
		s, err := analytics.OpenMemory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	analyticstest.TestStore(t, func(t *testing.T) analytics.Store {
		t.Helper()
		s, err := analytics.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a b?c#d%.db"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// TestSums asks for more sums than the suite does.
func TestSums(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("takes fifty times as long with the race detector, and the suite does some of it")
	}
	s, err := analytics.OpenMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	analyticstest.CheckSums(t, s, 31, 150, nil)
}

// Whoever deletes everything means the file, too. The store goes on with it afterwards.
func TestResetOfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "reset.db")
	store, err := analytics.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	const marker = "marker-of-a-person"
	add := func() {
		now := time.Now()
		records := make([]analytics.Record, 100)
		for i := range records {
			records[i] = analytics.Record{ID: analytics.NewID(now), Time: now, UserAgent: marker, Outcome: "error"}
		}
		if err := store.Append(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	add()
	if n, err := store.Reset(t.Context()); err != nil || n != 100 {
		t.Fatalf("Reset = %d, %v", n, err)
	}
	for _, name := range []string{path, path + "-wal"} {
		if data, err := os.ReadFile(name); err != nil || bytes.Contains(data, []byte(marker)) {
			t.Errorf("%s has something of the records still, %v", filepath.Base(name), err)
		}
	}
	add()
	page, err := store.Query(t.Context(), analytics.Query{})
	if err != nil || len(page.Records) != 100 {
		t.Errorf("%d records afterwards, %v", len(page.Records), err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
