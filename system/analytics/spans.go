package analytics

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"
)

// beginning is before all times of records.
const beginning = -1 << 62

// span is a range of time: from its first microsecond to that after its last.
type span struct{ from, until int64 }

// cut narrows the times of a filter to a span.
func (sp span) cut(f *Filter) {
	if from := time.UnixMicro(sp.from); f.From.IsZero() || f.From.Before(from) {
		f.From = from
	}
	if until := time.UnixMicro(sp.until); f.Until.IsZero() || f.Until.After(until) {
		f.Until = until
	}
}

// narrows returns the rollup that tells when there were records that a filter may choose, nil if there is none or an
// index is better. It takes the place of indexes of columns with few values, which would cost a lot with each record
// and are of use for those values alone that are rare.
func (f *Filter) narrows() *rollup {
	if len(f.Sessions.Any)+len(f.Callers.Any) > 0 || f.fails() {
		return nil
	}
	name := "model"
	switch {
	case !f.Models.empty():
	case !f.Accounts.empty():
		name = "account"
	case f.Providers.empty() && f.Outcomes.empty():
		return nil
	}
	for _, ru := range rollups() {
		if ru.name == name {
			return &ru
		}
	}
	return nil
}

// fails reports whether a filter does not choose the status of nearly all records.
func (f *Filter) fails() bool {
	return f.StatusMin > usualStatus || f.StatusMax != 0 && f.StatusMax < usualStatus
}

// usualStatus is what nearly all records have, so that an index of status does without.
const usualStatus = 200

// spans returns when there may be records of a page, in the order of pages.
func (s *sqlStore) spans(ctx context.Context, q *Query, ru *rollup) (all []span, err error) {
	f := &q.Filter
	st := s.statement()
	st.write("SELECT at, 1 FROM " + ru.table() + " WHERE 1 = 1")
	st.bound("at >", !f.From.IsZero(), ceilMicro(f.From)-ru.period)
	st.bound("at <", !f.Until.IsZero(), ceilMicro(f.Until))
	if !q.After.IsZero() && q.Ascending {
		st.bound("at >", true, q.After.Time.UnixMicro()-ru.period)
	} else if !q.After.IsZero() {
		st.bound("at <=", true, q.After.Time.UnixMicro())
	}
	st.words(ru.name, ru.words(f))
	st.common(f)
	st.write(" GROUP BY at UNION ALL SELECT since, 0 FROM ccproxy_requests_rollups WHERE name = '" + ru.name + "'")
	since := int64(0)
	err = s.each(ctx, st, func(rows *sql.Rows) error {
		var at, rolled int64
		if err := rows.Scan(&at, &rolled); err != nil {
			return err
		}
		if rolled == 0 {
			since = at
		} else {
			all = append(all, span{at, at + ru.period})
		}
		return nil
	})
	return joined(all, since, q.Ascending), err
}

// joined puts spans into order, makes one of those that touch, and adds all times of before since.
func joined(spans []span, since int64, ascending bool) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	all := []span{{beginning, since}}
	for _, sp := range spans {
		if last := &all[len(all)-1]; sp.from <= last.until {
			last.until = max(last.until, sp.until)
		} else {
			all = append(all, sp)
		}
	}
	if !ascending {
		slices.Reverse(all)
	}
	return all
}
