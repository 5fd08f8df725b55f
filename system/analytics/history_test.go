package analytics

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/system/dashboard"
)

var _ dashboard.Historian = (*Service)(nil)

// The sums are those of the records since the time, by days as by hours, and each token counts once.
func TestHistory(t *testing.T) {
	t.Parallel()
	store, err := OpenMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var records []Record
	for i, at := range []time.Time{noon.Add(-24 * time.Hour), noon, noon.Add(time.Hour), noon.Add(61 * time.Minute)} {
		cost := AmountOf(picos + 7)
		r := Record{
			ID: NewID(at), Time: at, Provider: "p", Model: "m", Outcome: "success", Cost: &cost, CacheInInput: i%2 == 0,
			Tokens: &Tokens{Input: 10, Output: 5, CacheRead: 3, CacheWrite: 1},
		}
		records = append(records, r)
	}
	if err := store.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	hour := func(requests, input int64) map[string]int64 {
		return map[string]int64{
			"requests": requests, "errors": 0, "canceled": 0, "tokens_input": input, "tokens_output": 5 * requests,
			"cache_read_tokens": 3 * requests, "cache_write_tokens": requests,
			"cost_picodollars": requests * (picos + 7), "cost_unknown": 0,
		}
	}
	for _, tt := range []struct {
		name  string
		daily bool
		want  map[time.Time]map[string]int64
	}{
		{name: "hours", want: map[time.Time]map[string]int64{noon: hour(1, 10), noon.Add(time.Hour): hour(2, 16)}},
		{name: "days", daily: true, want: map[time.Time]map[string]int64{noon.Add(-12 * time.Hour): hour(3, 26)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := make(map[time.Time]map[string]int64)
			err := (&Service{store: store}).History(t.Context(), noon, tt.daily,
				func(at time.Time, provider, model string, sums map[string]int64) {
					if provider != "p" || model != "m" {
						t.Errorf("a sum of %s/%s", provider, model)
					}
					got[at.UTC()] = sums
				})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("History mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHistoryOfNonsense has an upstream that says it took more from caches than there was.
func TestHistoryOfNonsense(t *testing.T) {
	t.Parallel()
	store, err := OpenMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	r := Record{ID: NewID(time.Unix(0, 0)), Time: time.Unix(0, 0), CacheInInput: true, Tokens: &Tokens{Input: 1, CacheRead: 9}}
	if err := store.Append(t.Context(), []Record{r}); err != nil {
		t.Fatal(err)
	}
	err = (&Service{store: store}).History(t.Context(), time.Unix(0, 0), false,
		func(_ time.Time, _, _ string, sums map[string]int64) {
			if sums["tokens_input"] != 0 {
				t.Errorf("%d tokens of input", sums["tokens_input"])
			}
		})
	if err != nil {
		t.Error(err)
	}
}

// However much upstreams claim, a cost that is too large for its number is the largest, and no debt.
func TestHistoryOfAbsurdCosts(t *testing.T) {
	t.Parallel()
	store, err := OpenMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	now := time.Now()
	for range 2 {
		cost := AmountOf(5_000_000 * picos)
		if err := store.Append(t.Context(), []Record{{ID: NewID(now), Time: now, Outcome: "success", Cost: &cost}}); err != nil {
			t.Fatal(err)
		}
	}
	err = (&Service{store: store}).History(t.Context(), now.Add(-time.Hour), false,
		func(_ time.Time, _, _ string, sums map[string]int64) {
			if got := sums["cost_picodollars"]; got != math.MaxInt64 {
				t.Errorf("ten million dollars are %d", got)
			}
		})
	if err != nil {
		t.Fatal(err)
	}
}

// narrow is a store that has too many groups soon.
type narrow struct{ Store }

func (n narrow) Aggregate(ctx context.Context, a Aggregation) ([]Group, error) {
	if a.Limit == 0 {
		a.Limit = 20
	}
	return n.Store.Aggregate(ctx, a)
}

// Clients may name as many models as they like: the sums stay whole, and models that answer keep their names.
func TestHistoryOfManyModels(t *testing.T) {
	t.Parallel()
	store, err := OpenMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	record := func(model string, outcome Outcome) Record {
		return Record{ID: NewID(noon), Time: noon, Provider: "p", Model: model, Outcome: outcome}
	}
	records := []Record{record("real", OutcomeSuccess), record("real", OutcomeError), record("also real", OutcomeSuccess)}
	const invented = 20
	for i := range invented {
		records = append(records, record(fmt.Sprint("invented-", i), OutcomeError))
	}
	if err := store.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	history := func() map[string]int64 {
		got := make(map[string]int64)
		err := (&Service{store: narrow{store}}).History(t.Context(), noon, false,
			func(_ time.Time, _, model string, sums map[string]int64) { got[model] += sums["requests"] })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := map[string]int64{"real": 2, "also real": 1, "other": invented}
	if diff := cmp.Diff(want, history()); diff != "" {
		t.Errorf("requests of models (-want +got):\n%s", diff)
	}
	for i := range records { // as if all of them had answered
		records[i] = record(records[i].Model, OutcomeSuccess)
	}
	if err := store.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{"other": int64(2 * len(records))}, history()); diff != "" {
		t.Errorf("where too many have answered (-want +got):\n%s", diff)
	}
}
