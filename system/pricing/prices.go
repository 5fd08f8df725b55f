package pricing

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// Prices are what models cost at present. [New] makes them; the plugin offers its own as the service "pricing".
// The methods are called concurrently, and wait for nothing.
type Prices struct {
	cfg  *Config
	base *table // the embedded one
	now  atomic.Pointer[table]
}

// New returns the embedded prices with those of a configuration, which [DefaultConfig] begins; nothing is fetched.
// An error names the key that is wrong.
func New(cfg *Config) (*Prices, error) {
	base, err := embeddedTable()
	if err != nil {
		return nil, err
	}
	p := &Prices{cfg: cfg, base: base}
	err = p.use(base)
	return p, err
}

// use puts a table into force, with what is configured on top.
func (p *Prices) use(t *table) error {
	next, err := p.cfg.over(t)
	if err != nil {
		return err
	}
	p.now.Store(next)
	return nil
}

// Lookup returns the price of a model, which may be named with a provider before a slash, as Bedrock names it,
// with a date or with "-latest". A model without a price is a *[UnknownModelError].
func (p *Prices) Lookup(model string) (Price, error) {
	t := p.now.Load()
	found, ok := t.lookup(model)
	if !ok {
		return Price{}, t.unknown(model)
	}
	return found.clone(), nil
}

// maxTold bounds the dollars that a provider can claim for a call.
const maxTold = 1e5

// Cost returns what usage costs, in picodollars: millionths of a millionth of a US dollar. That is what the provider
// says itself, up to 100,000 dollars, if it does. Else the model is that of the usage if it has a price, or the first
// of models that has one. Without any the error is an *[UnknownModelError] for the last name that is not empty; a
// service tier without a price is [ErrUnknownTier].
func (p *Prices) Cost(u *hooks.Usage, models ...string) (picodollars int64, err error) {
	if u.CostUSD > 0 { // which NaN is not
		return int64(math.Round(min(u.CostUSD, maxTold) * float64(Dollar))), nil
	}
	t, asked := p.now.Load(), ""
	for i := -1; i < len(models); i++ {
		name := u.Model
		if i >= 0 {
			name = models[i]
		}
		if name == "" {
			continue
		}
		asked = name
		if found, ok := t.lookup(name); ok {
			cost, err := found.Cost(u)
			return int64(cost), err
		}
	}
	return 0, t.unknown(asked)
}

// OutputLimit returns how many tokens an answer of a model may have; ok is false where nobody knows.
func (p *Prices) OutputLimit(model string) (tokens int64, ok bool) {
	found, ok := p.now.Load().lookup(model)
	if !ok || found.MaxOutputTokens == 0 {
		return 0, false
	}
	return found.MaxOutputTokens, true
}

// All returns every price, in the order of the list that they are from.
func (p *Prices) All() []Price {
	t := p.now.Load()
	all := make([]Price, len(t.prices))
	for i := range t.prices {
		all[i] = t.prices[i].clone()
	}
	return all
}

// Source tells where the prices are from, and of what date they are.
func (p *Prices) Source() (source string, date time.Time) {
	t := p.now.Load()
	return t.source, t.date
}
