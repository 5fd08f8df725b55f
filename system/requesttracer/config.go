package requesttracer

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// LogDir is the directory of the files, made with mode 0700. Without it the plugin opts out: there is no default,
	// since traces hold what people wrote. A directory that others may write to is refused.
	LogDir string `toml:"log_dir"`
	// JSONLogs writes a JSON document for each message. Defaults to true.
	JSONLogs bool `toml:"json_logs_enabled"`
	// RawHTTP writes each message as HTTP has it. Defaults to true.
	RawHTTP bool `toml:"raw_http_enabled"`
	// ClientRequest and the next three choose the messages. All default to true.
	ClientRequest bool `toml:"log_client_request"`
	// ClientResponse is what clients are sent.
	ClientResponse bool `toml:"log_client_response"`
	// ProviderRequest is what upstreams are sent, retries and fallbacks included.
	ProviderRequest bool `toml:"log_provider_request"`
	// ProviderResponse is what upstreams answer.
	ProviderResponse bool `toml:"log_provider_response"`
	// IncludePaths are the paths of clients' requests that are traced, along with all that is below them. Empty means
	// all. A call of an upstream is traced if its client's request is.
	IncludePaths []string `toml:"include_paths" validate:"dive,startswith=/"`
	// ExcludePaths are those that are not, and go before IncludePaths. Defaults to /health, /metrics, /readyz, /livez.
	ExcludePaths []string `toml:"exclude_paths" validate:"dive,startswith=/"`
	// ExcludeHeaders are fields that are left out. Those that hold credentials are redacted in any case. Defaults to
	// none.
	ExcludeHeaders []string `toml:"exclude_headers"`
	// MaxBodySize is how many bytes of a body are kept; the rest is counted. What is sent to upstreams is kept up to
	// 1 MiB at most. Defaults to 1 MiB.
	MaxBodySize int `toml:"max_body_size" validate:"gte=0,lte=67108864"`
	// MaxFiles is how many files there are at most; the oldest make room. Defaults to 2000.
	MaxFiles int `toml:"max_files" validate:"gte=1,lte=1000000"`
	// MaxTotalSize is how many bytes they have at most, likewise. A larger file is lost. Defaults to 256 MiB.
	MaxTotalSize int64 `toml:"max_total_size" validate:"gte=1"`
	// MaxMemory is how many bytes of bodies are held in memory at most, of requests under way and of files that wait to
	// be written. Beyond it bodies are cut off. Defaults to 64 MiB.
	MaxMemory int64 `toml:"max_memory" validate:"gte=1"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		JSONLogs: true, RawHTTP: true,
		ClientRequest: true, ClientResponse: true, ProviderRequest: true, ProviderResponse: true,
		ExcludePaths: []string{"/health", "/metrics", "/readyz", "/livez"},
		MaxBodySize:  1 << 20, MaxFiles: 2000, MaxTotalSize: 256 << 20, MaxMemory: 64 << 20,
	}
}
