package analytics

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// closeTimeout bounds how long closing waits for who uses the connection still.
const closeTimeout = 5 * time.Second

// kept are statements of the only connection that writes to an SQLite database, parsed once. They are those of the
// driver: what database/sql does for each call and each value would cost a quarter of what SQLite itself does. Who has
// the connection has them. The zero value has none.
type kept struct {
	conn   any                               // of the driver, whose they are
	insert map[uint64]driver.StmtExecContext // by the columns, as bits, in which a record has nothing
	upsert []driver.StmtExecContext          // by rollups
	all    []driver.Stmt
}

// maxInserts is how many statements are kept for records that have nothing in the same columns. Others are given what
// they do not have, too: a third of a typical record.
const maxInserts = 16

var errDriver = errors.New("the driver of SQLite cannot keep statements")

// on makes the statements of a connection, unless it has them.
func (k *kept) on(ctx context.Context, conn any, d dialect) error {
	if k.conn == conn {
		return nil
	}
	*k = kept{conn: conn, insert: make(map[uint64]driver.StmtExecContext)} // others have ended with their connection
	for _, ru := range rollups() {
		upsert, err := k.prepare(ctx, ru.upsert(d))
		if err != nil {
			return errors.Join(err, k.finish())
		}
		k.upsert = append(k.upsert, upsert)
	}
	return nil
}

// prepare makes one more statement.
func (k *kept) prepare(ctx context.Context, text string) (driver.StmtExecContext, error) {
	parser, ok := k.conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, fmt.Errorf("%w: it is %T", errDriver, k.conn)
	}
	st, err := parser.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	k.all = append(k.all, st)
	exec, ok := st.(driver.StmtExecContext)
	if !ok {
		return nil, fmt.Errorf("%w: it is %T", errDriver, st)
	}
	return exec, nil
}

// finish ends the statements. It is for who has the connection.
func (k *kept) finish() (err error) {
	for _, st := range k.all {
		err = errors.Join(err, st.Close())
	}
	*k = kept{}
	return err
}

// close ends the statements before their connection ends.
func (k *kept) close(db *sql.DB) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil // it is broken or in use: they end with it
	}
	defer func() { _ = conn.Close() }() // gives it back
	return conn.Raw(func(of any) error {
		if k.conn != of {
			return nil
		}
		return k.finish()
	})
}

// appendRows stores a batch row by row. While it runs, nobody else gets to the connection: the transaction is there
// as long as ctx has not ended.
func appendRows(ctx context.Context, b *batch) error {
	return b.conn.Raw(func(conn any) error {
		k := &b.store.kept
		if err := k.on(ctx, conn, b.store.dialect); err != nil {
			return err
		}
		if err := k.insertRows(ctx, b); err != nil {
			return err
		}
		for i, t := range b.counted {
			if err := upsertRows(ctx, k.upsert[i], t); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k *kept) insertRows(ctx context.Context, b *batch) error {
	columns := columns()
	values, args := make([]any, len(columns)), places(len(columns))
	each := context.WithoutCancel(ctx) // the driver starts a goroutine for a statement that can be canceled
	var r row
	for i := range b.records {
		if err := ctx.Err(); err != nil {
			return err
		}
		r = row{Record: b.records[i]}
		r.fill()
		for j, c := range columns {
			values[j] = c.value(&r, values[j])
		}
		insert, nothing, err := k.insertFor(each, b.store.dialect, columns, values)
		if err != nil {
			return err
		}
		n := 0
		for j, v := range values {
			if nothing&(1<<j) == 0 {
				args[n].Value = v
				n++
			}
		}
		done, err := insert.ExecContext(each, args[:n])
		if err != nil {
			return err
		}
		stored, err := done.RowsAffected()
		if err != nil {
			return err
		}
		if stored > 0 { // else it was there, and is counted
			b.stored(&r)
		}
	}
	return nil
}

// insertFor returns the statement that adds a record, and the columns, as bits, for which it wants no value: it says
// itself that there is nothing in them.
func (k *kept) insertFor(ctx context.Context, d dialect, columns []column, values []any) (
	insert driver.StmtExecContext, nothing uint64, err error,
) {
	for i, v := range values {
		if v == columns[i].kind.nothing() {
			nothing |= 1 << i
		}
	}
	if k.insert[nothing] == nil && len(k.insert) >= maxInserts {
		nothing = 0
	}
	if known := k.insert[nothing]; known != nil {
		return known, nothing, nil
	}
	all := recordColumns()
	for i := range all {
		if nothing&(1<<i) != 0 {
			all[i].fixed = columns[i].kind.literal()
		}
	}
	insert, err = k.prepare(ctx, insertion(d, all))
	if err == nil {
		k.insert[nothing] = insert
	}
	return insert, nothing, err
}

// nothing is the value of a column in which a record has nothing.
func (k columnKind) nothing() any {
	switch k {
	case kindNumber:
		return int64(0)
	case kindText:
		return ""
	case kindMaybe, kindID:
	}
	return nil
}

// literal is nothing as a statement has it.
func (k columnKind) literal() string {
	switch k {
	case kindNumber:
		return "0"
	case kindText:
		return "''"
	case kindMaybe, kindID:
	}
	return "NULL"
}

func upsertRows(ctx context.Context, upsert driver.StmtExecContext, t *tally) error {
	args := places(len(t.keys()) + len(t.columns))
	each := context.WithoutCancel(ctx) // as above
	for _, k := range t.sorted() {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i, v := range []any{k.at, k.value, k.provider, k.status, k.outcome} {
			args[i].Value = v
		}
		for i, n := range t.entries[k] {
			args[len(args)-len(t.columns)+i].Value = n
		}
		if _, err := upsert.ExecContext(each, args); err != nil {
			return err
		}
	}
	return nil
}

// places are the arguments of a statement, by their numbers.
func places(n int) []driver.NamedValue {
	all := make([]driver.NamedValue, n)
	for i := range all {
		all[i].Ordinal = i + 1
	}
	return all
}
