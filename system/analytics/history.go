package analytics

import (
	"context"
	"time"
)

// History adds up the records since a time by providers, models and the hours, or else days, of UTC, and calls add for
// each such group, in any order. It is for plugins that cannot know the types of this package, such as the dashboard.
// The keys of sums are requests, errors, canceled, tokens_input (without what came from caches and went there),
// tokens_output, cache_read_tokens, cache_write_tokens, cost_picodollars (the largest int64 for more) and cost_unknown.
// It fails with [ErrTooManyGroups] as [Service.Aggregate] does.
func (s *Service) History(
	ctx context.Context, from time.Time, daily bool,
	add func(at time.Time, provider, model string, sums map[string]int64),
) error {
	by := []Dimension{ByHour, ByProvider, ByModel}
	if daily {
		by[0] = ByDay
	}
	groups, err := s.store.Aggregate(ctx, Aggregation{Filter: Filter{From: from}, By: by})
	if err != nil {
		return err
	}
	for i := range groups {
		g := &groups[i]
		t := &g.Totals
		add(g.Time, g.Provider, g.Model, map[string]int64{
			"requests": t.Requests, "errors": t.Errors, "canceled": t.Canceled,
			"tokens_input":  max(t.TokensAll-t.Tokens.Output-t.Tokens.CacheRead-t.Tokens.CacheWrite, 0),
			"tokens_output": t.Tokens.Output, "cache_read_tokens": t.Tokens.CacheRead,
			"cache_write_tokens": t.Tokens.CacheWrite,
			"cost_picodollars":   t.Cost.picodollars(), "cost_unknown": t.CostUnknown,
		})
	}
	return nil
}
