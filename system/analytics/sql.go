package analytics

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sqlStore is a Store in a database. SQLite and PostgreSQL are asked with the same queries: what differs is in
// the dialect.
type sqlStore struct {
	dialect dialect
	write   *sql.DB
	read    *sql.DB   // may be the same
	anchor  *sql.Conn // keeps a database in memory; nil for others
}

var _ Store = (*sqlStore)(nil)

// dialect is what differs between databases.
type dialect struct {
	numbered bool   // $1 in place of ?
	bytes    string // type of IDs
	text     string // type of texts, which sort by their bytes
	table    string // what follows the columns of the table
	lock     string // keeps others from making the schema at the same time, within a transaction
	rows     int    // of one INSERT
	// keys is what is written before the columns of groups. SQLite would otherwise take an index of the column, to have
	// the groups in order, and with it look at all rows of all times one by one.
	keys string
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
		r.cost = sql.Null[int64]{V: r.Cost.Dollars*picos + r.Cost.Picos, Valid: true}
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

// value is what the database is given for a column.
func (c column) value(r *row) any {
	switch p := c.pointer(r).(type) {
	case *string:
		return storable(*p)
	case *Outcome:
		return storable(string(*p))
	case *int64:
		return *p
	case *int:
		return int64(*p)
	case *[]byte:
		return *p
	case *sql.Null[int64]:
		if p.Valid {
			return p.V
		}
	}
	return nil
}

// Append implements [Store].
func (s *sqlStore) Append(ctx context.Context, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	return s.transact(ctx, func(tx *sql.Tx) error {
		for len(records) > 0 {
			n := min(len(records), s.dialect.rows)
			if err := s.insert(ctx, tx, records[:n]); err != nil {
				return err
			}
			records = records[n:]
		}
		return nil
	})
}

func (s *sqlStore) insert(ctx context.Context, tx *sql.Tx, records []Record) error {
	cols := columns()
	st := s.statement()
	st.write("INSERT INTO ccproxy_requests (" + names(cols) + ") VALUES ")
	for i := range records {
		r := row{Record: records[i]}
		r.fill()
		for j, c := range cols {
			switch {
			case j > 0:
				st.write(", ")
			case i > 0:
				st.write("), (")
			default:
				st.write("(")
			}
			st.arg(c.value(&r))
		}
	}
	st.write(") ON CONFLICT DO NOTHING")
	_, err := tx.ExecContext(ctx, st.text.String(), st.args...)
	return err
}

func names(cols []column) string {
	var all []string
	for _, c := range cols {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

func (s *sqlStore) transact(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // the first error says more
		return err
	}
	return tx.Commit()
}

// Close implements [Store].
func (s *sqlStore) Close() error {
	var err error
	if s.anchor != nil {
		err = s.anchor.Close()
	}
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return errors.Join(err, s.write.Close())
}

// statement is a query that is being written, with its arguments.
type statement struct {
	numbered bool
	text     strings.Builder
	args     []any
}

func (s *sqlStore) statement() *statement { return &statement{numbered: s.dialect.numbered} }

func (st *statement) write(text string) { st.text.WriteString(text) }

// arg writes the place of an argument.
func (st *statement) arg(v any) {
	st.args = append(st.args, v)
	if !st.numbered {
		st.text.WriteByte('?')
		return
	}
	st.text.WriteByte('$')
	st.text.WriteString(strconv.Itoa(len(st.args)))
}

// where writes the conditions of a filter.
func (st *statement) where(f *Filter) {
	st.write(" WHERE 1 = 1")
	bound := func(condition string, set bool, v int64) {
		if set {
			st.write(" AND " + condition + " ")
			st.arg(v)
		}
	}
	bound("at >=", !f.From.IsZero(), ceilMicro(f.From))
	bound("at <", !f.Until.IsZero(), ceilMicro(f.Until))
	bound("status >=", f.StatusMin != 0, int64(f.StatusMin))
	bound("status <=", f.StatusMax != 0, int64(f.StatusMax))
	bound("duration >=", f.DurationMin != 0, int64((f.DurationMin+time.Microsecond-1)/time.Microsecond))
	bound("duration <=", f.DurationMax != 0, f.DurationMax.Microseconds())
	st.words("model", f.Models)
	st.words("provider", f.Providers)
	st.words("caller", f.Callers)
	st.words("account", f.Accounts)
	st.words("session", f.Sessions)
	st.words("outcome", f.Outcomes)
}

// ceilMicro is the first microsecond that is not before t.
func ceilMicro(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }

func (st *statement) words(name string, w Words) {
	st.oneOf(name+" IN (", w.Any)
	st.oneOf(name+" NOT IN (", w.None)
}

func (st *statement) oneOf(condition string, words []string) {
	for i, w := range words {
		if i == 0 {
			st.write(" AND " + condition)
		} else {
			st.write(", ")
		}
		st.arg(storable(w))
	}
	if len(words) > 0 {
		st.write(")")
	}
}

// schemaVersion is what the tables of this version are marked with.
const schemaVersion = 1

// migrate makes the tables, unless they are there.
func (s *sqlStore) migrate(ctx context.Context) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		exec := func(text string) error {
			if text == "" {
				return nil
			}
			_, err := tx.ExecContext(ctx, text)
			return err
		}
		if err := exec(s.dialect.lock); err != nil {
			return err
		}
		if err := exec("CREATE TABLE IF NOT EXISTS ccproxy_requests_schema (version BIGINT NOT NULL)"); err != nil {
			return err
		}
		var version sql.Null[int64]
		find := tx.QueryRowContext(ctx, "SELECT MAX(version) FROM ccproxy_requests_schema")
		switch err := find.Scan(&version); {
		case err != nil:
			return err
		case version.V > schemaVersion:
			return fmt.Errorf("%w: version %d, this program knows %d", ErrSchema, version.V, schemaVersion)
		case version.Valid:
			return nil
		}
		for _, text := range s.schema() {
			if err := exec(text); err != nil {
				return err
			}
		}
		return exec("INSERT INTO ccproxy_requests_schema (version) VALUES (" + strconv.Itoa(schemaVersion) + ")")
	})
}

// schema is what makes the table. Its key is its order, and every index ends with the time.
func (s *sqlStore) schema() []string {
	types := map[columnKind]string{
		kindNumber: "BIGINT NOT NULL", kindMaybe: "BIGINT", kindText: s.dialect.text + " NOT NULL",
		kindID: s.dialect.bytes + " NOT NULL",
	}
	var b strings.Builder
	b.WriteString("CREATE TABLE ccproxy_requests (")
	for _, c := range columns() {
		b.WriteString(c.name + " " + types[c.kind] + ", ")
	}
	b.WriteString("PRIMARY KEY (at, id))" + s.dialect.table)
	all := []string{b.String()}
	for _, name := range []string{"model", "provider", "caller", "account", "session", "status"} {
		all = append(all, "CREATE INDEX ccproxy_requests_"+name+" ON ccproxy_requests ("+name+", at)")
	}
	return all
}
