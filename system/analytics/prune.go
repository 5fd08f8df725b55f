package analytics

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// pruneRows are deleted at a time, so that whoever writes gets a turn in between.
const pruneRows = 5000

// Prune implements [Store].
func (s *sqlStore) Prune(ctx context.Context, before time.Time, keep int64) (deleted int64, err error) {
	if !before.IsZero() {
		at := ceilMicro(before)
		n, err := s.delete(ctx, at, func(st *statement) {
			st.write("at < ")
			st.arg(at)
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
	n, err := s.delete(ctx, at+1, func(st *statement) {
		st.write("(at, id) < (")
		st.arg(at)
		st.write(", ")
		st.arg(id)
		st.write(")")
	})
	return deleted + n, err
}

// delete deletes the rows that fit a condition, a piece at a time. They are all from before a time, until. Rollups give
// up what they say of that time and of the rest of its period first: the rows that stay of it are counted one by one.
func (s *sqlStore) delete(ctx context.Context, until int64, condition func(*statement)) (deleted int64, err error) {
	which := func(limit int64) *statement {
		st := s.statement()
		st.write("SELECT at, id FROM ccproxy_requests WHERE ")
		condition(st)
		st.write(" ORDER BY at, id LIMIT ")
		st.arg(limit)
		return st
	}
	found := false
	err = s.each(ctx, which(1), func(*sql.Rows) error { found = true; return nil })
	for more := found; more && err == nil; {
		var n int64
		n, more, err = s.deleteSome(ctx, until, which(pruneRows))
		deleted += n
	}
	if deleted > 0 {
		err = errors.Join(err, s.resume(ctx))
	}
	return deleted, err
}

// deleteSome deletes the rows that a query finds, and reports whether there may be more.
func (s *sqlStore) deleteSome(ctx context.Context, until int64, which *statement) (n int64, more bool, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		since, err := s.shared(ctx, tx)
		if err != nil {
			return err
		}
		for _, ru := range rollups() {
			if since[ru.name] < until {
				more = true
				return nil
			}
		}
		st := s.statement()
		st.write("DELETE FROM ccproxy_requests WHERE (at, id) IN (" + which.text.String() + ")")
		done, err := tx.ExecContext(ctx, st.text.String(), which.args...)
		if err != nil {
			return err
		}
		n, err = done.RowsAffected()
		more = n == pruneRows
		return err
	})
	if err == nil && more && n == 0 {
		err = s.giveUp(ctx, until)
	}
	return n, more, err
}

// giveUp makes rollups forget what was before a time, and the rest of its period.
func (s *sqlStore) giveUp(ctx context.Context, until int64) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		since, err := s.exclusive(ctx, tx)
		if err != nil {
			return err
		}
		for _, ru := range rollups() {
			next := ru.ceil(until)
			if since[ru.name] >= next {
				continue
			}
			st := s.statement()
			st.write("DELETE FROM " + ru.table() + " WHERE at < ")
			st.arg(next)
			if _, err := tx.ExecContext(ctx, st.text.String(), st.args...); err != nil {
				return err
			}
			if err := s.begin(ctx, tx, &ru, next); err != nil {
				return err
			}
		}
		return nil
	})
}

// begin notes since when a rollup has everything.
func (s *sqlStore) begin(ctx context.Context, tx *sql.Tx, ru *rollup, since int64) error {
	st := s.statement()
	st.write("UPDATE ccproxy_requests_rollups SET since = ")
	st.arg(since)
	st.write(" WHERE name = ")
	st.arg(ru.name)
	_, err := tx.ExecContext(ctx, st.text.String(), st.args...)
	return err
}

// resume lets those rollups have everything again before whose since nothing is left.
func (s *sqlStore) resume(ctx context.Context) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		since, err := s.exclusive(ctx, tx)
		if err != nil {
			return err
		}
		var first sql.Null[int64]
		find := "SELECT MIN(at) FROM ccproxy_requests WHERE at >= 0"
		if err := tx.QueryRowContext(ctx, find).Scan(&first); err != nil {
			return err
		}
		for _, ru := range rollups() {
			if since[ru.name] == 0 || first.Valid && first.V < since[ru.name] {
				continue
			}
			if err := s.begin(ctx, tx, &ru, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// Reset implements [Store].
func (s *sqlStore) Reset(ctx context.Context) (deleted int64, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		if _, err := s.exclusive(ctx, tx); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, "DELETE FROM ccproxy_requests")
		if err != nil {
			return err
		}
		if deleted, err = done.RowsAffected(); err != nil {
			return err
		}
		for _, ru := range rollups() {
			st := s.statement()
			st.write("DELETE FROM " + ru.table())
			if _, err := tx.ExecContext(ctx, st.text.String()); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE ccproxy_requests_rollups SET since = 0, unfinished = 0")
		return err
	})
	if err != nil {
		return 0, err
	}
	s.wipe(ctx)
	return deleted, nil
}

// wipe takes what was deleted out of a file. Where somebody else uses the file at the moment, that has to wait for
// the next time.
func (s *sqlStore) wipe(ctx context.Context) {
	for _, statement := range s.dialect.wipe {
		if _, err := s.write.ExecContext(ctx, statement); err != nil {
			return
		}
	}
}
