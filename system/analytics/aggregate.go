package analytics

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"
)

const defaultGroups = 10_000

// rowTotals are the columns of totals over rows, in the order of [Totals.targets].
func rowTotals() (all []string) {
	count := func(condition string) string { return "COUNT(CASE WHEN " + condition + " THEN 1 END)" }
	return totals(
		count("outcome = 'success'"), count("outcome = 'error'"), count("outcome = 'canceled'"),
		func(c sum) string { return c.rows },
	)
}

// rollupTotals are the same over the entries of a rollup.
func rollupTotals() []string {
	count := func(outcome string) string { return "SUM(CASE WHEN outcome = '" + outcome + "' THEN requests END)" }
	return totals(count("success"), count("error"), count("canceled"), func(c sum) string {
		if c.name == longest {
			return "MAX(" + c.name + ")"
		}
		return "SUM(" + c.name + ")"
	})
}

func totals(successes, failures, canceled string, of func(sum) string) (all []string) {
	whole := func(expression string) string { return "CAST(COALESCE(" + expression + ", 0) AS BIGINT)" }
	all = append(all, whole(successes), whole(failures), whole(canceled))
	for _, c := range sums() {
		all = append(all, whole(of(c)))
	}
	return all
}

// targets are where the columns of totals go. finish has to be called after the scan.
func (t *Totals) targets() (targets []any, finish func()) {
	var extra, micro, pico, duration, longest, firstByte int64
	targets = []any{
		&t.Successes, &t.Errors, &t.Canceled, &t.Requests,
		&t.Tokens.Input, &t.Tokens.Output, &t.Tokens.CacheRead, &t.Tokens.CacheWrite,
		&t.Tokens.CacheWrite1h, &t.Tokens.Reasoning, &extra,
		&t.TokensUnknown, &t.TokensPartial,
		&micro, &pico, &t.CostUnknown,
		&duration, &longest, &t.FirstBytes,
		&firstByte, &t.RequestBytes, &t.ResponseBytes,
	}
	return targets, func() {
		t.TokensAll = t.Tokens.Input + t.Tokens.Output + extra
		t.Duration, t.DurationMax, t.TimeToFirstByte = micros(duration), micros(longest), micros(firstByte)
		t.Cost = Amount{Dollars: micro / 1_000_000, Picos: micro % 1_000_000 * 1_000_000}.Plus(AmountOf(pico))
	}
}

// key is the column of a dimension. Times of before 1970 belong to the hour that they come after, too.
func (d Dimension) key() string {
	start := func(period int64) string {
		p := strconv.FormatInt(period, 10)
		return "(at - (at % " + p + " + " + p + ") % " + p + ")"
	}
	switch d {
	case ByHour:
		return start(hour)
	case ByDay:
		return start(day)
	default:
		return string(d)
	}
}

// target is where the key of a group goes.
func (d Dimension) target(g *Group, at *int64) any {
	switch d {
	case ByModel:
		return &g.Model
	case ByProvider:
		return &g.Provider
	case ByCaller:
		return &g.Caller
	case ByAccount:
		return &g.Account
	case ByOutcome:
		return &g.Outcome
	default:
		return at
	}
}

