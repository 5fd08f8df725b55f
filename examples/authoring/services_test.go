package authoring_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
)

// rates is a plugin that provides a service.
type rates struct{}

func ratesFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "rates", Provides: []string{"exchange_rates"},
	}, func() ccproxy.Plugin { return rates{} })
}

func (r rates) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide("exchange_rates", r)
}

func (rates) Shutdown(context.Context) error { return nil }

// Rate returns how much of a currency a dollar is.
func (rates) Rate(currency string) float64 { return map[string]float64{"EUR": 0.9}[currency] }

// exchanger is what the other plugin needs of the service: an interface of its own.
type exchanger interface{ Rate(currency string) float64 }

func priceTagFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "price_tag", OptionalRequires: []string{"exchange_rates"},
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/price", Endpoints: []ccproxy.Endpoint{{}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				rate := 1.0
				if r, err := ccproxy.ServiceOf[exchanger](pc, "exchange_rates"); err == nil {
					rate = r.Rate("EUR")
				}
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprintf(w, "%.2f\n", 10*rate)
				}), nil
			},
		}},
	}, nil)
}

// Plugins meet through services, never by import.
func Example_services() {
	both, stop := start(ccproxy.Settings{}, priceTagFactory(), ratesFactory())
	get(both, "/price")
	stop()
	alone, stop := start(ccproxy.Settings{}, priceTagFactory())
	get(alone, "/price")
	stop()
	// Output:
	// 200 9.00
	// 200 10.00
}
