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

// price completes the usage of an event with what it costs, where that is known.
func (p *plugin) price(hc *hooks.Context) {
	if p.prices == nil {
		return
	}
	var u *hooks.Usage
	var models []string
	switch e := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		if e != nil {
			u, models = e.Usage, []string{e.UpstreamModel, e.Model}
		}
	case *hooks.RequestFailed:
		if e != nil {
			u, models = e.Usage, []string{e.UpstreamModel, e.Model}
		}
	}
	if u == nil || u.CostUSD != 0 {
		return
	}
	if n, err := p.prices.Cost(u, models...); err == nil {
		u.CostUSD = float64(n) / 1e12
	}
}
