package analyticstest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/system/analytics"
)

// start is the time of the first record.
func start() time.Time { return time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC) }

// Records returns n records that are the same for the same seed: of three days, with some fields in common and some
// unknown.
func Records(seed uint64, n int) []analytics.Record {
	rnd := rand.New(rand.NewPCG(seed, seed)) // the same each time
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	outcomes := []analytics.Outcome{
		analytics.OutcomeSuccess, analytics.OutcomeSuccess, analytics.OutcomeError, analytics.OutcomeCanceled,
	}
	statuses := []int{200, 200, 500, 499}
	all := make([]analytics.Record, 0, n)
	for i := range n {
		at := start().Add(time.Duration(rnd.Int64N(int64(72 * time.Hour)))).Truncate(time.Microsecond)
		end := rnd.IntN(4)
		r := analytics.Record{
			ID: analytics.NewID(at), Time: at, RequestID: fmt.Sprintf("req-%d-%d", seed, i), Method: "POST",
			Path: "/api/v1/messages", Endpoint: "/api/v1/messages", ClientIP: "192.0.2.7", UserAgent: "curl/8",
			Caller: pick("", "alice", "bob"), Session: pick("", "s1", "s2", "s3"), ClientFormat: "anthropic.messages",
			Provider: pick("claude", "openai"), Account: pick("", "a1", "a2"), Model: pick("m1", "m2", "M2", "ä"),
			UpstreamModel: "m1-20260101", Operation: "generate", Attempts: 1 + rnd.IntN(2),
			Streamed: rnd.IntN(2) == 0, Status: statuses[end], Outcome: outcomes[end],
			Duration:     time.Duration(rnd.IntN(1e6)) * time.Microsecond,
			RequestBytes: rnd.Int64N(1e5), ResponseBytes: rnd.Int64N(1e5),
		}
		binary.BigEndian.PutUint64(r.ID[8:], rnd.Uint64())
		binary.BigEndian.PutUint16(r.ID[6:], uint16(i))
		if rnd.IntN(3) > 0 {
			r.TimeToFirstByte = r.Duration/2 - r.Duration/2%time.Microsecond
			r.Tokens = &analytics.Tokens{
				Input: rnd.Int64N(1e5), Output: rnd.Int64N(1e4), CacheRead: rnd.Int64N(1e5),
				CacheWrite: rnd.Int64N(100), CacheWrite1h: rnd.Int64N(10), Reasoning: rnd.Int64N(100),
			}
			r.TokensPartial, r.CacheInInput = end > 1, r.Provider == "openai"
			r.ServiceTier = pick("", "standard", "priority")
		}
		if r.Tokens != nil && rnd.IntN(4) > 0 {
			cost := analytics.AmountOf(rnd.Int64N(5e12))
			r.Cost = &cost
		}
		all = append(all, r)
	}
	return all
}

// Sum is what a store's Aggregate has to return for the records, computed one by one.
func Sum(records []analytics.Record, a analytics.Aggregation) []analytics.Group {
	groups := make(map[analytics.Group]*analytics.Group)
	if len(a.By) == 0 {
		groups[analytics.Group{}] = &analytics.Group{}
	}
	for i := range records {
		r := &records[i]
		if !a.Filter.Match(r) {
			continue
		}
		key := keyOf(r, a.By)
		if groups[key] == nil {
			groups[key] = &analytics.Group{
				Time: key.Time, Model: key.Model, Provider: key.Provider, Caller: key.Caller, Account: key.Account,
				Outcome: key.Outcome,
			}
		}
		addTo(&groups[key].Totals, r)
	}
	sorted := make([]analytics.Group, 0, len(groups))
	for _, g := range groups {
		sorted = append(sorted, *g)
	}
	slices.SortFunc(sorted, func(x, y analytics.Group) int {
		for _, d := range a.By {
			if c := compare(&x, &y, d); c != 0 {
				return c
			}
		}
		return 0
	})
	if len(sorted) == 0 {
		return nil
	}
	return sorted
}

func keyOf(r *analytics.Record, by []analytics.Dimension) (key analytics.Group) {
	for _, d := range by {
		switch d {
		case analytics.ByHour:
			key.Time = r.Time.Truncate(time.Hour)
		case analytics.ByDay:
			key.Time = r.Time.Truncate(24 * time.Hour)
		case analytics.ByModel:
			key.Model = r.Model
		case analytics.ByProvider:
			key.Provider = r.Provider
		case analytics.ByCaller:
			key.Caller = r.Caller
		case analytics.ByAccount:
			key.Account = r.Account
		case analytics.ByOutcome:
			key.Outcome = r.Outcome
		}
	}
	return key
}

