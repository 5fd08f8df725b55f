package analytics

import (
	"cmp"
	"slices"
	"strconv"
)

const (
	hour = 3_600_000_000 // in microseconds, as all times of the database are
	day  = 24 * hour
)

// rollup is a table of sums over the records of an hour or a day that agree in provider, status, outcome and one more
// column. There are several narrow ones, since one that knew all columns would have as many rows as there are records.
//
// What a rollup says is true at every moment: it has exactly the records whose time is not before its since, which is
// in the table ccproxy_requests_rollups. Records of before are found among the rows. Who adds or deletes records, or
// changes since, does it in one transaction with the sums.
type rollup struct {
	name   string // also of its column
	period int64
	value  func(*row) string
}

// rollups are those of a database. Callers are many, so that theirs is of days.
func rollups() []rollup {
	return []rollup{
		{"model", hour, func(r *row) string { return r.Model }},
		{"account", hour, func(r *row) string { return r.Account }},
		{"caller", day, func(r *row) string { return r.Caller }},
	}
}

func (ru *rollup) table() string { return "ccproxy_requests_by_" + ru.name }

// keys are the columns of its key, in the order of its rows.
func (ru *rollup) keys() []string { return []string{"at", ru.name, "provider", "status", "outcome"} }

// start is the time of the entry that a row belongs to, as an expression.
func (ru *rollup) start() string {
	period := strconv.FormatInt(ru.period, 10)
	return "at / " + period + " * " + period
}

// ceil is the beginning of the first period that is not before a time.
func (ru *rollup) ceil(at int64) int64 { return (at + ru.period - 1) / ru.period * ru.period }

func (ru *rollup) floor(at int64) int64 { return at / ru.period * ru.period }

// knows reports whether a rollup has the answer to an aggregation, for whole periods.
func (ru *rollup) knows(a *Aggregation) bool {
	f := &a.Filter
	if !f.Sessions.empty() || f.DurationMin != 0 || f.DurationMax != 0 {
		return false
	}
	for column, words := range map[string]Words{"model": f.Models, "account": f.Accounts, "caller": f.Callers} {
		if column != ru.name && !words.empty() {
			return false
		}
	}
	return !slices.ContainsFunc(a.By, func(d Dimension) bool {
		switch d {
		case ByHour:
			return ru.period != hour
		case ByModel, ByAccount, ByCaller:
			return string(d) != ru.name
		default:
			return false
		}
	})
}

// words are what a filter says of the column that is the rollup's own.
func (ru *rollup) words(f *Filter) Words {
	switch ru.name {
	case "model":
		return f.Models
	case "account":
		return f.Accounts
	default:
		return f.Callers
	}
}

func (w Words) empty() bool { return len(w.Any)+len(w.None) == 0 }

// sum is a column of sums: its name, what of a record it adds up, and the same as an expression over rows.
type sum struct {
	name string
	of   func(*row) int64
	rows string
}

// longest is the name of the one that is no sum.
const longest = "duration_max"

// sums are the columns of every rollup. Money is split, so that no sum is beyond a whole number of 64 bits.
func sums() []sum {
	token := func(i int) func(*row) int64 { return func(r *row) int64 { return r.tokens[i].V } }
	return []sum{
		{"requests", func(*row) int64 { return 1 }, "COUNT(*)"},
		{"tokens_input", token(0), "SUM(tokens_input)"},
		{"tokens_output", token(1), "SUM(tokens_output)"},
		{"tokens_cache_read", token(2), "SUM(tokens_cache_read)"},
		{"tokens_cache_write", token(3), "SUM(tokens_cache_write)"},
		{"tokens_cache_write_1h", token(4), "SUM(tokens_cache_write_1h)"},
		{"tokens_reasoning", token(5), "SUM(tokens_reasoning)"},
		{
			"tokens_cache_extra", func(r *row) int64 { return (r.tokens[2].V + r.tokens[3].V) * (1 - r.inInput) },
			"SUM((tokens_cache_read + tokens_cache_write) * (1 - cache_in_input))",
		},
		{"tokens_unknown", func(r *row) int64 { return number(!r.tokens[0].Valid) }, "COUNT(*) - COUNT(tokens_input)"},
		{"tokens_partial", func(r *row) int64 { return r.partly }, "SUM(tokens_partial)"},
		{"cost_micros", func(r *row) int64 { return r.cost.V / 1_000_000 }, "SUM(cost / 1000000)"},
		{"cost_picos", func(r *row) int64 { return r.cost.V % 1_000_000 }, "SUM(cost % 1000000)"},
		{
			"cost_unknown", func(r *row) int64 { return number(!r.cost.Valid && r.tokens[0].Valid) },
			"COUNT(CASE WHEN cost IS NULL AND tokens_input IS NOT NULL THEN 1 END)",
		},
		{"duration", func(r *row) int64 { return r.duration }, "SUM(duration)"},
		{longest, func(r *row) int64 { return r.duration }, "MAX(duration)"},
		{"first_bytes", func(r *row) int64 { return number(r.firstByte.Valid) }, "COUNT(first_byte)"},
		{"first_byte", func(r *row) int64 { return r.firstByte.V }, "SUM(first_byte)"},
		{"request_bytes", func(r *row) int64 { return r.RequestBytes }, "SUM(request_bytes)"},
		{"response_bytes", func(r *row) int64 { return r.ResponseBytes }, "SUM(response_bytes)"},
	}
}

// entryKey is the key of a row of a rollup.
type entryKey struct {
	at       int64
	value    string
	provider string
	status   int64
	outcome  string
}

func (k entryKey) compare(other entryKey) int {
	return cmp.Or(
		cmp.Compare(k.at, other.at), cmp.Compare(k.value, other.value), cmp.Compare(k.provider, other.provider),
		cmp.Compare(k.status, other.status), cmp.Compare(k.outcome, other.outcome),
	)
}

// tally adds up what a batch brings to a rollup.
type tally struct {
	rollup

	since   int64
	columns []sum
	entries map[entryKey][]int64
}

// tallies are those of all rollups, whose since is given by their name.
func tallies(since map[string]int64) (all []*tally) {
	columns := sums()
	for _, ru := range rollups() {
		all = append(all, &tally{
			rollup: ru, since: since[ru.name], columns: columns, entries: make(map[entryKey][]int64),
		})
	}
	return all
}

// add counts a record that has been stored.
func (t *tally) add(r *row) {
	if r.at < t.since {
		return
	}
	key := entryKey{
		at: t.floor(r.at), value: storable(t.value(r)), provider: storable(r.Provider), status: int64(r.Status),
		outcome: storable(string(r.Outcome)),
	}
	entry := t.entries[key]
	if entry == nil {
		entry = make([]int64, len(t.columns))
		t.entries[key] = entry
	}
	for i, c := range t.columns {
		if c.name == longest {
			entry[i] = max(entry[i], c.of(r))
		} else {
			entry[i] += c.of(r)
		}
	}
}

// sorted are the keys of the entries in their order: whoever writes takes rows in the same order as all others, so
// that none waits for one that waits for it.
func (t *tally) sorted() []entryKey {
	keys := make([]entryKey, 0, len(t.entries))
	for k := range t.entries {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, entryKey.compare)
	return keys
}
