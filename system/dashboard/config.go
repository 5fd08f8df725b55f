package dashboard

import "time"

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// Requests is how many of the latest requests are shown. Defaults to 500.
	Requests int `toml:"requests" validate:"gte=10,lte=5000"`
	// MaxModels is how many models have figures of their own: the first that answered, by provider. All others are
	// "other", so that clients cannot fill the memory by naming models. Defaults to 24; each takes some 250 kB at most.
	MaxModels int `toml:"max_models" validate:"gte=1,lte=200"`
	// Viewers is how many pages are kept up to date at the same time. Defaults to 16.
	Viewers int `toml:"viewers" validate:"gte=1,lte=1000"`
	// SessionTTL is how long a browser stays logged in. Defaults to 12 hours.
	SessionTTL time.Duration `toml:"session_ttl" validate:"gte=1m,lte=720h"`
	// Admins are the callers who may see the figures, by the names of their keys. Defaults to none, which lets
	// everybody see them who may call the proxy.
	Admins []string `toml:"admins" validate:"dive,required"`
	// ExcludePaths are paths whose requests are left out, along with all that is below them. Defaults to /dashboard,
	// /health, /metrics, /readyz, /livez, /logs, /permissions, /plugins and /favicon.ico.
	ExcludePaths []string `toml:"exclude_paths" validate:"dive,startswith=/"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		Requests: 500, MaxModels: 24, Viewers: 16, SessionTTL: 12 * time.Hour,
		ExcludePaths: []string{
			prefix, "/health", "/metrics", "/readyz", "/livez", "/logs", "/permissions", "/plugins", "/favicon.ico",
		},
	}
}
