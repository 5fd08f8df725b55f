package maxtokens

import (
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/internal/wildcard"
)

// Fill says which requests without a limit get one.
type Fill string

// The values of [Fill].
const (
	FillRequired Fill = "required" // those of Anthropic's dialect, which has to have one
	FillAlways   Fill = "always"   // all
	FillNever    Fill = "never"    // none
)

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// Limits are how many tokens an answer of a model may have, by the model's name or a pattern such as
	// "claude-opus-*". The name counts before patterns, a longer pattern before a shorter one. What is not here is
	// asked of the service pricing.
	Limits map[string]int64 `toml:"limits" validate:"dive,gte=1"`
	// Fill is "required", "always" or "never". Defaults to "required".
	Fill Fill `toml:"fill" validate:"oneof=required always never"`
	// FallbackMaxTokens is filled in where the model's limit is not known. Defaults to 4096.
	FallbackMaxTokens int64 `toml:"fallback_max_tokens" validate:"gte=1"`
	// EnforceMode sets the model's limit whatever the client asked for.
	EnforceMode bool `toml:"enforce_mode"`
	// TargetProviders are those whose requests are looked at. Defaults to all.
	TargetProviders []string `toml:"target_providers" validate:"omitempty,min=1"`
	// SkipProviders are those whose requests are left alone. Defaults to codex, whose upstream refuses limits.
	SkipProviders []string `toml:"skip_providers"`
	// LogModifications writes a line of level INFO for each change. Defaults to true.
	LogModifications bool `toml:"log_modifications"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		Fill: FillRequired, FallbackMaxTokens: 4096, SkipProviders: []string{"codex"}, LogModifications: true,
	}
}

// concerns reports whether requests to a provider are looked at.
func (c *Config) concerns(provider string) bool {
	if slices.Contains(c.SkipProviders, provider) {
		return false
	}
	return c.TargetProviders == nil || slices.Contains(c.TargetProviders, provider)
}

// limit finds what is configured for a model.
func (c *Config) limit(model string) (tokens int64, ok bool) {
	if tokens, ok = c.Limits[model]; ok {
		return tokens, true
	}
	best := ""
	for pattern, n := range c.Limits {
		longer := len(pattern) > len(best) || len(pattern) == len(best) && pattern < best
		if longer && strings.Contains(pattern, "*") && wildcard.Match(pattern, model) {
			best, tokens, ok = pattern, n, true
		}
	}
	return tokens, ok
}
