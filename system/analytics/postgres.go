package analytics

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ccproxy-go/ccproxy"
)

// OpenPostgres opens a database of PostgreSQL 12 or later by a URL ("postgres://user:password@host/database") or a
// connection string ("host=… dbname=…"). Several proxies of this version may use one database at the same time; its
// tables' names begin with ccproxy_requests. One of an older version is brought up to date, the larger part of it after
// OpenPostgres has returned. A password in address is in no error. ctx bounds the opening alone.
func OpenPostgres(ctx context.Context, address ccproxy.Secret) (Store, error) {
	config, err := pgx.ParseConfig(address.Reveal())
	if err != nil {
		// pgx removes passwords that it finds, and finds none in an address that it cannot read.
		return nil, fmt.Errorf("analytics: postgres: %w: the address cannot be read", ccproxy.ErrConfig)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(2)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return (&sqlStore{dialect: postgresDialect(), write: db, read: db}).opened(ctx)
}

func postgresDialect() dialect {
	return dialect{
		numbered: true, bytes: "BYTEA", text: `TEXT COLLATE "C"`, least: "LEAST", greatest: "GREATEST",
		lock:       "SELECT pg_advisory_xact_lock(7310868735)", // any numbers that nobody else has
		lockShared: "SELECT pg_advisory_xact_lock_shared(7310868736)",
		lockAlone:  "SELECT pg_advisory_xact_lock(7310868736)",
		indexes: map[string]string{
			"model": "(model, at)", "provider": "(provider, at)", "caller": "(caller, at)", "account": "(account, at)",
			"session": "(session, at)", "status": "(status, at)",
		},
		returning: " RETURNING at, id",
		insertion: insertionOfArrays, append: appendArrays,
	}
}

// insertionOfArrays begins the INSERT of any number of rows, in one text: each column is an array.
func insertionOfArrays(table string, columns []typed) string {
	var places []string
	for i, c := range columns {
		places = append(places, "$"+strconv.Itoa(i+1)+"::"+c.array)
	}
	list := names(columns)
	return "INSERT INTO " + table + " (" + list + ") SELECT " + list +
		" FROM unnest(" + strings.Join(places, ", ") + ") AS given (" + list + ")"
}

// appendArrays stores a batch with one statement for each table.
func appendArrays(ctx context.Context, b *batch) error {
	if err := insertArrays(ctx, b); err != nil {
		return err
	}
	for _, t := range b.counted {
		if keys := t.sorted(); len(keys) > 0 {
			if _, err := b.tx.ExecContext(ctx, t.upsert(b.store.dialect), t.arrays(keys)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func insertArrays(ctx context.Context, b *batch) (err error) {
	columns := columns()
	arrays := make([]array, len(columns))
	stored := make([]row, len(b.records))
	given := make(map[place]int, len(b.records))
	for i := range b.records {
		r := &stored[i]
		r.Record = b.records[i]
		r.fill()
		given[place{r.at, r.ID}] = i
		for j, c := range columns {
			arrays[j].add(c, c.value(r, nil))
		}
	}
	args := make([]any, len(columns))
	for j, c := range columns {
		args[j] = arrays[j].arg(c)
	}
	rows, err := b.tx.QueryContext(ctx, insertion(b.store.dialect, recordColumns()), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() { // those that were not there
		var at int64
		var id []byte
		if err := rows.Scan(&at, &id); err != nil {
			return err
		}
		i, ok := given[place{at, ID(id)}]
		if !ok {
			return errPlace
		}
		b.stored(&stored[i])
	}
	return rows.Err()
}

// place is the key of a record.
type place struct {
	at int64
	id ID
}

var errPlace = errors.New("the database has stored what it was not given")

// array is a column of many rows.
type array struct {
	numbers []int64
	maybe   []*int64
	texts   []string
	ids     [][]byte
}

func (a *array) add(c column, v any) {
	switch v := v.(type) {
	case string:
		a.texts = append(a.texts, v)
	case []byte:
		a.ids = append(a.ids, v)
	case int64:
		if c.kind == kindMaybe {
			a.maybe = append(a.maybe, &v)
		} else {
			a.numbers = append(a.numbers, v)
		}
	default:
		a.maybe = append(a.maybe, nil)
	}
}

func (a *array) arg(c column) any {
	switch c.kind {
	case kindText:
		return a.texts
	case kindID:
		return a.ids
	case kindMaybe:
		return a.maybe
	default:
		return a.numbers
	}
}

// arrays are the columns of a tally's entries.
func (t *tally) arrays(keys []entryKey) []any {
	at, status := make([]int64, len(keys)), make([]int64, len(keys))
	values, providers, outcomes := make([]string, len(keys)), make([]string, len(keys)), make([]string, len(keys))
	sums := make([][]int64, len(t.columns))
	for i, k := range keys {
		at[i], values[i], providers[i], status[i], outcomes[i] = k.at, k.value, k.provider, k.status, k.outcome
		for j, n := range t.entries[k] {
			sums[j] = append(sums[j], n)
		}
	}
	args := []any{at, values, providers, status, outcomes}
	for _, column := range sums {
		args = append(args, column)
	}
	return args
}
