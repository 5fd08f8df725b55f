package analytics

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

const (
	defaultPage   = 1000
	defaultGroups = 10_000
	// pruneRows are deleted at a time, so that whoever writes gets a turn in between.
	pruneRows = 5000
)

// Query implements [Store].
func (s *sqlStore) Query(ctx context.Context, q Query) (page Page, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	cols := columns()
	st := s.statement()
	st.write("SELECT " + names(cols) + " FROM ccproxy_requests")
	if q.Filter.StatusMin != q.Filter.StatusMax {
		// A range of statuses has no index in the order of pages: places are sorted, which are short, and not rows.
		st.write(" WHERE (at, id) IN (SELECT at, id FROM ccproxy_requests")
		st.page(&q, limit)
		st.write(")" + q.order())
	} else {
		st.page(&q, limit)
	}
	err = s.each(ctx, st, func(rows *sql.Rows) error {
		if len(page.Records) == limit {
			page.More = true
			return nil
		}
		var r row
		targets := make([]any, len(cols))
		for i, c := range cols {
			targets[i] = c.pointer(&r)
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		page.Records = append(page.Records, r.record())
		return nil
	})
	return page, err
}

// order is that of the pages.
func (q *Query) order() string {
	if q.Ascending {
		return " ORDER BY at, id"
	}
	return " ORDER BY at DESC, id DESC"
}

// page writes which records a page has, and one more.
func (st *statement) page(q *Query, limit int) {
	st.where(&q.Filter)
	if !q.After.IsZero() {
		sense := "<"
		if q.Ascending {
			sense = ">"
		}
		st.write(" AND (at, id) " + sense + " (")
		st.arg(q.After.Time.UnixMicro())
		st.write(", ")
		st.arg(q.After.ID[:])
		st.write(")")
	}
	st.write(q.order() + " LIMIT ")
	st.arg(int64(limit) + 1)
}

// each runs a query and hands over its rows.
func (s *sqlStore) each(ctx context.Context, st *statement, take func(*sql.Rows) error) (err error) {
	rows, err := s.read.QueryContext(ctx, st.text.String(), st.args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := take(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// totals are the columns of sums, in the order in which scanTotals reads them. Sums of sums of money are split, so
// that none is beyond a whole number of 64 bits.
func totals() []string {
	sum := func(expression string) string { return "CAST(COALESCE(SUM(" + expression + "), 0) AS BIGINT)" }
	count := func(condition string) string { return "CAST(COUNT(CASE WHEN " + condition + " THEN 1 END) AS BIGINT)" }
	return []string{
		"CAST(COUNT(*) AS BIGINT)",
		count("outcome = 'success'"), count("outcome = 'error'"), count("outcome = 'canceled'"),
		sum("tokens_input"), sum("tokens_output"), sum("tokens_cache_read"), sum("tokens_cache_write"),
		sum("tokens_cache_write_1h"), sum("tokens_reasoning"), sum("tokens_input + tokens_output"),
		sum("(tokens_cache_read + tokens_cache_write) * (1 - cache_in_input)"),
		"CAST(COUNT(*) - COUNT(tokens_input) AS BIGINT)", sum("tokens_partial"),
		sum("cost / 1000000"), sum("cost % 1000000"), count("cost IS NULL AND tokens_input IS NOT NULL"),
		sum("duration"), "CAST(COALESCE(MAX(duration), 0) AS BIGINT)", "CAST(COUNT(first_byte) AS BIGINT)",
		sum("first_byte"), sum("request_bytes"), sum("response_bytes"),
	}
}

// targets are where the columns of totals go. finish has to be called after the scan.
func (t *Totals) targets() (targets []any, finish func()) {
	var cached, micro, pico, duration, longest, firstByte int64
	targets = []any{
		&t.Requests, &t.Successes, &t.Errors, &t.Canceled,
		&t.Tokens.Input, &t.Tokens.Output, &t.Tokens.CacheRead, &t.Tokens.CacheWrite,
		&t.Tokens.CacheWrite1h, &t.Tokens.Reasoning, &t.TokensAll,
		&cached,
		&t.TokensUnknown, &t.TokensPartial,
		&micro, &pico, &t.CostUnknown,
		&duration, &longest, &t.FirstBytes,
		&firstByte, &t.RequestBytes, &t.ResponseBytes,
	}
	return targets, func() {
		t.TokensAll += cached
		t.Duration, t.DurationMax, t.TimeToFirstByte = micros(duration), micros(longest), micros(firstByte)
		t.Cost = Amount{Dollars: micro / 1_000_000, Picos: micro % 1_000_000 * 1_000_000}.Plus(AmountOf(pico))
	}
}

// key is the column of a dimension.
func (d Dimension) key() string {
	switch d {
	case ByHour:
		return "at / 3600000000 * 3600000000"
	case ByDay:
		return "at / 86400000000 * 86400000000"
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
	var keys, ordinals []string
	for i, d := range a.By {
		keys, ordinals = append(keys, s.dialect.keys+d.key()), append(ordinals, "123456789"[i:i+1])
	}
	st := s.statement()
	st.write("SELECT " + strings.Join(append(keys, totals()...), ", ") + " FROM ccproxy_requests")
	st.where(&a.Filter)
	if len(ordinals) > 0 {
		list := strings.Join(ordinals, ", ")
		st.write(" GROUP BY " + list + " ORDER BY " + list)
	}
	st.write(" LIMIT ")
	st.arg(int64(limit) + 1)
	err = s.each(ctx, st, func(rows *sql.Rows) error {
		if len(groups) == limit {
			return ErrTooManyGroups
		}
		var g Group
		at := int64(-1)
		targets, finish := g.Totals.targets()
		for i := range a.By {
			targets = append(targets, nil)
			copy(targets[i+1:], targets[i:])
			targets[i] = a.By[i].target(&g, &at)
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		finish()
		if at >= 0 {
			g.Time = time.UnixMicro(at).UTC()
		}
		groups = append(groups, g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return groups, nil
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

// Prune implements [Store].
func (s *sqlStore) Prune(ctx context.Context, before time.Time, keep int64) (deleted int64, err error) {
	if !before.IsZero() {
		n, err := s.delete(ctx, func(st *statement) {
			st.write("at < ")
			st.arg(ceilMicro(before))
		})
		if deleted += n; err != nil {
			return deleted, err
		}
	}
	if keep <= 0 {
		return deleted, nil
	}
	st := s.statement()
	st.write("SELECT at, id FROM ccproxy_requests ORDER BY at DESC, id DESC LIMIT 1 OFFSET ")
	st.arg(keep - 1)
	var at int64
	var id []byte
	err = s.each(ctx, st, func(rows *sql.Rows) error { return rows.Scan(&at, &id) })
	if err != nil || id == nil {
		return deleted, err
	}
	n, err := s.delete(ctx, func(st *statement) {
		st.write("(at, id) < (")
		st.arg(at)
		st.write(", ")
		st.arg(id)
		st.write(")")
	})
	return deleted + n, err
}

// delete deletes what fits a condition, a piece at a time.
func (s *sqlStore) delete(ctx context.Context, condition func(*statement)) (deleted int64, err error) {
	for {
		st := s.statement()
		st.write("DELETE FROM ccproxy_requests WHERE (at, id) IN (SELECT at, id FROM ccproxy_requests WHERE ")
		condition(st)
		st.write(" ORDER BY at, id LIMIT ")
		st.arg(int64(pruneRows))
		st.write(")")
		done, err := s.write.ExecContext(ctx, st.text.String(), st.args...)
		if err != nil {
			return deleted, err
		}
		n, err := done.RowsAffected()
		if deleted += n; err != nil || n < pruneRows {
			return deleted, err
		}
	}
}

// Reset implements [Store].
func (s *sqlStore) Reset(ctx context.Context) (deleted int64, err error) {
	done, err := s.write.ExecContext(ctx, "DELETE FROM ccproxy_requests")
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}
