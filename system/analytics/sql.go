package analytics

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// sqlStore is a Store in a database. SQLite and PostgreSQL are asked with the same queries: what differs is in
// the dialect.
type sqlStore struct {
	dialect dialect
	write   *sql.DB
	read    *sql.DB   // may be the same
	anchor  *sql.Conn // keeps a database in memory; nil for others

	kept     kept
	backfill backfill
}

var _ Store = (*sqlStore)(nil)

// dialect is what differs between databases.
type dialect struct {
	numbered bool   // $1 in place of ?
	bytes    string // type of IDs
	text     string // type of texts, which sort by their bytes
	table    string // what follows the columns of a table
	least    string // function
	greatest string // function
	// keys is what is written before the columns of groups. SQLite would otherwise take an index of the column, to have
	// the groups in order, and with it look at all rows of all times one by one.
	keys string

	lock       string // keeps others from making the schema at the same time, within a transaction
	lockShared string // keeps others from changing since when rollups have everything, within a transaction
	lockAlone  string // the same for who changes it: nobody adds or deletes meanwhile

	// indexes are those of the records, by their names: columns, and which records they have.
	indexes  map[string]string
	obsolete []string // names of those that older versions have made
	narrows  bool     // rollups tell where to look for records, in place of indexes

	wipe []string // statements after which the database has nothing any more of what was deleted

	returning string // ends an INSERT of records
	// insertion begins an INSERT of the rows that append gives it.
	insertion func(table string, columns []typed) string
	append    func(ctx context.Context, b *batch) error
}

// column is one of the table of requests: its type, and where it is in a record.
type column struct {
	name string
	kind columnKind
	// pointer returns where in a row the value is scanned to and read from.
	pointer func(*row) any
}

type columnKind uint8

const (
	kindNumber columnKind = iota // never NULL
	kindMaybe                    // a number, NULL if unknown
	kindText
	kindID
)

// row is a record as the database has it.
type row struct {
	Record

	id               []byte
	at, duration     int64
	streamed, partly int64
	inInput          int64
	firstByte, cost  sql.Null[int64]
	tokens           [6]sql.Null[int64]
}

// columns are those of the table, in their order: first what is added up, since SQLite reads a row from its begin.
func columns() []column {
	token := func(i int) func(*row) any { return func(r *row) any { return &r.tokens[i] } }
	return []column{
		{"at", kindNumber, func(r *row) any { return &r.at }},
		{"id", kindID, func(r *row) any { return &r.id }},
		{"outcome", kindText, func(r *row) any { return &r.Outcome }},
		{"status", kindNumber, func(r *row) any { return &r.Status }},
		{"duration", kindNumber, func(r *row) any { return &r.duration }},
		{"first_byte", kindMaybe, func(r *row) any { return &r.firstByte }},
		{"tokens_input", kindMaybe, token(0)},
		{"tokens_output", kindMaybe, token(1)},
		{"tokens_cache_read", kindMaybe, token(2)},
		{"tokens_cache_write", kindMaybe, token(3)},
		{"tokens_cache_write_1h", kindMaybe, token(4)},
		{"tokens_reasoning", kindMaybe, token(5)},
		{"tokens_partial", kindNumber, func(r *row) any { return &r.partly }},
		{"cache_in_input", kindNumber, func(r *row) any { return &r.inInput }},
		{"cost", kindMaybe, func(r *row) any { return &r.cost }},
		{"request_bytes", kindNumber, func(r *row) any { return &r.RequestBytes }},
		{"response_bytes", kindNumber, func(r *row) any { return &r.ResponseBytes }},
		{"provider", kindText, func(r *row) any { return &r.Provider }},
		{"model", kindText, func(r *row) any { return &r.Model }},
		{"caller", kindText, func(r *row) any { return &r.Caller }},
		{"account", kindText, func(r *row) any { return &r.Account }},
		{"session", kindText, func(r *row) any { return &r.Session }},
		{"request_id", kindText, func(r *row) any { return &r.RequestID }},
		{"method", kindText, func(r *row) any { return &r.Method }},
		{"path", kindText, func(r *row) any { return &r.Path }},
		{"query", kindText, func(r *row) any { return &r.Query }},
		{"endpoint", kindText, func(r *row) any { return &r.Endpoint }},
		{"client_ip", kindText, func(r *row) any { return &r.ClientIP }},
		{"user_agent", kindText, func(r *row) any { return &r.UserAgent }},
		{"client_format", kindText, func(r *row) any { return &r.ClientFormat }},
		{"upstream_model", kindText, func(r *row) any { return &r.UpstreamModel }},
		{"operation", kindText, func(r *row) any { return &r.Operation }},
		{"attempts", kindNumber, func(r *row) any { return &r.Attempts }},
		{"streamed", kindNumber, func(r *row) any { return &r.streamed }},
		{"error_type", kindText, func(r *row) any { return &r.ErrorType }},
		{"error", kindText, func(r *row) any { return &r.Error }},
		{"service_tier", kindText, func(r *row) any { return &r.ServiceTier }},
	}
}

