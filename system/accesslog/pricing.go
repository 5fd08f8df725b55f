package accesslog

import "github.com/ccproxy-go/ccproxy/hooks"

// pricing is the name of the service that knows prices.
const pricing = "pricing"

// Pricer is what the plugin asks of the service "pricing".
type Pricer interface {
	// Cost returns what a call cost, in trillionths of a dollar. The model is the usage's own, or else the first of
	// models that has a price. Cost fails where there is none.
	Cost(u *hooks.Usage, models ...string) (picodollars int64, err error)
}

// cost is what the request that ends with an event cost, in dollars; zero where nobody knows.
func (p *plugin) cost(hc *hooks.Context) float64 {
	switch e := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		if e != nil {
			return p.costOf(e.Usage, e.UpstreamModel, e.Model)
		}
	case *hooks.RequestFailed:
		if e != nil {
			return p.costOf(e.Usage, e.UpstreamModel, e.Model)
		}
	}
	return 0
}

// costOf is what usage has cost: as its upstream says, or else by the list.
func (p *plugin) costOf(u *hooks.Usage, models ...string) float64 {
	if cost := told(u); cost > 0 || u == nil || p.prices == nil {
		return cost
	}
	n, err := p.prices.Cost(u, models...)
	if err != nil {
		return 0
	}
	return float64(n) / 1e12
}

// maxTold bounds the dollars that a provider can claim for a call.
const maxTold = 1e5

// told is what the upstream says that usage has cost, zero if it does not.
func told(u *hooks.Usage) float64 {
	if u != nil && u.CostUSD > 0 { // which NaN is not
		return min(u.CostUSD, maxTold)
	}
	return 0
}
