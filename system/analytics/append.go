package analytics

import (
	"context"
	"database/sql"
	"strings"
)

// Append implements [Store].
func (s *sqlStore) Append(ctx context.Context, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // gives it back
	return transact(ctx, conn, func(tx *sql.Tx) error {
		since, err := s.shared(ctx, tx)
		if err != nil {
			return err
		}
		b := &batch{store: s, conn: conn, tx: tx, records: records, counted: tallies(since)}
		return s.dialect.append(ctx, b)
	})
}

// batch is what Append stores: records, and what they add to rollups, counted once they are stored.
type batch struct {
	store   *sqlStore
	conn    *sql.Conn // on which the transaction is
	tx      *sql.Tx
	records []Record
	counted []*tally
}

// stored counts a record that was not there before.
func (b *batch) stored(r *row) {
	for _, t := range b.counted {
		t.add(r)
	}
}

// insertion is the statement that adds records.
func insertion(d dialect, columns []typed) string {
	return d.insertion("ccproxy_requests", columns) + " ON CONFLICT DO NOTHING" + d.returning
}

// typed is a column as an INSERT needs to know it.
type typed struct {
	name  string
	array string // the type of many of it, for PostgreSQL
	fixed string // what stands in the place of a value, for SQLite; empty for a value
}

func recordColumns() (all []typed) {
	arrays := map[columnKind]string{
		kindNumber: "bigint[]", kindMaybe: "bigint[]", kindText: "text[]", kindID: "bytea[]",
	}
	for _, c := range columns() {
		all = append(all, typed{name: c.name, array: arrays[c.kind]})
	}
	return all
}

// columns are the key and the sums.
func (ru *rollup) columns() (all []typed) {
	for _, name := range ru.keys() {
		array := "text[]"
		if name == "at" || name == "status" {
			array = "bigint[]"
		}
		all = append(all, typed{name: name, array: array})
	}
	for _, c := range sums() {
		all = append(all, typed{name: c.name, array: "bigint[]"})
	}
	return all
}

func names(columns []typed) string {
	var all []string
	for _, c := range columns {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

// upsert is the statement that adds entries to those that are there.
func (ru *rollup) upsert(d dialect) string {
	return d.insertion(ru.table(), ru.columns()) + ru.merge(d)
}

// merge is how an entry that is there already takes another one.
func (ru *rollup) merge(d dialect) string {
	var sets []string
	for _, c := range sums() {
		here, more := ru.table()+"."+c.name, "excluded."+c.name
		if c.name == longest {
			sets = append(sets, c.name+" = "+d.greatest+"("+here+", "+more+")")
		} else {
			sets = append(sets, c.name+" = "+here+" + "+more)
		}
	}
	return " ON CONFLICT (" + strings.Join(ru.keys(), ", ") + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

// shared returns since when each rollup has everything, and keeps it so until the transaction ends.
func (s *sqlStore) shared(ctx context.Context, tx *sql.Tx) (map[string]int64, error) {
	if s.dialect.lockShared != "" {
		if _, err := tx.ExecContext(ctx, s.dialect.lockShared); err != nil {
			return nil, err
		}
	}
	return s.since(ctx, tx)
}

// exclusive is shared for those who will change it.
func (s *sqlStore) exclusive(ctx context.Context, tx *sql.Tx) (map[string]int64, error) {
	if s.dialect.lockAlone != "" {
		if _, err := tx.ExecContext(ctx, s.dialect.lockAlone); err != nil {
			return nil, err
		}
	}
	return s.since(ctx, tx)
}

func (s *sqlStore) since(ctx context.Context, tx *sql.Tx) (map[string]int64, error) {
	since := make(map[string]int64)
	rows, err := tx.QueryContext(ctx, "SELECT name, since FROM ccproxy_requests_rollups")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var at int64
		if err := rows.Scan(&name, &at); err != nil {
			return nil, err
		}
		since[name] = at
	}
	return since, rows.Err()
}
