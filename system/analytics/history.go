package analytics

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

const (
	otherModels = "other"
	// namedModels have names where there are too many models, in namedGroups at most.
	namedModels = 50
	namedGroups = 200_000
)

// History adds up the records since a time by providers, models and the hours, or else days, of UTC, and calls add for
// each such group, in any order. It is for plugins that cannot know the types of this package, such as the dashboard.
// The keys of sums are requests, errors, canceled, tokens_input (without what came from caches and went there),
// tokens_output, cache_read_tokens, cache_write_tokens, cost_picodollars (the largest int64 for more) and cost_unknown.
// Where there are too many models, those that have answered most often keep their names, and all others are
// "other".
func (s *Service) History(
	ctx context.Context, from time.Time, daily bool,
	add func(at time.Time, provider, model string, sums map[string]int64),
) error {
	by := []Dimension{ByHour, ByProvider, ByModel}
	if daily {
		by[0] = ByDay
	}
	groups, err := s.store.Aggregate(ctx, Aggregation{Filter: Filter{From: from}, By: by})
	if errors.Is(err, ErrTooManyGroups) {
		groups, err = s.crowded(ctx, from, by)
	}
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

// crowded is for more models than there may be groups: clients can name any.
func (s *Service) crowded(ctx context.Context, from time.Time, by []Dimension) (groups []Group, err error) {
	named, err := s.answered(ctx, from)
	if err != nil {
		return nil, err
	}
	if len(named) > 0 {
		f := Filter{From: from, Models: Words{Any: named}}
		if groups, err = s.store.Aggregate(ctx, Aggregation{Filter: f, By: by, Limit: namedGroups}); err != nil {
			return nil, err
		}
	}
	f := Filter{From: from, Models: Words{None: named}}
	rest, err := s.store.Aggregate(ctx, Aggregation{Filter: f, By: by[:2], Limit: namedGroups})
	for i := range rest {
		rest[i].Model = otherModels
	}
	return append(groups, rest...), err
}

// answered returns the models that have answered most often, none if there are too many of these, too.
func (s *Service) answered(ctx context.Context, from time.Time) (names []string, err error) {
	groups, err := s.store.Aggregate(ctx, Aggregation{
		Filter: Filter{From: from, Outcomes: Words{Any: []string{string(OutcomeSuccess)}}}, By: []Dimension{ByModel},
	})
	if errors.Is(err, ErrTooManyGroups) {
		return nil, nil
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Totals.Requests, a.Totals.Requests), cmp.Compare(a.Model, b.Model))
	})
	for i := range groups[:min(len(groups), namedModels)] {
		names = append(names, groups[i].Model)
	}
	return names, err
}
