package analyticstest

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/system/analytics"
)

// CheckSums adds records to a store, some of them twice, prunes and resets it, and asks for sums and pages after each
// step: by any dimensions, and of times that begin and end with an hour or a day, or do not. The store holds have
// before, and nothing else. It is a part of [TestStore], for those who want more of it or have records already.
func CheckSums(t *testing.T, s analytics.Store, seed uint64, steps int, have []analytics.Record) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, seed)) // the same each time
	have = slices.Clone(have)
	for step := range steps {
		switch step % 9 {
		case 4, 6:
			have = pruneRandomly(t, s, rnd, have)
		case 8:
			if _, err := s.Reset(t.Context()); err != nil {
				t.Fatalf("Reset: %v", err)
			}
			have = nil
		default:
			more := Records(seed+uint64(step)<<32, 1+rnd.IntN(60))
			batch := slices.Clone(more)
			for range min(len(have), rnd.IntN(20)) {
				batch = append(batch, have[rnd.IntN(len(have))]) // tried again
			}
			rnd.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
			add(t, s, batch)
			have = append(have, more...)
		}
		for range 4 {
			a := randomAggregation(rnd, have)
			checkPages(t, s, rnd, a.Filter, have)
			if diff := cmp.Diff(Sum(have, a), aggregate(t, s, a)); diff != "" {
				t.Fatalf("step %d, by %v, filter %+v (-want +got):\n%s", step, a.By, a.Filter, diff)
			}
		}
	}
}

// checkPages reads the first pages of what a filter chooses.
func checkPages(t *testing.T, s analytics.Store, rnd *rand.Rand, f analytics.Filter, have []analytics.Record) {
	t.Helper()
	q := analytics.Query{Filter: f, Ascending: rnd.IntN(2) == 0, Limit: 1 + rnd.IntN(30)}
	var want, got []analytics.Record
	for i := range have {
		if f.Match(&have[i]) {
			want = append(want, have[i])
		}
	}
	slices.SortFunc(want, byPosition)
	if !q.Ascending {
		slices.Reverse(want)
	}
	more := true
	for range 3 {
		if !more {
			break
		}
		page := query(t, s, q)
		got = append(got, page.Records...)
		q.After, more = page.Last(), page.More
	}
	if more != (len(want) > 3*q.Limit) {
		t.Errorf("filter %+v: after %d of %d records there are more: %t", f, len(got), len(want), more)
	}
	if diff := cmp.Diff(want[:min(len(want), 3*q.Limit)], got); diff != "" {
		t.Fatalf("ascending %t, pages of %d, filter %+v (-want +got):\n%s", q.Ascending, q.Limit, f, diff)
	}
}

func pruneRandomly(
	t *testing.T, s analytics.Store, rnd *rand.Rand, have []analytics.Record,
) (left []analytics.Record) {
	t.Helper()
	before, keep := moment(rnd, 40*time.Hour), int64(0)
	if rnd.IntN(2) == 0 {
		before, keep = time.Time{}, 1+rnd.Int64N(int64(len(have)+1))
	}
	for _, r := range have {
		if !r.Time.Before(before) {
			left = append(left, r)
		}
	}
	slices.SortFunc(left, byPosition)
	if keep > 0 && len(left) > int(keep) {
		left = left[len(left)-int(keep):]
	}
	prune(t, s, before, keep, len(have)-len(left))
	return left
}

// moment is a time within a while after the start: of a day, an hour or any.
func moment(rnd *rand.Rand, within time.Duration) time.Time {
	at := start().Add(time.Duration(rnd.Int64N(int64(within))))
	switch rnd.IntN(3) {
	case 0:
		return at.Truncate(24 * time.Hour)
	case 1:
		return at.Truncate(time.Hour)
	default:
		return at.Truncate(time.Microsecond)
	}
}

// randomAggregation is of any dimensions, and of any filter or of none but times.
func randomAggregation(rnd *rand.Rand, have []analytics.Record) (a analytics.Aggregation) {
	if len(have) > 0 && rnd.IntN(3) > 0 {
		a.Filter = randomFilter(rnd, have)
		if rnd.IntN(3) > 0 {
			a.Filter.Sessions, a.Filter.DurationMin, a.Filter.DurationMax = analytics.Words{}, 0, 0
		}
		if rnd.IntN(2) > 0 {
			a.Filter.Accounts, a.Filter.Callers = analytics.Words{}, analytics.Words{}
		}
	}
	if rnd.IntN(2) == 0 {
		a.Filter.From = moment(rnd, 72*time.Hour)
	}
	if rnd.IntN(2) == 0 {
		a.Filter.Until = moment(rnd, 72*time.Hour)
	}
	all := analytics.Dimensions()
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	timed := false
	for _, d := range all[:rnd.IntN(4)] {
		if d == analytics.ByHour || d == analytics.ByDay {
			if timed {
				continue
			}
			timed = true
		}
		a.By = append(a.By, d)
	}
	return a
}

func testSums(t *testing.T, s analytics.Store) { CheckSums(t, s, 16, 12, nil) }

// testEarlySums has hours that lie about the beginning of 1970, where numbers of hours change their sign.
func testEarlySums(t *testing.T, s analytics.Store) {
	records := Records(17, 60)
	for i := range records {
		records[i].Time = time.Unix(0, 0).UTC().Add(time.Duration(i-30) * 7 * time.Minute)
	}
	add(t, s, records)
	for _, hours := range []int{-2, -1, 0, 1, 2} {
		at := time.Unix(int64(hours)*3600, 0)
		for _, f := range []analytics.Filter{
			{From: at},
			{Until: at},
			{From: at.Add(time.Minute)},
			{From: at, Until: at.Add(time.Hour)},
			{From: at.Add(-time.Hour), Until: at.Add(time.Minute)},
		} {
			a := analytics.Aggregation{Filter: f, By: []analytics.Dimension{analytics.ByHour, analytics.ByOutcome}}
			if diff := cmp.Diff(Sum(records, a), aggregate(t, s, a)); diff != "" {
				t.Errorf("from %v until %v (-want +got):\n%s", f.From, f.Until, diff)
			}
		}
	}
}

// testGivenUp has appends whose context ends at any moment, and which are tried again.
func testGivenUp(t *testing.T, s analytics.Store) {
	const size = 60
	records := Records(18, 20*size)
	stored := 0
	for some := range slices.Chunk(records, size) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(stored)*5*time.Microsecond)
		err := s.Append(ctx, some)
		cancel()
		n := aggregate(t, s, analytics.Aggregation{})[0].Totals.Requests
		if n != int64(stored) && n != int64(stored+size) || err == nil && n != int64(stored+size) {
			t.Fatalf("%d records after Append of %d to %d = %v: want all or none", n, size, stored, err)
		}
		if err := s.Append(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		stored += size
	}
	a := analytics.Aggregation{By: []analytics.Dimension{analytics.ByCaller}}
	if diff := cmp.Diff(Sum(records, a), aggregate(t, s, a)); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
	slices.SortFunc(records, byPosition)
	expect(t, s, records)
}