// Aggregate implements [Store].
func (s *sqlStore) Aggregate(ctx context.Context, a Aggregation) (groups []Group, err error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	limit := a.Limit
	if limit <= 0 {
		limit = defaultGroups
	}
	st := s.statement()
	parts := s.parts(st, &a)
	if len(a.By) > 0 {
		st.write(" ORDER BY " + a.ordinals())
	}
	st.write(" LIMIT ")
	st.arg(int64(parts) * (int64(limit) + 1)) // each part may have the same groups
	err = s.each(ctx, st, func(rows *sql.Rows) error {
		g, err := scanGroup(rows, a.By)
		if err != nil {
			return err
		}
		if n := len(groups); n > 0 && groups[n-1].same(&g) {
			groups[n-1].Totals.plus(&g.Totals)
			return nil
		}
		if len(groups) == limit {
			return ErrTooManyGroups
		}
		groups = append(groups, g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return groups, nil
}

// same reports whether two sums are of the same group.
func (g *Group) same(other *Group) bool {
	a, b := *g, *other
	a.Totals, b.Totals = Totals{}, Totals{}
	return a == b
}

func scanGroup(rows *sql.Rows, by []Dimension) (g Group, err error) {
	var at int64
	var targets []any
	timed := false
	for _, d := range by {
		timed = timed || d == ByHour || d == ByDay
		targets = append(targets, d.target(&g, &at))
	}
	totals, finish := g.Totals.targets()
	if err := rows.Scan(append(targets, totals...)...); err != nil {
		return Group{}, err
	}
	finish()
	if timed {
		g.Time = time.UnixMicro(at).UTC()
	}
	return g, nil
}

// ordinals are the numbers of the columns that a group is known by.
func (a *Aggregation) ordinals() string { return "1, 2, 3, 4, 5, 6, 7"[:3*len(a.By)-2] }

// parts writes what has to be added up, and returns how many pieces that is: it comes from a rollup if one has the
// answer, and from rows where it has not. They are one statement, so that they see the same moment.
func (s *sqlStore) parts(st *statement, a *Aggregation) int {
	ru, from, until := a.rollup()
	if ru == nil {
		s.part(st, a, "ccproxy_requests", rowTotals())
		st.where(&a.Filter)
		st.groups(a)
		return 1
	}
	s.part(st, a, ru.table(), rollupTotals())
	st.write(" WHERE at >= ")
	st.arg(from)
	st.bound("at <", !a.Filter.Until.IsZero(), until)
	st.words(ru.name, ru.words(&a.Filter))
	st.common(&a.Filter)
	st.groups(a)

	first, last := a.Filter, a.Filter // of two bounds in one direction, SQLite would take the first it comes upon
	first.Until, last.From = time.Time{}, time.UnixMicro(until)
	st.write(" UNION ALL ") // the first period, and what the rollup does not have
	s.part(st, a, "ccproxy_requests", rowTotals())
	st.where(&first)
	// Without a lower bound, PostgreSQL would expect a third of all rows, and read them all.
	st.bound("at >=", first.From.IsZero(), beginning)
	since := "(SELECT since FROM ccproxy_requests_rollups WHERE name = '" + ru.name + "')"
	st.write(" AND at < " + s.dialect.greatest + "(")
	st.whole(from)
	if st.write(", "); a.Filter.Until.IsZero() {
		st.write(since + ")")
		st.groups(a)
		return 2
	}
	st.write(s.dialect.least + "(" + since + ", ")
	st.whole(until)
	st.write("))")
	st.groups(a)
	st.write(" UNION ALL ") // the last period
	s.part(st, a, "ccproxy_requests", rowTotals())
	st.where(&last)
	st.groups(a)
	return 3
}

// part begins to write what has to be added up of a table.
func (s *sqlStore) part(st *statement, a *Aggregation, table string, totals []string) {
	var keys []string
	for _, d := range a.By {
		keys = append(keys, s.dialect.keys+d.key())
	}
	st.write("SELECT " + strings.Join(append(keys, totals...), ", ") + " FROM " + table)
}

// groups ends what part has begun.
func (st *statement) groups(a *Aggregation) {
	if len(a.By) > 0 {
		st.write(" GROUP BY " + a.ordinals())
	}
}

// rollup returns the first rollup that has the answer, nil for none, and the times of which it has it: whole periods,
// one at least.
func (a *Aggregation) rollup() (found *rollup, from, until int64) {
	for _, ru := range rollups() {
		if !ru.knows(a) {
			continue
		}
		if from = 0; !a.Filter.From.IsZero() {
			from = max(from, ru.ceil(ceilMicro(a.Filter.From)))
		}
		if a.Filter.Until.IsZero() {
			return &ru, from, 0
		}
		if until = ru.floor(ceilMicro(a.Filter.Until)); from < until {
			return &ru, from, until
		}
	}
	return nil, 0, 0
}

// ErrDimension tells that an aggregation has a dimension that does not exist, or one twice, or hours and days.
var ErrDimension = errors.New("dimensions cannot be combined")

func (a *Aggregation) check() error {
	seen := make(map[Dimension]bool)
	for _, d := range a.By {
		if d == ByDay {
			d = ByHour
		}
		known := false
		for _, k := range Dimensions() {
			known = known || k == d
		}
		if !known || seen[d] {
			return ErrDimension
		}
		seen[d] = true
	}
	return nil
}
