package dashboard

import (
	"context"
	"errors"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// The names of services that are used where they are there.
const (
	pricing = "pricing"
	history = "analytics"
)

// Pricer is what the plugin asks of the service "pricing".
type Pricer interface {
	// Cost returns what a call cost, in trillionths of a dollar. The model is the usage's own, or else the first of
	// models that has a price. Cost fails where there is none.
	Cost(u *hooks.Usage, models ...string) (picodollars int64, err error)
}

// Historian is what the plugin asks of the service "analytics".
type Historian interface {
	// History adds up the requests since a time by hours or days of UTC (daily), providers and models, and calls add
	// for each such group. The keys of sums are requests, errors, canceled, tokens_input (without caches),
	// tokens_output, cache_read_tokens, cache_write_tokens, cost_picodollars and cost_unknown.
	History(
		ctx context.Context, from time.Time, daily bool,
		add func(at time.Time, provider, model string, sums map[string]int64),
	) error
}

// optional returns a service, or nil if it is not there.
func optional[S any](pc *ccproxy.PluginContext, name string) (S, error) {
	s, err := ccproxy.ServiceOf[S](pc, name)
	if errors.Is(err, ccproxy.ErrUnknownService) {
		return s, nil
	}
	return s, err
}
