package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// Rates are what one token costs, by what it is.
type Rates struct {
	// Input are tokens of the prompt that no cache had, Output those of the answer, reasoning included.
	Input, Output Amount
	// CacheRead are tokens of the prompt that a cache had.
	CacheRead Amount
	// CacheWrite5m and CacheWrite1h are tokens of the prompt that were put into a cache, for five minutes or for
	// an hour.
	CacheWrite5m, CacheWrite1h Amount
}

// LongContext is what prompts beyond a length cost, all of their tokens and those of the answer.
type LongContext struct {
	// Above is the longest prompt, in tokens, that still costs the usual.
	Above int64
	// Rates and Tiers are in the place of those of [Price].
	Rates Rates
	Tiers map[string]Rates
}

// Price is what a model costs, and how much it takes and gives.
type Price struct {
	// Model is the name without a date.
	Model string
	// Vendor is who makes the model, such as "anthropic"; may be empty.
	Vendor string
	// Aliases are other names; may be nil.
	Aliases []string
	// MaxInputTokens and MaxOutputTokens bound prompt and answer. Zero is unknown.
	MaxInputTokens, MaxOutputTokens int64
	// Rates are those of the standard tier.
	Rates Rates
	// Tiers are the rates of the service tiers "batch", "flex" and "priority", as far as the model has them.
	Tiers map[string]Rates
	// LongContext is nil for a model whose prompts cost the same at any length.
	LongContext *LongContext
}

// ErrUnknownTier tells that a request was served in a tier for which the model has no price.
var ErrUnknownTier = errors.New("no price for the service tier")

// Cost returns what usage costs. A tier without a price is [ErrUnknownTier]. The sum is exact; it ends at the
// largest Amount, about nine million dollars.
func (p *Price) Cost(u *hooks.Usage) (Amount, error) {
	read, write := max(u.CacheReadInputTokens, 0), max(u.CacheCreationInputTokens, 0)
	fresh := max(u.InputTokens, 0)
	if u.CacheInInput {
		fresh = max(fresh-read-write, 0)
	}
	rates, tiers := p.Rates, p.Tiers
	if l := p.LongContext; l != nil && longer(l.Above, fresh, read, write) {
		rates, tiers = l.Rates, l.Tiers
	}
	if tier := tierOf(u.ServiceTier); tier != "" {
		own, ok := tiers[tier]
		if !ok {
			return 0, fmt.Errorf("%s, tier %.40q: %w", p.Model, tier, ErrUnknownTier)
		}
		rates = own
	}
	hour := min(max(u.CacheCreation1hInputTokens, 0), write)
	sum := rates.Input.times(fresh).plus(rates.Output.times(u.OutputTokens)).plus(rates.CacheRead.times(read))
	return sum.plus(rates.CacheWrite5m.times(write - hour)).plus(rates.CacheWrite1h.times(hour)), nil
}

// longer reports whether parts of a prompt are more than a number of tokens, however large they are.
func longer(than int64, parts ...int64) bool {
	for _, n := range parts {
		if n > than {
			return true
		}
		than -= n
	}
	return false
}

// tierOf is "" for the many names of the standard tier.
func tierOf(name string) string {
	if name == "" {
		return ""
	}
	switch name = strings.ToLower(name); name {
	case "standard", "default", "auto", "on_demand", "scale":
		return ""
	}
	return name
}

// clone returns a copy that shares nothing.
func (p *Price) clone() Price {
	c := *p
	c.Aliases = slices.Clone(p.Aliases)
	c.Tiers = maps.Clone(p.Tiers)
	if p.LongContext != nil {
		long := *p.LongContext
		long.Tiers = maps.Clone(long.Tiers)
		c.LongContext = &long
	}
	return c
}

// rateText is [Rates] as a list of prices has them: decimals of dollars. What is not said of the cache costs as
// much as what no cache had, never nothing.
type rateText struct {
	Input        string `json:"input"`
	Output       string `json:"output"`
	CacheRead    string `json:"cache_read"`
	CacheWrite5m string `json:"cache_write_5m"`
	CacheWrite1h string `json:"cache_write_1h"`
}

// rates reads dollars, which are for one token at 12 places and for a million of them at 6.
func (t rateText) rates(places int) (Rates, error) {
	var r Rates
	read := cmp.Or(t.CacheRead, t.Input)
	write := cmp.Or(t.CacheWrite5m, t.Input)
	for _, field := range []struct {
		dst  *Amount
		text string
	}{
		{&r.Input, t.Input},
		{&r.Output, t.Output},
		{&r.CacheRead, read},
		{&r.CacheWrite5m, write},
		{&r.CacheWrite1h, cmp.Or(t.CacheWrite1h, write)},
	} {
		n, err := parseDecimal(field.text, places)
		if err != nil {
			return Rates{}, err
		}
		*field.dst = Amount(n)
	}
	return r, nil
}
