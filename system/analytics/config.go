package analytics

import (
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// Path is the file of an SQLite database. It is made with mode 0600, its directory is not made. Defaults to none:
	// records are kept in memory and forgotten when the proxy stops.
	Path string `toml:"path"`
	// Postgres is the address of a PostgreSQL database, "postgres://user:password@host/database", in place of Path.
	// Many proxies may share one. Defaults to none.
	Postgres ccproxy.Secret `toml:"postgres"`
	// Retention is how long records are kept. Defaults to 30 days; 0 keeps them for ever.
	Retention time.Duration `toml:"retention" validate:"gte=0"`
	// MaxRecords is how many records are kept, give or take a tenth. Defaults to 0, which means 100000 in memory and
	// all in a database.
	MaxRecords int64 `toml:"max_records" validate:"gte=0"`
	// BatchSize is the number of records that the database is given at once. Defaults to 500.
	BatchSize int `toml:"batch_size" validate:"gte=1,lte=10000"`
	// FlushInterval is how long a record waits for others at most, before it is written. Defaults to 1 s.
	FlushInterval time.Duration `toml:"flush_interval" validate:"gt=0"`
	// QueueSize is how many records may wait for a database that is slow or away. What comes on top is dropped and
	// counted. Defaults to 20000, which take some 20 MB.
	QueueSize int `toml:"queue_size" validate:"gte=1,lte=1000000"`
	// ExcludePaths are paths whose requests are left out, along with all that is below them. Defaults to those that
	// pages and monitors ask all the time, or keep open for hours: /health, /metrics, /readyz, /livez, /logs,
	// /dashboard and /permissions.
	ExcludePaths []string `toml:"exclude_paths" validate:"dive,startswith=/"`
	// StreamSubscribers is how many clients /logs/stream serves at the same time. Defaults to 32.
	StreamSubscribers int `toml:"stream_subscribers" validate:"gte=0,lte=10000"`
	// StreamBuffer is how many records such a client may be behind. Defaults to 256.
	StreamBuffer int `toml:"stream_buffer" validate:"gte=1,lte=100000"`
	// ResetEnabled adds POST /logs/reset, which deletes everything. Defaults to false.
	ResetEnabled bool `toml:"reset_enabled"`
	// Store, if set, keeps the records in place of a database. The plugin closes it when it stops.
	Store Store `toml:"-" validate:"-"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		Retention:     30 * 24 * time.Hour,
		BatchSize:     500,
		FlushInterval: time.Second,
		QueueSize:     20_000,
		ExcludePaths:  []string{"/health", "/metrics", "/readyz", "/livez", "/logs", "/dashboard", "/permissions"},

		StreamSubscribers: 32,
		StreamBuffer:      256,
	}
}
