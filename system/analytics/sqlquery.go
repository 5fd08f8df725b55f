package analytics

import (
	"context"
	"database/sql"
	"errors"
)

const defaultPage = 1000

// Query implements [Store].
func (s *sqlStore) Query(ctx context.Context, q Query) (page Page, err error) {
	if q.Limit <= 0 {
		q.Limit = defaultPage
	}
	ru := q.Filter.narrows()
	if ru == nil || !s.dialect.narrows {
		err = s.fill(ctx, &q, &page)
		return page, err
	}
	spans, err := s.spans(ctx, &q, ru)
	for _, sp := range spans {
		if err != nil || page.More {
			break
		}
		part := q
		sp.cut(&part.Filter)
		err = s.fill(ctx, &part, &page)
	}
	return page, err
}

// fill adds records to a page until it is full, and notes whether there is one more.
func (s *sqlStore) fill(ctx context.Context, q *Query, page *Page) error {
	cols := columns()
	room := q.Limit - len(page.Records)
	st := s.statement()
	st.records(q, room)
	return s.each(ctx, st, func(rows *sql.Rows) error {
		if len(page.Records) == q.Limit {
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
}

// records writes what asks for a page.
func (st *statement) records(q *Query, limit int) {
	st.write("SELECT " + names(recordColumns()) + " FROM ccproxy_requests")
	if q.Filter.StatusMin == q.Filter.StatusMax {
		st.page(q, limit)
		return
	}
	// A range of statuses has no index in the order of pages: places are sorted, which are short, and not rows.
	st.write(" WHERE (at, id) IN (SELECT at, id FROM ccproxy_requests")
	st.page(q, limit)
	st.write(")" + q.order())
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
