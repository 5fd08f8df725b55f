package budgets

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/internal/wildcard"
)

// UnknownPrice says what becomes of a request whose model has no price, where a budget of money holds for it.
type UnknownPrice string

// The values of [UnknownPrice].
const (
	UnknownBlock  UnknownPrice = "block"  // it is refused
	UnknownTokens UnknownPrice = "tokens" // only its tokens count
)

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// Limits are the budgets. All that hold for a request have to have room for it. Without any the plugin does
	// not run.
	Limits []Limit `toml:"limits" validate:"dive"`
	// TimeZone is where days and months begin, such as "Europe/Berlin". Defaults to "UTC".
	TimeZone string `toml:"time_zone" validate:"required"`
	// UnknownPrice is "block" or "tokens". Defaults to "block".
	UnknownPrice UnknownPrice `toml:"unknown_price" validate:"oneof=block tokens"`
	// Status is that of refusals: 429 or 403. Defaults to 429.
	Status int `toml:"status" validate:"oneof=429 403"`
	// ReserveOutput is how many tokens of output a request that has begun counts at most until its answer has
	// ended. Less than zero means as many as it may get. Defaults to 4096.
	ReserveOutput int64 `toml:"reserve_output"`
	// FailOpen lets requests go on while the store cannot be asked. Otherwise they are refused with 503.
	FailOpen bool `toml:"fail_open"`
	// File keeps what was spent over restarts. It is made with mode 0600, its directory is not made. Several proxies of
	// one machine may share it: each sees what the others have spent when it writes the next time. A file of this name
	// with ".lock" stands beside it. Defaults to none.
	File string `toml:"file"`
	// SaveInterval is how long a change waits at most before it is in the file. Defaults to 1 s.
	SaveInterval time.Duration `toml:"save_interval" validate:"gt=0"`
	// Admins are the callers that /budgets shows the budgets of everybody. Others see their own.
	Admins []string `toml:"admins"`
	// Store, if set, takes the place of memory and File. The plugin does not close it.
	Store Store `toml:"-" validate:"-"`
}

// Limit is one budget.
type Limit struct {
	// Name tells the budget apart, and is shown to callers. Required, and unlike the others.
	Name string `toml:"name" validate:"required,max=100"`
	// Callers are those whose requests count, by their ids or patterns such as "team-*". Each has the budget for
	// itself. Defaults to everybody; those who call without a key or a ccproxy.Caller are one, whose id is "".
	Callers []string `toml:"callers" validate:"omitempty,min=1"`
	// Shared makes it one budget for all of its callers together.
	Shared bool `toml:"shared"`
	// Models are those whose requests count, by the names that clients or providers use, with or without
	// "PROVIDER/" before them, or by patterns. Defaults to all.
	Models []string `toml:"models" validate:"omitempty,min=1"`
	// Period is "day" or "month". Required.
	Period string `toml:"period" validate:"oneof=day month"`
	// CostUSD is how many US dollars may be spent in a period, such as "12.50". Defaults to any amount.
	CostUSD string `toml:"cost_usd"`
	// SoftCostUSD is where callers are warned. Defaults to none.
	SoftCostUSD string `toml:"soft_cost_usd"`
	// Tokens are how many tokens may be taken in a period, input, output and those of caches. Zero is any number.
	Tokens int64 `toml:"tokens" validate:"gte=0"`
	// SoftTokens is where callers are warned. Zero is nowhere.
	SoftTokens int64 `toml:"soft_tokens" validate:"gte=0"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		TimeZone: "UTC", UnknownPrice: UnknownBlock, Status: 429, ReserveOutput: 4096, SaveInterval: time.Second,
	}
}

// unlimited is a bound that nothing reaches.
const unlimited = math.MaxInt64

// budget is a [Limit], checked.
type budget struct {
	Limit

	hard, soft Spent // bounds of Cost and Tokens
}

// budgets checks the limits.
func (c *Config) budgets() ([]*budget, *time.Location, error) {
	var errs []error
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		errs = append(errs, fmt.Errorf("plugins.budgets.time_zone: %w: %w", ccproxy.ErrConfig, err))
	}
	var out []*budget
	for i, l := range c.Limits {
		b, err := newBudget(l)
		if err == nil && slices.ContainsFunc(out, func(o *budget) bool { return o.Name == l.Name }) {
			err = fmt.Errorf("name %q is there twice", l.Name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("plugins.budgets.limits[%d]: %w: %w", i, ccproxy.ErrConfig, err))
		}
		out = append(out, b)
	}
	return out, zone, errors.Join(errs...)
}

func newBudget(l Limit) (*budget, error) {
	none := Spent{Cost: unlimited, Tokens: unlimited}
	b := &budget{Limit: l, hard: none, soft: none}
	for _, bound := range []struct {
		key, text string
		dst       *int64
	}{{"cost_usd", l.CostUSD, &b.hard.Cost}, {"soft_cost_usd", l.SoftCostUSD, &b.soft.Cost}} {
		if bound.text == "" {
			continue
		}
		n, err := parseUSD(bound.text)
		if err != nil {
			return b, fmt.Errorf("%s: %w", bound.key, err)
		}
		*bound.dst = n
	}
	if l.Tokens > 0 {
		b.hard.Tokens = l.Tokens
	}
	if l.SoftTokens > 0 {
		b.soft.Tokens = l.SoftTokens
	}
	if b.hard == none && b.soft == none {
		return b, errors.New("limits nothing: one of cost_usd, soft_cost_usd, tokens and soft_tokens has to be set")
	}
	return b, nil
}

// warns reports whether the budget has a soft limit.
func (b *budget) warns() bool { return b.soft.Cost != unlimited || b.soft.Tokens != unlimited }

// costs reports whether the budget is one of money.
func (b *budget) costs() bool { return b.hard.Cost != unlimited || b.soft.Cost != unlimited }

// concerns reports whether the budget holds for a caller's requests for a model with these names.
func (b *budget) concerns(caller string, models modelNames) bool {
	if !b.holdsFor(caller) {
		return false
	}
	return b.Models == nil || slices.ContainsFunc(models.all(), func(m string) bool { return matchAny(b.Models, m) })
}

func (b *budget) holdsFor(caller string) bool { return b.Callers == nil || matchAny(b.Callers, caller) }

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return wildcard.Match(p, name) })
}

// picodollars are in a dollar.
const picodollars = 1_000_000_000_000

var errUSD = errors.New("must be an amount of US dollars such as \"12.50\"")

// parseUSD reads dollars as picodollars.
func parseUSD(text string) (int64, error) {
	const longest = 24
	if text == "" || len(text) > longest || strings.Trim(text, "0123456789.") != "" {
		return 0, errUSD
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, errUSD
	}
	r.Mul(r, new(big.Rat).SetInt64(picodollars))
	if !r.IsInt() || !r.Num().IsInt64() || r.Num().Int64() == unlimited {
		return 0, errUSD
	}
	return r.Num().Int64(), nil
}

// formatUSD writes picodollars as dollars, exactly.
func formatUSD(n int64) string {
	text := strconv.FormatInt(n/picodollars, 10)
	if rest := n % picodollars; rest > 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%012d", rest), "0")
	}
	return text
}
