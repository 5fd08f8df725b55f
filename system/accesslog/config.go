package accesslog

import (
	"io"
	"time"
)

// Format is how a line is written.
type Format string

// The formats of lines.
const (
	FormatStructured Format = "structured" // a JSON object
	FormatCommon     Format = "common"     // Apache's common log format
	FormatCombined   Format = "combined"   // Apache's combined log format: common, referer and user agent
)

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// ClientEnabled writes a line for each request of a client. Defaults to true.
	ClientEnabled bool `toml:"client_enabled"`
	// ClientFormat is "structured", "combined" or "common". Defaults to "structured".
	ClientFormat Format `toml:"client_format" validate:"oneof=structured combined common"`
	// ClientLogFile is the file that lines are appended to. It is made with mode 0600, its directory is not made, and
	// when it has been renamed away a new one is begun. Defaults to none: requests are records of the proxy's log.
	ClientLogFile string `toml:"client_log_file"`
	// ProviderEnabled writes a line for each call of a provider. Defaults to false.
	ProviderEnabled bool `toml:"provider_enabled"`
	// ProviderFormat is that of calls of providers: "structured", "combined" or "common". Defaults to "structured".
	ProviderFormat Format `toml:"provider_format" validate:"oneof=structured combined common"`
	// ProviderLogFile is the file for calls of providers, as ClientLogFile. Defaults to none. It cannot be the same.
	ProviderLogFile string `toml:"provider_log_file" validate:"omitempty,nefield=ClientLogFile"`
	// ExcludePaths are paths whose requests have no lines of clients, along with all that is below them. Defaults to
	// /health, /metrics, /readyz and /livez.
	ExcludePaths []string `toml:"exclude_paths" validate:"dive,startswith=/"`
	// BufferSize is the number of lines that a file is given at once. Defaults to 100; 1 writes each line as it comes.
	BufferSize int `toml:"buffer_size" validate:"gte=1,lte=100000"`
	// FlushInterval is how long a line waits for others at most, before it is written to the file. Defaults to 1 s.
	FlushInterval time.Duration `toml:"flush_interval" validate:"gt=0"`
	// Writer, if set, takes the lines in place of the log and of ClientLogFile: one Write for each, never two at a
	// time. An error counts as one of the plugin's hook. The plugin does not close it.
	Writer io.Writer `toml:"-" validate:"-"`
	// ProviderWriter is the same for lines of calls of providers.
	ProviderWriter io.Writer `toml:"-" validate:"-"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		ClientEnabled:  true,
		ClientFormat:   FormatStructured,
		ProviderFormat: FormatStructured,
		ExcludePaths:   []string{"/health", "/metrics", "/readyz", "/livez"},
		BufferSize:     100,
		FlushInterval:  time.Second,
	}
}
