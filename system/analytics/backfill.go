package analytics

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

const (
	// backfillRows are added to a rollup at a time, so that whoever writes gets a turn in between.
	backfillRows  = 5000
	backfillRetry = 10 * time.Second
)

// backfill adds the records that a database had before it had rollups to these, the latest first, while the store is
// in use. Each step leaves everything as it has to be, so it may end at any time, and several processes may do it.
// The zero value has nothing to do.
type backfill struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (b *backfill) start(s *sqlStore) {
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.done = cancel, make(chan struct{})
	go func() {
		defer close(b.done)
		s.repeat(ctx, func() (bool, error) { return false, s.dropIndexes(ctx) })
		for _, ru := range rollups() {
			s.repeat(ctx, func() (bool, error) { return s.rollSome(ctx, &ru) })
		}
	}()
}

func (b *backfill) stop() {
	if b.cancel != nil {
		b.cancel()
		<-b.done
	}
}

// repeat does something until there is no more to do, or ctx ends. It rests for as long as it works.
func (s *sqlStore) repeat(ctx context.Context, do func() (more bool, err error)) {
	for ctx.Err() == nil {
		began := time.Now()
		more, err := do()
		if err == nil && !more {
			return
		}
		rest := time.Since(began)
		if err != nil {
			rest = backfillRetry // the database is busy or away, which Append tells
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
}

// dropIndexes drops those that version 1 had and this one has not.
func (s *sqlStore) dropIndexes(ctx context.Context) error {
	for _, name := range s.dialect.obsolete {
		st := s.statement()
		st.write("DROP INDEX IF EXISTS ccproxy_requests_" + name)
		if _, err := s.write.ExecContext(ctx, st.text.String()); err != nil {
			return err
		}
	}
	return nil
}

// rollSome adds the latest of the records that a rollup does not have, and reports whether there are more.
func (s *sqlStore) rollSome(ctx context.Context, ru *rollup) (more bool, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		since, err := s.exclusive(ctx, tx)
		if err != nil {
			return err
		}
		st := s.statement()
		st.write("SELECT COUNT(*), COALESCE(MIN(at), 0) FROM (SELECT at FROM ccproxy_requests WHERE at >= 0 AND at < ")
		st.arg(since[ru.name])
		st.write(" ORDER BY at DESC LIMIT ")
		st.arg(int64(backfillRows))
		st.write(") AS latest")
		var found, from int64
		if err := tx.QueryRowContext(ctx, st.text.String(), st.args...).Scan(&found, &from); err != nil {
			return err
		}
		if more = found == backfillRows && from > 0; !more {
			from = 0
		}
		if err := s.rollRows(ctx, tx, ru, from, since[ru.name]); err != nil {
			return err
		}
		st = s.statement()
		st.write("UPDATE ccproxy_requests_rollups SET since = ")
		st.arg(from)
		st.write(", unfinished = ")
		st.arg(number(more))
		st.write(" WHERE name = ")
		st.arg(ru.name)
		_, err = tx.ExecContext(ctx, st.text.String(), st.args...)
		return err
	})
	return more, err
}

// rollRows adds the rows of a range of time to a rollup.
func (s *sqlStore) rollRows(ctx context.Context, tx *sql.Tx, ru *rollup, from, until int64) error {
	keys := ru.keys()
	keys[0] = ru.start()
	var values []string
	for _, c := range sums() {
		values = append(values, "CAST(COALESCE("+c.rows+", 0) AS BIGINT)")
	}
	st := s.statement()
	st.write("INSERT INTO " + ru.table() + " (" + names(ru.columns()) + ") SELECT ")
	st.write(strings.Join(append(keys, values...), ", ") + " FROM ccproxy_requests WHERE at >= ")
	st.arg(from)
	st.write(" AND at < ")
	st.arg(until)
	st.write(" GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5" + ru.merge(s.dialect))
	_, err := tx.ExecContext(ctx, st.text.String(), st.args...)
	return err
}
