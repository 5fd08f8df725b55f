package analytics_test

import (
	"path/filepath"
	"testing"

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
