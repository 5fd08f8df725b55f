package analytics

import (
	"errors"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// pricing is the name of the service that knows prices.
const pricing = "pricing"

// Pricer is what the plugin asks of the service "pricing".
type Pricer interface {
	// Cost returns what a call cost, in trillionths of a dollar. The model is the usage's own, or else the first of
	// models that has a price. Cost fails where there is none.
	Cost(u *hooks.Usage, models ...string) (picodollars int64, err error)
}

// pricer returns the cost of a call, nil if nobody knows it.
type pricer func(u *hooks.Usage, models ...string) *Amount

func findPricer(pc *ccproxy.PluginContext) (pricer, error) {
	s, err := ccproxy.ServiceOf[Pricer](pc, pricing)
	if errors.Is(err, ccproxy.ErrUnknownService) {
		return nil, nil //nolint:nilnil // nobody knows prices
	}
	if err != nil {
		return nil, err
	}
	return func(u *hooks.Usage, models ...string) *Amount {
		n, err := s.Cost(u, models...)
		if err != nil {
			return nil // the model has no price; that one is needed is for pricing to say
		}
		a := AmountOf(n)
		return &a
	}, nil
}