func compare(x, y *analytics.Group, d analytics.Dimension) int {
	switch d {
	case analytics.ByModel:
		return strings.Compare(x.Model, y.Model)
	case analytics.ByProvider:
		return strings.Compare(x.Provider, y.Provider)
	case analytics.ByCaller:
		return strings.Compare(x.Caller, y.Caller)
	case analytics.ByAccount:
		return strings.Compare(x.Account, y.Account)
	case analytics.ByOutcome:
		return cmp.Compare(x.Outcome, y.Outcome)
	default:
		return x.Time.Compare(y.Time)
	}
}

func addTo(t *analytics.Totals, r *analytics.Record) {
	t.Requests++
	switch r.Outcome {
	case analytics.OutcomeSuccess:
		t.Successes++
	case analytics.OutcomeError:
		t.Errors++
	case analytics.OutcomeCanceled:
		t.Canceled++
	}
	if tk := r.Tokens; tk != nil {
		t.Tokens.Input += tk.Input
		t.Tokens.Output += tk.Output
		t.Tokens.CacheRead += tk.CacheRead
		t.Tokens.CacheWrite += tk.CacheWrite
		t.Tokens.CacheWrite1h += tk.CacheWrite1h
		t.Tokens.Reasoning += tk.Reasoning
		t.TokensAll += tk.Input + tk.Output
		if !r.CacheInInput {
			t.TokensAll += tk.CacheRead + tk.CacheWrite
		}
	} else {
		t.TokensUnknown++
	}
	if r.TokensPartial {
		t.TokensPartial++
	}
	if r.Cost != nil {
		t.Cost = t.Cost.Plus(*r.Cost)
	} else if r.Tokens != nil {
		t.CostUnknown++
	}
	t.Duration += r.Duration
	t.DurationMax = max(t.DurationMax, r.Duration)
	if r.TimeToFirstByte != 0 {
		t.FirstBytes++
		t.TimeToFirstByte += r.TimeToFirstByte
	}
	t.RequestBytes += r.RequestBytes
	t.ResponseBytes += r.ResponseBytes
}

// randomFilter sets some of the fields of a filter, so that it fits some of the records.
func randomFilter(rnd *rand.Rand, records []analytics.Record) (f analytics.Filter) {
	sample := func() *analytics.Record { return &records[rnd.IntN(len(records))] }
	words := func(w *analytics.Words, field func(*analytics.Record) string) {
		switch rnd.IntN(6) {
		case 0:
			w.Any = []string{field(sample())}
		case 1:
			w.Any = []string{field(sample()), field(sample()), "none of them"}
		case 2:
			w.None = []string{field(sample())}
		}
	}
	words(&f.Models, func(r *analytics.Record) string { return r.Model })
	words(&f.Providers, func(r *analytics.Record) string { return r.Provider })
	words(&f.Callers, func(r *analytics.Record) string { return r.Caller })
	words(&f.Accounts, func(r *analytics.Record) string { return r.Account })
	words(&f.Sessions, func(r *analytics.Record) string { return r.Session })
	words(&f.Outcomes, func(r *analytics.Record) string { return string(r.Outcome) })
	maybe := func() bool { return rnd.IntN(5) == 0 }
	if maybe() {
		f.From = sample().Time
	}
	if maybe() {
		f.Until = sample().Time.Add(-time.Nanosecond) // between two microseconds
	}
	if maybe() {
		f.StatusMin = sample().Status
	}
	if maybe() {
		f.StatusMax = sample().Status
	}
	if maybe() {
		f.DurationMin = sample().Duration - 1
	}
	if maybe() {
		f.DurationMax = sample().Duration
	}
	return f
}

func byPosition(a, b analytics.Record) int {
	if c := a.Time.Compare(b.Time); c != 0 {
		return c
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

func add(t *testing.T, s analytics.Store, records []analytics.Record) {
	t.Helper()
	for some := range slices.Chunk(records, 1000) {
		if err := s.Append(t.Context(), some); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
}

func query(t *testing.T, s analytics.Store, q analytics.Query) analytics.Page {
	t.Helper()
	page, err := s.Query(t.Context(), q)
	if err != nil {
		t.Fatalf("Query: %v", err)
	}
	return page
}

func aggregate(t *testing.T, s analytics.Store, a analytics.Aggregation) []analytics.Group {
	t.Helper()
	groups, err := s.Aggregate(t.Context(), a)
	if err != nil {
		t.Fatalf("Aggregate: %v", err)
	}
	return groups
}
