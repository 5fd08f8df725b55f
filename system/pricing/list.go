package pricing

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// perToken is a model in the lists that many programs share: prices of one token, as JSON numbers.
type perToken struct {
	Vendor          string          `json:"litellm_provider"`
	MaxInputTokens  json.RawMessage `json:"max_input_tokens"` // of anything
	MaxOutputTokens json.RawMessage `json:"max_output_tokens"`

	Input        json.Number `json:"input_cost_per_token"`
	Output       json.Number `json:"output_cost_per_token"`
	CacheRead    json.Number `json:"cache_read_input_token_cost"`
	CacheWrite5m json.Number `json:"cache_creation_input_token_cost"`
	CacheWrite1h json.Number `json:"cache_creation_input_token_cost_above_1hr"`

	BatchInput        json.Number `json:"input_cost_per_token_batches"`
	BatchOutput       json.Number `json:"output_cost_per_token_batches"`
	FlexInput         json.Number `json:"input_cost_per_token_flex"`
	FlexOutput        json.Number `json:"output_cost_per_token_flex"`
	FlexCacheRead     json.Number `json:"cache_read_input_token_cost_flex"`
	PriorityInput     json.Number `json:"input_cost_per_token_priority"`
	PriorityOutput    json.Number `json:"output_cost_per_token_priority"`
	PriorityCacheRead json.Number `json:"cache_read_input_token_cost_priority"`

	Input200k        json.Number `json:"input_cost_per_token_above_200k_tokens"`
	Output200k       json.Number `json:"output_cost_per_token_above_200k_tokens"`
	CacheRead200k    json.Number `json:"cache_read_input_token_cost_above_200k_tokens"`
	CacheWrite200k   json.Number `json:"cache_creation_input_token_cost_above_200k_tokens"`
	CacheWrite1h200k json.Number `json:"cache_creation_input_token_cost_above_1hr_above_200k_tokens"`
	Input272k        json.Number `json:"input_cost_per_token_above_272k_tokens"`
	Output272k       json.Number `json:"output_cost_per_token_above_272k_tokens"`
	CacheRead272k    json.Number `json:"cache_read_input_token_cost_above_272k_tokens"`
	CacheWrite272k   json.Number `json:"cache_creation_input_token_cost_above_272k_tokens"`
}

var errNoPrices = errors.New("there are no prices in the list")

// decodeList reads a list in either form. Models whose prices are not there or cannot be read are left out; a list
// of none is an error. The date is the list's own, or else fetched.
func decodeList(body []byte, fetched time.Time) (date time.Time, prices []Price, err error) {
	var own list
	if json.Unmarshal(body, &own) == nil && own.Models != nil {
		for i := range own.Models {
			if p, err := own.Models[i].price(); err == nil && p.Model != "" {
				prices = append(prices, p)
			}
		}
		if date, err = time.Parse(time.DateOnly, own.Date); err != nil {
			date = fetched
		}
		return date, prices, some(prices)
	}
	var models map[string]json.RawMessage
	if err := json.Unmarshal(body, &models); err != nil {
		return fetched, nil, fmt.Errorf("list of prices: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		var m perToken
		if json.Unmarshal(models[name], &m) != nil || m.Input == "" || m.Output == "" || len(name) > maxName {
			continue // images, audio, or the example that such lists begin with
		}
		if p, err := m.price(name); err == nil {
			prices = append(prices, p)
		}
	}
	return fetched, prices, some(prices)
}

func some(prices []Price) error {
	if len(prices) == 0 {
		return errNoPrices
	}
	return nil
}

func (m *perToken) price(name string) (Price, error) {
	p := Price{
		Model: name, Vendor: m.Vendor,
		MaxInputTokens: whole(m.MaxInputTokens), MaxOutputTokens: whole(m.MaxOutputTokens),
	}
	var err error
	if p.Rates, err = rateOf(m.Input, m.Output, m.CacheRead, m.CacheWrite5m, m.CacheWrite1h); err != nil {
		return p, err
	}
	tiers := map[string][]json.Number{
		"batch":    {m.BatchInput, m.BatchOutput, ""},
		"flex":     {m.FlexInput, m.FlexOutput, m.FlexCacheRead},
		"priority": {m.PriorityInput, m.PriorityOutput, m.PriorityCacheRead},
	}
	for tier, n := range tiers {
		if n[0] == "" || n[1] == "" {
			continue
		}
		r, err := rateOf(n[0], n[1], n[2], "", "")
		if err != nil {
			return p, err
		}
		if p.Tiers == nil {
			p.Tiers = make(map[string]Rates)
		}
		p.Tiers[tier] = r
	}
	p.LongContext, err = m.long()
	return p, err
}

// long is the price of long prompts, nil if the list has none.
func (m *perToken) long() (*LongContext, error) {
	l := &LongContext{Above: 200_000}
	var err error
	switch {
	case m.Input200k != "" && m.Output200k != "":
		l.Rates, err = rateOf(m.Input200k, m.Output200k, m.CacheRead200k, m.CacheWrite200k, m.CacheWrite1h200k)
	case m.Input272k != "" && m.Output272k != "":
		l.Above = 272_000
		l.Rates, err = rateOf(m.Input272k, m.Output272k, m.CacheRead272k, m.CacheWrite272k, "")
	default:
		return nil, nil //nolint:nilnil // no such price is no error
	}
	return l, err
}

func rateOf(input, output, read, write5m, write1h json.Number) (Rates, error) {
	return rateText{string(input), string(output), string(read), string(write5m), string(write1h)}.rates(tokenDigits)
}

// whole is a count, zero where the list says something else.
func whole(n json.RawMessage) int64 {
	v, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || v < 0 {
		return 0
	}
	return v
}
