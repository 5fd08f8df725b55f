package pricing

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// Models are prices of one's own. They count more than all others, and for a model with its date, too, unless the
	// list has another price for that than for the plain name.
	Models []Model `toml:"models" validate:"dive"`
	// Aliases are further names of models, such as those of an own gateway, each with the name that has a price.
	Aliases map[string]string `toml:"aliases"`
	// SourceURL is where a newer list is fetched from, over https, or http for an address of one's own. It is
	// either in the form of the embedded list or a JSON object of models with input_cost_per_token and
	// output_cost_per_token. Defaults to none: nothing is fetched.
	SourceURL string `toml:"source_url" validate:"omitempty,http_url"`
	// RefreshInterval is how old a fetched list gets, at least a day. Defaults to one.
	RefreshInterval time.Duration `toml:"refresh_interval" validate:"gte=24h"`
	// CacheFile keeps the fetched list for the next start. It is made with mode 0600, its directory is not made.
	// Defaults to none.
	CacheFile string `toml:"cache_file"`
	// Routes opens /pricing. Defaults to false.
	Routes bool `toml:"routes"`
}

// Model is a price of one's own: decimals of US dollars for a million tokens, such as "0.25".
type Model struct {
	// Model is the name. Required.
	Model string `toml:"model" validate:"required"`
	// Aliases are other names of the model.
	Aliases []string `toml:"aliases"`
	// Input and Output are required. "0" makes them free.
	Input  string `toml:"input" validate:"required"`
	Output string `toml:"output" validate:"required"`
	// CacheRead and CacheWrite5m default to Input, CacheWrite1h to CacheWrite5m.
	CacheRead    string `toml:"cache_read"`
	CacheWrite5m string `toml:"cache_write_5m"`
	CacheWrite1h string `toml:"cache_write_1h"`
	// MaxInputTokens and MaxOutputTokens bound prompt and answer. Zero is unknown.
	MaxInputTokens  int64 `toml:"max_input_tokens" validate:"gte=0"`
	MaxOutputTokens int64 `toml:"max_output_tokens" validate:"gte=0"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config { return &Config{RefreshInterval: 24 * time.Hour} }

// own reads the prices of the configuration.
func (c *Config) own() ([]Price, error) {
	prices := make([]Price, 0, len(c.Models))
	for _, m := range c.Models {
		l := listModel{
			Model: m.Model, Aliases: m.Aliases, MaxInputTokens: m.MaxInputTokens, MaxOutputTokens: m.MaxOutputTokens,
			Rates: rateText{m.Input, m.Output, m.CacheRead, m.CacheWrite5m, m.CacheWrite1h},
		}
		p, err := l.price()
		if err != nil {
			return nil, fmt.Errorf("plugins.pricing.models: %w: %w", ccproxy.ErrConfig, err)
		}
		prices = append(prices, p)
	}
	return prices, nil
}

// over returns a table with what is configured on top.
func (c *Config) over(t *table) (*table, error) {
	own, err := c.own()
	if err != nil {
		return nil, err
	}
	next := t.with(t.date, t.source, own)
	next.cover(t, own)
	for _, alias := range slices.Sorted(maps.Keys(c.Aliases)) {
		p, ok := next.lookup(c.Aliases[alias])
		if !ok {
			return nil, fmt.Errorf("plugins.pricing.aliases: %w: %w", ccproxy.ErrConfig, next.unknown(c.Aliases[alias]))
		}
		named := p.clone()
		named.Aliases = append(named.Aliases, alias)
		next.add(&named)
	}
	return next, nil
}
