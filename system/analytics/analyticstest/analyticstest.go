// Package analyticstest is a conformance suite for those who implement [analytics.Store]: [TestStore] checks what the
// interface promises, so that a store of one's own answers as those for SQLite and PostgreSQL do.
//
//	func TestStore(t *testing.T) {
//		analyticstest.TestStore(t, func(t *testing.T) analytics.Store { return mystore.New(t.TempDir()) })
//	}
package analyticstest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/system/analytics"
)

// TestStore checks stores that open makes. Each part of the suite opens one, empties it with Reset, and closes it.
// The parts run one after the other, so open may return the same database each time.
func TestStore(t *testing.T, open func(*testing.T) analytics.Store) {
	t.Helper()
	parts := []struct {
		name string
		test func(*testing.T, analytics.Store)
	}{
		{"empty", testEmpty},
		{"records", testRecords},
		{"texts", testTexts},
		{"repeated append", testRepeatedAppend},
		{"pages", testPages},
		{"pages while records come", testStablePages},
		{"filters", testFilters},
		{"aggregates", testAggregates},
		{"sums of any times", testSums},
		{"sums before 1970", testEarlySums},
		{"money", testMoney},
		{"groups that cannot be", testBadGroups},
		{"prune", testPrune},
		{"reset", testReset},
		{"ended context", testEndedContext},
		{"appends that are given up", testGivenUp},
		{"concurrent use", testConcurrentUse},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			if _, err := s.Reset(t.Context()); err != nil {
				t.Fatalf("Reset: %v", err)
			}
			p.test(t, s)
		})
	}
}

func testEmpty(t *testing.T, s analytics.Store) {
	page := query(t, s, analytics.Query{})
	if len(page.Records) != 0 || page.More || !page.Last().IsZero() {
		t.Errorf("page = %+v, want none", page)
	}
	want := []analytics.Group{{}}
	if diff := cmp.Diff(want, aggregate(t, s, analytics.Aggregation{})); diff != "" {
		t.Errorf("sums of nothing (-want +got):\n%s", diff)
	}
	if groups := aggregate(t, s, analytics.Aggregation{By: []analytics.Dimension{analytics.ByDay}}); len(groups) != 0 {
		t.Errorf("days of nothing = %+v", groups)
	}
	if err := s.Append(t.Context(), nil); err != nil {
		t.Errorf("Append of nothing: %v", err)
	}
	if n, err := s.Prune(t.Context(), start(), 1); n != 0 || err != nil {
		t.Errorf("Prune of nothing = %d, %v", n, err)
	}
}

func testRecords(t *testing.T, s analytics.Store) {
	full := Records(1, 1)[0]
	full.Query, full.Error, full.ErrorType = "beta=true", "upstream gone", "api_error"
	full.Tokens = &analytics.Tokens{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, CacheWrite1h: 5, Reasoning: 6}
	full.CacheInInput, full.ServiceTier = true, "priority"
	full.Time, full.TokensPartial, full.Streamed = start(), true, true
	cost := analytics.AmountOf(1_234_567_890_123)
	full.Cost = &cost
	bare := analytics.Record{ID: analytics.NewID(start()), Time: start().Add(time.Second)}
	bare.Outcome = analytics.OutcomeSuccess
	free := analytics.Record{ID: analytics.NewID(start()), Time: start().Add(2 * time.Second)}
	free.Tokens, free.Cost = &analytics.Tokens{}, &analytics.Amount{}
	want := []analytics.Record{full, bare, free}
	add(t, s, want)
	got := query(t, s, analytics.Query{Ascending: true}).Records
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-appended +found):\n%s", diff)
	}
}

