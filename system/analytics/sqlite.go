package analytics

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// OpenSQLite opens a database in a file, which is made with mode 0600 if it does not exist; its directory has to.
// Beside it stand the files of SQLite's write-ahead log. What Append has stored survives a crash of the process, but
// not one of the machine in every case. Several processes may use the file if it is on a local disk, all of this
// version. A file of an older one is brought up to date, the larger part of it after OpenSQLite has returned. ctx
// bounds the opening alone.
func OpenSQLite(ctx context.Context, path string) (Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("analytics: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("analytics: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("analytics: %w", err)
	}
	options := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(wal)", "synchronous(normal)"}}
	options.Set("_txlock", "immediate")
	name := (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}).String()
	write, err := openSQLite(name, options)
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1) // SQLite has one writer at a time: better to wait here than there
	options.Add("_pragma", "query_only(1)")
	options.Del("_txlock")
	read, err := openSQLite(name, options)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(4)
	d := sqliteDialect()
	d.wipe = []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"}
	return (&sqlStore{dialect: d, write: write, read: read}).opened(ctx)
}

// OpenMemory opens a database that is forgotten when it is closed.
func OpenMemory(ctx context.Context) (Store, error) {
	name := "file:/ccproxy-analytics-" + rand.Text()
	options := url.Values{"vfs": {"memdb"}, "_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)"}}
	db, err := openSQLite(name, options)
	if err != nil {
		return nil, err
	}
	// Each connection sees the same database, which is gone when the last one is closed: one is never given back.
	db.SetMaxOpenConns(2)
	anchor, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("analytics: %w", err), db.Close())
	}
	return (&sqlStore{dialect: sqliteDialect(), write: db, read: db, anchor: anchor}).opened(ctx)
}

func openSQLite(name string, options url.Values) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(name + "?" + options.Encode())
	if err != nil {
		return nil, fmt.Errorf("analytics: %w", err)
	}
	return sql.OpenDB(connector), nil
}

func sqliteDialect() dialect {
	// Rows lie in the order of the key, so that a range of time is read in one go.
	return dialect{
		bytes: "BLOB", text: "TEXT", table: " WITHOUT ROWID", least: "MIN", greatest: "MAX", keys: "+",
		// What an index costs with each record, it costs this process. A caller or session that is not known, and the
		// status of nearly all records, is looked for by nobody.
		indexes: map[string]string{
			"caller":  "(caller, at) WHERE caller <> ''",
			"session": "(session, at) WHERE session <> ''",
			"status":  "(status, at) WHERE status <> 200",
		},
		obsolete: []string{"model", "provider", "account"}, narrows: true,
		insertion: insertionOfRow, append: appendRows,
	}
}

// insertionOfRow begins the INSERT of one row. Of several, SQLite would write down before each how to undo it.
func insertionOfRow(table string, columns []typed) string {
	values := make([]string, len(columns))
	for i, c := range columns {
		values[i] = cmp.Or(c.fixed, "?")
	}
	return "INSERT INTO " + table + " (" + names(columns) + ") VALUES (" + strings.Join(values, ", ") + ")"
}
