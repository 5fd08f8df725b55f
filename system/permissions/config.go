package permissions

import (
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// Timeout is how long a question waits for an answer; then it has expired, which is a no. Defaults to 60 s.
	Timeout time.Duration `toml:"timeout" validate:"gte=1s,lte=1h"`
	// Keep is how long an answer can be asked for again by its id. Defaults to 5 min.
	Keep time.Duration `toml:"keep" validate:"gte=1s,lte=24h"`
	// MaxPending is how many questions may wait at the same time; more are refused. Defaults to 64.
	MaxPending int `toml:"max_pending" validate:"gte=1,lte=1000"`
	// MaxWatchers is how many clients are told of questions as they come. Defaults to 32.
	MaxWatchers int `toml:"max_watchers" validate:"gte=1,lte=1000"`
	// Approvers are the callers who may see and answer questions, by the names of their keys. All others may only ask.
	// Defaults to none, which lets everybody answer who may call the proxy, the program that asks included.
	Approvers []string `toml:"approvers" validate:"dive,required"`
	// Key is what the command "permissions watch" answers with, where the proxy asks for a key. The proxy itself does
	// not use it. Defaults to none.
	Key ccproxy.Secret `toml:"key"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{Timeout: time.Minute, Keep: 5 * time.Minute, MaxPending: 64, MaxWatchers: 32}
}
