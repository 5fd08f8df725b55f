package pricing

import (
	_ "embed" // the list of prices
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

//go:embed prices.json
var embedded string

// ErrUnknownModel tells that there is no price for a model. What it costs is then unknown, which is not nothing.
var ErrUnknownModel = errors.New("no price for the model")

// UnknownModelError says which model has no price. It wraps [ErrUnknownModel].
type UnknownModelError struct {
	// Model is the name that was looked up.
	Model string
	// Nearest are up to three names that have a price, the most similar first.
	Nearest []string
}

// Error names the model and what it may be mistaken for.
func (e *UnknownModelError) Error() string {
	text := fmt.Sprintf("%v %.100q", ErrUnknownModel, e.Model)
	if len(e.Nearest) > 0 {
		text += " (did you mean " + strings.Join(e.Nearest, ", ") + "?)"
	}
	return text
}

// Unwrap returns [ErrUnknownModel].
func (*UnknownModelError) Unwrap() error { return ErrUnknownModel }

const (
	maxName    = 200 // bytes of a model's name that are looked at
	maxNearest = 3
)

// table is a list of prices. It does not change once it is in force.
type table struct {
	date   time.Time
	source string
	prices []Price
	names  map[string]int // of models and aliases, in lower case, to prices
	namer  *namer

	found memo[int]      // places in prices of names that are not in names; -1 for those without a price
	near  memo[[]string] // of names without a price
}

// list is a list of prices before it is indexed, in the form of the embedded one.
type list struct {
	Date   string      `json:"date"`
	Source string      `json:"source"`
	Models []listModel `json:"models"`
}

type listModel struct {
	Model           string              `json:"model"`
	Vendor          string              `json:"vendor"`
	Aliases         []string            `json:"aliases"`
	MaxInputTokens  int64               `json:"max_input_tokens"`
	MaxOutputTokens int64               `json:"max_output_tokens"`
	Rates           rateText            `json:"rates"`
	Tiers           map[string]rateText `json:"tiers"`
	LongContext     *struct {
		Above int64               `json:"above"`
		Rates rateText            `json:"rates"`
		Tiers map[string]rateText `json:"tiers"`
	} `json:"long_context"`
}

// price reads a model's price, in dollars for a million tokens.
func (m *listModel) price() (Price, error) {
	p := Price{
		Model: m.Model, Vendor: m.Vendor, Aliases: m.Aliases,
		MaxInputTokens: m.MaxInputTokens, MaxOutputTokens: m.MaxOutputTokens,
	}
	var err error
	if p.Rates, err = m.Rates.rates(rateDigits); err != nil {
		return p, fmt.Errorf("%s: %w", m.Model, err)
	}
	if p.Tiers, err = tiersOf(m.Tiers); err != nil {
		return p, fmt.Errorf("%s: %w", m.Model, err)
	}
	if l := m.LongContext; l != nil {
		long := &LongContext{Above: l.Above}
		if long.Rates, err = l.Rates.rates(rateDigits); err != nil {
			return p, fmt.Errorf("%s: long context: %w", m.Model, err)
		}
		if long.Tiers, err = tiersOf(l.Tiers); err != nil {
			return p, fmt.Errorf("%s: long context: %w", m.Model, err)
		}
		p.LongContext = long
	}
	return p, nil
}

func tiersOf(texts map[string]rateText) (map[string]Rates, error) {
	if len(texts) == 0 {
		return nil, nil //nolint:nilnil // no tiers are no error
	}
	tiers := make(map[string]Rates, len(texts))
	for name, text := range texts {
		r, err := text.rates(rateDigits)
		if err != nil {
			return nil, fmt.Errorf("tier %s: %w", name, err)
		}
		tiers[name] = r
	}
	return tiers, nil
}

// embeddedTable reads the list that ships with the package.
func embeddedTable() (*table, error) {
	var l list
	if err := json.Unmarshal([]byte(embedded), &l); err != nil {
		return nil, fmt.Errorf("embedded prices: %w", err)
	}
	date, err := time.Parse(time.DateOnly, l.Date)
	if err != nil {
		return nil, fmt.Errorf("embedded prices: %w", err)
	}
	t := &table{date: date, source: l.Source, names: make(map[string]int), namer: newNamer()}
	for i := range l.Models {
		p, err := l.Models[i].price()
		if err != nil {
			return nil, fmt.Errorf("embedded prices: %w", err)
		}
		t.add(&p)
	}
	return t, nil
}

// add puts a price into a table that is being made. It takes the place of one with the same name.
func (t *table) add(p *Price) {
	i, known := t.names[strings.ToLower(p.Model)]
	if !known || !strings.EqualFold(t.prices[i].Model, p.Model) {
		i = len(t.prices)
		t.prices = append(t.prices, Price{})
	}
	t.prices[i] = *p
	t.found.forget()
	t.near.forget()
	t.names[strings.ToLower(p.Model)] = i
	for _, alias := range p.Aliases {
		t.names[strings.ToLower(alias)] = i
	}
}

// with returns a new table in which prices come on top of those of t.
func (t *table) with(date time.Time, source string, prices []Price) *table {
	next := &table{date: date, source: source, names: make(map[string]int, len(t.names)+len(prices)), namer: t.namer}
	for i := range t.prices {
		next.add(&t.prices[i])
	}
	for i := range prices {
		next.add(&prices[i])
	}
	return next
}

// cover has own prices hold for the dated names of their models in a list, too. What the list has another price for
// than for the plain name is another model.
func (t *table) cover(list *table, own []Price) {
	plain := make(map[string]bool, len(own))
	for i := range own {
		for _, name := range append([]string{own[i].Model}, own[i].Aliases...) {
			plain[strings.ToLower(name)] = true
		}
	}
	if len(plain) == 0 {
		return
	}
	for name, i := range list.names {
		undated := t.namer.undated(name)
		if plain[name] || !plain[undated] {
			continue
		}
		if j, ok := list.names[undated]; !ok || list.prices[i].Rates == list.prices[j].Rates {
			t.names[name] = t.names[undated]
		}
	}
}

// lookup finds the price of a model by any of its names.
func (t *table) lookup(model string) (*Price, bool) {
	if len(model) > maxName {
		return nil, false
	}
	i, ok := t.names[model]
	if !ok {
		i, ok = t.found.recall(model)
	}
	if !ok {
		i = t.search(model)
		t.found.remember(strings.Clone(model), i)
	}
	if i < 0 {
		return nil, false
	}
	return &t.prices[i], true
}

// search finds the place of a price in prices by what a name may mean, -1 for none.
func (t *table) search(model string) int {
	for _, name := range t.namer.variants(model) {
		if i, ok := t.names[name]; ok {
			return i
		}
	}
	return -1
}

// unknown is the error for a model without a price.
func (t *table) unknown(model string) *UnknownModelError {
	e := &UnknownModelError{Model: model}
	if model == "" || len(model) > maxName {
		return e
	}
	near, ok := t.near.recall(model)
	if !ok {
		near = t.nearest(model)
		t.near.remember(strings.Clone(model), near)
	}
	e.Nearest = slices.Clone(near)
	return e
}

// nearest finds names with a price that are similar to one without.
func (t *table) nearest(model string) []string {
	names := make([]string, 0, len(t.prices))
	for i := range t.prices {
		names = append(names, t.prices[i].Model)
	}
	variants := t.namer.variants(model)
	return nearest.Names(variants[len(variants)-1], names, maxNearest)
}