func testTexts(t *testing.T, s analytics.Store) {
	var records []analytics.Record
	var want []string
	for i, text := range [][2]string{
		{"a'b\"c\\d; DROP TABLE x; --", "a'b\"c\\d; DROP TABLE x; --"},
		{"Grüße \u4e16\u754c 🙂", "Grüße \u4e16\u754c 🙂"},
		{"a\x00b", "a\ufffdb"},
		{"a\xffb", "a\ufffdb"},
		{"\r\n\t", "\r\n\t"},
		{"%_*?", "%_*?"},
		{" ", " "},
		{strings.Repeat("x", 4096), strings.Repeat("x", 4096)},
	} {
		r := analytics.Record{ID: analytics.NewID(start()), Model: text[0], Error: text[0]}
		r.Time = start().Add(time.Duration(i) * time.Second)
		records, want = append(records, r), append(want, text[1])
	}
	add(t, s, records)
	var got []string
	for _, r := range query(t, s, analytics.Query{Ascending: true}).Records {
		got = append(got, r.Model)
		if r.Error != r.Model {
			t.Errorf("one text is %q in one field and %q in another", r.Model, r.Error)
		}
		f := analytics.Filter{Models: analytics.Words{Any: []string{r.Model}}}
		if n := len(query(t, s, analytics.Query{Filter: f}).Records); n == 0 {
			t.Errorf("%q is not found by itself", r.Model)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

func testRepeatedAppend(t *testing.T, s analytics.Store) {
	records := Records(2, 300)
	add(t, s, records[:200])
	add(t, s, records[100:])
	add(t, s, records)
	if got := query(t, s, analytics.Query{Ascending: true}).Records; len(got) != 300 {
		t.Errorf("%d records, want each of 300 once", len(got))
	}
}

func testPages(t *testing.T, s analytics.Store) {
	records := Records(3, 250)
	for i := range records {
		records[i].Time = start().Add(time.Duration(i/10) * time.Second) // ten have the same time
	}
	add(t, s, records)
	for _, ascending := range []bool{true, false} {
		want := slices.Clone(records)
		slices.SortFunc(want, byPosition)
		if !ascending {
			slices.Reverse(want)
		}
		var got []analytics.Record
		q := analytics.Query{Ascending: ascending, Limit: 7}
		for {
			page := query(t, s, q)
			if len(page.Records) > q.Limit || page.More && len(page.Records) != q.Limit {
				t.Fatalf("a page of %d has %d records", q.Limit, len(page.Records))
			}
			got = append(got, page.Records...)
			if q.After = page.Last(); !page.More {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages, ascending %t (-want +got):\n%s", ascending, diff)
		}
	}
}

// testStablePages adds records in front of, between and after the pages that are being read.
func testStablePages(t *testing.T, s analytics.Store) {
	records := Records(4, 100)
	later := Records(5, 100)
	add(t, s, records)
	for _, ascending := range []bool{true, false} {
		seen := make(map[analytics.ID]int)
		q := analytics.Query{Ascending: ascending, Limit: 9}
		for more := true; more; {
			page := query(t, s, q)
			for _, r := range page.Records {
				seen[r.ID]++
			}
			q.After, more = page.Last(), page.More
			if len(later) >= 5 {
				add(t, s, later[:5])
				later = later[5:]
			}
		}
		for _, r := range records {
			if seen[r.ID] != 1 {
				t.Errorf("ascending %t: a record that was there came %d times", ascending, seen[r.ID])
			}
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("ascending %t: record %v came %d times", ascending, id, n)
			}
		}
	}
}

func testFilters(t *testing.T, s analytics.Store) {
	records := Records(6, 400)
	add(t, s, records)
	slices.SortFunc(records, byPosition)
	rnd := rand.New(rand.NewPCG(7, 7)) // the same each time
	found := 0
	for range 60 {
		f := randomFilter(rnd, records)
		var want []analytics.ID
		for i := range records {
			if f.Match(&records[i]) {
				want = append(want, records[i].ID)
			}
		}
		var got []analytics.ID
		for _, r := range query(t, s, analytics.Query{Filter: f, Ascending: true}).Records {
			got = append(got, r.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("filter %+v (-Match +Query):\n%s", f, diff)
		}
		found += len(got)
	}
	if found == 0 {
		t.Error("no filter has found anything")
	}
}

func testAggregates(t *testing.T, s analytics.Store) {
	records := Records(8, 500)
	add(t, s, records)
	bys := [][]analytics.Dimension{nil, {analytics.ByHour, analytics.ByModel}, {analytics.ByProvider, analytics.ByDay}}
	for _, d := range analytics.Dimensions() {
		bys = append(bys, []analytics.Dimension{d})
	}
	rnd := rand.New(rand.NewPCG(9, 9)) // the same each time
	for _, by := range bys {
		for _, f := range []analytics.Filter{{}, randomFilter(rnd, records)} {
			want := Sum(records, analytics.Aggregation{Filter: f, By: by})
			got := aggregate(t, s, analytics.Aggregation{Filter: f, By: by})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("by %v, filter %+v (-want +got):\n%s", by, f, diff)
			}
		}
	}
}

// testMoney adds up more than a whole number of 64 bits has trillionths of a dollar.
func testMoney(t *testing.T, s analytics.Store) {
	records := Records(10, 20)
	for i := range records {
		cost := analytics.Amount{Dollars: 9_223_371, Picos: 999_999_999_999}
		records[i].Cost = &cost
	}
	add(t, s, records)
	got := aggregate(t, s, analytics.Aggregation{})[0].Totals.Cost
	if want := "184467439.99999999998"; got.String() != want {
		t.Errorf("sum = %v, want %v", got, want)
	}
}

func testBadGroups(t *testing.T, s analytics.Store) {
	add(t, s, Records(11, 50))
	for _, by := range [][]analytics.Dimension{
		{"weekday"}, {"id"}, {analytics.ByHour, analytics.ByDay}, {analytics.ByModel, analytics.ByModel},
	} {
		if _, err := s.Aggregate(t.Context(), analytics.Aggregation{By: by}); !errors.Is(err, analytics.ErrDimension) {
			t.Errorf("by %v = %v, want an ErrDimension", by, err)
		}
	}
	few := analytics.Aggregation{By: []analytics.Dimension{analytics.ByModel}, Limit: 1}
	if _, err := s.Aggregate(t.Context(), few); !errors.Is(err, analytics.ErrTooManyGroups) {
		t.Errorf("more groups than the limit = %v, want an ErrTooManyGroups", err)
	}
}

func testPrune(t *testing.T, s analytics.Store) {
	records := Records(12, 5_600) // more than a store might delete at a time
	add(t, s, records)
	slices.SortFunc(records, byPosition)
	cut := records[5200].Time
	left := slices.DeleteFunc(slices.Clone(records), func(r analytics.Record) bool { return r.Time.Before(cut) })
	prune(t, s, cut, 0, len(records)-len(left))
	expect(t, s, left)
	prune(t, s, time.Time{}, 100, len(left)-100)
	left = left[len(left)-100:]
	expect(t, s, left)
	prune(t, s, time.Time{}, 100, 0)
	prune(t, s, left[50].Time, 10, 90)
	expect(t, s, left[90:])
}

func prune(t *testing.T, s analytics.Store, before time.Time, keep int64, want int) {
	t.Helper()
	if n, err := s.Prune(t.Context(), before, keep); n != int64(want) || err != nil {
		t.Fatalf("Prune = %d, %v, want %d", n, err, want)
	}
}

func expect(t *testing.T, s analytics.Store, want []analytics.Record) {
	t.Helper()
	got := query(t, s, analytics.Query{Ascending: true, Limit: 20_000}).Records
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("records that are left (-want +got):\n%s", diff)
	}
}

func testReset(t *testing.T, s analytics.Store) {
	add(t, s, Records(13, 77))
	if n, err := s.Reset(t.Context()); n != 77 || err != nil {
		t.Errorf("Reset = %d, %v, want 77", n, err)
	}
	expect(t, s, nil)
	again := Records(13, 1)
	add(t, s, again)
	expect(t, s, again)
}

func testEndedContext(t *testing.T, s analytics.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, Records(14, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Append = %v, want context.Canceled", err)
	}
	if _, err := s.Query(ctx, analytics.Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Query = %v, want context.Canceled", err)
	}
	if _, err := s.Aggregate(ctx, analytics.Aggregation{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Aggregate = %v, want context.Canceled", err)
	}
	expect(t, s, nil)
}

func testConcurrentUse(t *testing.T, s analytics.Store) {
	records := Records(15, 400)
	var wg sync.WaitGroup
	use := func(part []analytics.Record) {
		for some := range slices.Chunk(part, 10) {
			if err := s.Append(t.Context(), some); err != nil {
				t.Errorf("Append: %v", err)
			}
			if _, err := s.Query(t.Context(), analytics.Query{Limit: 5}); err != nil {
				t.Errorf("Query: %v", err)
			}
			if _, err := s.Aggregate(t.Context(), analytics.Aggregation{}); err != nil {
				t.Errorf("Aggregate: %v", err)
			}
		}
	}
	for part := range slices.Chunk(records, 50) {
		wg.Go(func() { use(part) })
		wg.Go(func() { use(part) }) // who tries again while the first attempt goes on
	}
	wg.Go(func() {
		if _, err := s.Prune(t.Context(), start().Add(-time.Hour), 1000); err != nil {
			t.Errorf("Prune: %v", err)
		}
	})
	wg.Wait()
	slices.SortFunc(records, byPosition)
	expect(t, s, records)
	for _, d := range analytics.Dimensions() {
		a := analytics.Aggregation{By: []analytics.Dimension{d}}
		if diff := cmp.Diff(Sum(records, a), aggregate(t, s, a)); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", d, diff)
		}
	}
}
