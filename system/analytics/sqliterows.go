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
	conn   any // of the driver, whose they are
	insert driver.StmtExecContext
	upsert []driver.StmtExecContext // by rollups
	all    []driver.Stmt
}

var errDriver = errors.New("the driver of SQLite cannot keep statements")

// on makes the statements of a connection, unless it has them.
func (k *kept) on(ctx context.Context, conn any, d dialect) error {
	if k.conn == conn {
		return nil
	}
	parser, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return fmt.Errorf("%w: it is %T", errDriver, conn)
	}
	fresh := kept{conn: conn}
	texts := []string{insertion(d)}
	for _, ru := range rollups() {
		texts = append(texts, ru.upsert(d))
	}
	for i, text := range texts {
		st, err := parser.PrepareContext(ctx, text)
		if err != nil {
			return errors.Join(err, fresh.finish())
		}
		fresh.all = append(fresh.all, st)
		exec, ok := st.(driver.StmtExecContext)
		switch {
		case !ok:
			return errors.Join(fmt.Errorf("%w: it is %T", errDriver, st), fresh.finish())
		case i == 0:
			fresh.insert = exec
		default:
			fresh.upsert = append(fresh.upsert, exec)
		}
	}
	*k = fresh // if there were others, they have ended with their connection
	return nil
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
	args := places(len(columns))
	each := context.WithoutCancel(ctx) // the driver starts a goroutine for a statement that can be canceled
	var r row
	for i := range b.records {
		if err := ctx.Err(); err != nil {
			return err
		}
		r = row{Record: b.records[i]}
		r.fill()
		for j, c := range columns {
			args[j].Value = c.value(&r, args[j].Value)
		}
		done, err := k.insert.ExecContext(each, args)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err != nil {
			return err
		}
		if n > 0 { // else it was there, and is counted
			b.stored(&r)
		}
	}
	return nil
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
