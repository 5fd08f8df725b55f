package commandreplay

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// LogDir is the directory of the scripts, made with mode 0700. Without it the plugin opts out. A directory that
	// others may write to is refused.
	LogDir string `toml:"log_dir"`
	// ProviderRequests writes scripts for what upstreams are sent. Defaults to true.
	ProviderRequests bool `toml:"include_provider_requests"`
	// ClientRequests writes scripts for what clients send, as far as request_tracer traces it. Defaults to true.
	ClientRequests bool `toml:"include_client_requests"`
	// IncludeURLs are texts of which a URL has to have one. Empty means all URLs, which is the default.
	IncludeURLs []string `toml:"include_url_patterns"`
	// ExcludeURLs are texts of which it may have none; they go before IncludeURLs. Defaults to none.
	ExcludeURLs []string `toml:"exclude_url_patterns"`
	// MaxFiles is how many files there are at most; the oldest make room. Defaults to 1000.
	MaxFiles int `toml:"max_files" validate:"gte=1,lte=1000000"`
	// MaxTotalSize is how many bytes they have at most, likewise. A larger file is lost. Defaults to 128 MiB.
	MaxTotalSize int64 `toml:"max_total_size" validate:"gte=1"`
	// MaxMemory is how many bytes of bodies may wait to be written. What comes on top has no script. Defaults to
	// 32 MiB.
	MaxMemory int64 `toml:"max_memory" validate:"gte=1"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		ProviderRequests: true, ClientRequests: true,
		MaxFiles: 1000, MaxTotalSize: 128 << 20, MaxMemory: 32 << 20,
	}
}
