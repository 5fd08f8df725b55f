package analytics

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ccproxy-go/ccproxy"
)

// OpenPostgres opens a database of PostgreSQL 12 or later by a URL ("postgres://user:password@host/database") or a
// connection string ("host=… dbname=…"). Several proxies may use one database at the same time; its tables are
// ccproxy_requests and ccproxy_requests_schema. A password in address is in no error. ctx bounds the opening alone.
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
	return migrated(ctx, &sqlStore{dialect: postgresDialect(), write: db, read: db})
}

func postgresDialect() dialect {
	return dialect{
		numbered: true, bytes: "BYTEA", text: `TEXT COLLATE "C"`, rows: 100,
		lock: "SELECT pg_advisory_xact_lock(7310868735)", // any number that nobody else has
	}
}
