package analytics

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// schemaVersion is what the tables of this version are marked with. Version 1 had no rollups.
const schemaVersion = 2

// migrate makes the tables, unless they are there, and reports whether rollups of old records have to be made still.
func (s *sqlStore) migrate(ctx context.Context) (unfinished bool, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		if s.dialect.lock != "" {
			if _, err := tx.ExecContext(ctx, s.dialect.lock); err != nil {
				return err
			}
		}
		const table = "CREATE TABLE IF NOT EXISTS ccproxy_requests_schema (version BIGINT NOT NULL)"
		if _, err := tx.ExecContext(ctx, table); err != nil {
			return err
		}
		var version int64
		find := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM ccproxy_requests_schema")
		if err := find.Scan(&version); err != nil {
			return err
		}
		if version > schemaVersion {
			return fmt.Errorf("%w: version %d, this program knows %d", ErrSchema, version, schemaVersion)
		}
		for _, text := range s.schema(version) {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		find = tx.QueryRowContext(ctx, "SELECT COUNT(*) > 0 FROM ccproxy_requests_rollups WHERE unfinished <> 0")
		return find.Scan(&unfinished)
	})
	return unfinished, err
}

// schema is what makes the tables of this version from those of another, zero for none.
func (s *sqlStore) schema(version int64) (all []string) {
	if version == schemaVersion {
		return nil
	}
	if version < 1 {
		all = append(all, s.requestsTable())
		for name, columns := range s.dialect.indexes {
			all = append(all, "CREATE INDEX ccproxy_requests_"+name+" ON ccproxy_requests "+columns)
		}
	}
	if version < 2 {
		all = append(all, "CREATE TABLE ccproxy_requests_rollups (name "+s.dialect.text+" PRIMARY KEY, "+
			"since BIGINT NOT NULL, unfinished BIGINT NOT NULL)")
		for _, ru := range rollups() {
			// The rollups of a database of version 1 begin with what comes from now on. See backfill for the rest.
			all = append(all, s.rollupTable(&ru), "INSERT INTO ccproxy_requests_rollups "+
				"SELECT '"+ru.name+"', "+s.dialect.greatest+"(COALESCE(MAX(at), -1) + 1, 0), "+
				strconv.FormatInt(version, 10)+" FROM ccproxy_requests")
		}
	}
	return append(all, "INSERT INTO ccproxy_requests_schema (version) VALUES ("+strconv.Itoa(schemaVersion)+")")
}

// requestsTable makes the table of records. Its key is its order, and every index ends with the time.
func (s *sqlStore) requestsTable() string {
	types := map[columnKind]string{
		kindNumber: "BIGINT NOT NULL", kindMaybe: "BIGINT", kindText: s.dialect.text + " NOT NULL",
		kindID: s.dialect.bytes + " NOT NULL",
	}
	var b strings.Builder
	b.WriteString("CREATE TABLE ccproxy_requests (")
	for _, c := range columns() {
		b.WriteString(c.name + " " + types[c.kind] + ", ")
	}
	return b.String() + "PRIMARY KEY (at, id))" + s.dialect.table
}

func (s *sqlStore) rollupTable(ru *rollup) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + ru.table() + " (")
	for _, c := range ru.columns() {
		kind := "BIGINT"
		if c.array == "text[]" {
			kind = s.dialect.text
		}
		b.WriteString(c.name + " " + kind + " NOT NULL, ")
	}
	return b.String() + "PRIMARY KEY (" + strings.Join(ru.keys(), ", ") + "))" + s.dialect.table
}