// fill makes a row of the record in it.
func (r *row) fill() {
	r.id, r.at, r.duration = r.ID[:], r.Time.UnixMicro(), r.Duration.Microseconds()
	r.streamed, r.partly = number(r.Streamed), number(r.TokensPartial)
	r.inInput = number(r.CacheInInput)
	r.firstByte = sql.Null[int64]{V: r.TimeToFirstByte.Microseconds(), Valid: r.TimeToFirstByte != 0}
	if t := r.Tokens; t != nil {
		for i, n := range []int64{t.Input, t.Output, t.CacheRead, t.CacheWrite, t.CacheWrite1h, t.Reasoning} {
			r.tokens[i] = sql.Null[int64]{V: n, Valid: true}
		}
	}
	if r.Cost != nil {
		r.cost = sql.Null[int64]{V: r.Cost.picodollars(), Valid: true}
	}
}

// record makes the record of a row that was scanned.
func (r *row) record() Record {
	copy(r.ID[:], r.id)
	r.Time, r.Duration = time.UnixMicro(r.at).UTC(), micros(r.duration)
	r.Streamed, r.TokensPartial, r.TimeToFirstByte = r.streamed != 0, r.partly != 0, micros(r.firstByte.V)
	r.CacheInInput = r.inInput != 0
	if r.tokens[0].Valid {
		r.Tokens = &Tokens{
			Input: r.tokens[0].V, Output: r.tokens[1].V, CacheRead: r.tokens[2].V, CacheWrite: r.tokens[3].V,
			CacheWrite1h: r.tokens[4].V, Reasoning: r.tokens[5].V,
		}
	}
	if r.cost.Valid {
		a := AmountOf(r.cost.V)
		r.Cost = &a
	}
	return r.Record
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// value is what the database is given for a column. before is what it was given for the record before, which is most
// often the same, and then is returned: a value that is handed to a driver takes memory.
func (c column) value(r *row, before any) any {
	switch p := c.pointer(r).(type) {
	case *string:
		return textValue(*p, before)
	case *Outcome:
		return textValue(string(*p), before)
	case *int64:
		return wholeValue(*p, before)
	case *int:
		return wholeValue(int64(*p), before)
	case *[]byte:
		return *p
	case *sql.Null[int64]:
		if p.Valid {
			return wholeValue(p.V, before)
		}
	}
	return nil
}

func textValue(s string, before any) any {
	if last, ok := before.(string); ok && last == s {
		return before
	}
	return storable(s)
}

func wholeValue(n int64, before any) any {
	if last, ok := before.(int64); ok && last == n {
		return before
	}
	return n
}

func (s *sqlStore) transact(ctx context.Context, do func(*sql.Tx) error) error {
	return transact(ctx, s.write, do)
}

// beginner is a database or a connection.
type beginner interface {
	BeginTx(ctx context.Context, options *sql.TxOptions) (*sql.Tx, error)
}

func transact(ctx context.Context, on beginner, do func(*sql.Tx) error) error {
	tx, err := on.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // the first error says more
		return err
	}
	return tx.Commit()
}

// opened makes a store of a database that has just been opened, or closes it.
func (s *sqlStore) opened(ctx context.Context) (Store, error) {
	unfinished, err := s.migrate(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("analytics: %w", err), s.Close())
	}
	if unfinished {
		s.backfill.start(s)
	}
	return s, nil
}

// Close implements [Store].
func (s *sqlStore) Close() error {
	s.backfill.stop()
	err := s.kept.close(s.write)
	if s.anchor != nil {
		err = errors.Join(err, s.anchor.Close())
	}
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return errors.Join(err, s.write.Close())
}
