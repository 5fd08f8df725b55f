package metrics_test

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// prices asks for another price each time; it is the service pricing, and a plugin.
type prices struct {
	cost func(n int64) int64
	n    atomic.Int64
}

func (p *prices) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide("pricing", p)
}

func (*prices) Shutdown(context.Context) error { return nil }

func (p *prices) Cost(*hooks.Usage, ...string) (int64, error) { return p.cost(p.n.Add(1)), nil }

// TestCostIsExact holds that rounding does not add up: what is scraped is the float64 nearest to the sum.
func TestCostIsExact(t *testing.T) {
	t.Parallel()
	const requests = 10_000
	tests := []struct {
		name string
		cost func(n int64) int64
	}{
		{"a tenth", func(int64) int64 { return 100_000_000_000 }},
		{"uneven", func(n int64) int64 { return 1_234_567_891*(n%97) + n%7 }},
		{"large beside small", func(n int64) int64 { return 3 + (n%2)*9_007_199_254_740_993 }}, // 45 million dollars
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				list := &prices{cost: tt.cost}
				proxy := start(t, nil, nil, echo.Factory(), ccproxy.NewFactory(
					ccproxy.Manifest{Name: "prices", Provides: []string{"pricing"}},
					func() ccproxy.Plugin { return list }))
				total := new(big.Int)
				for n := range int64(requests) {
					total.Add(total, big.NewInt(tt.cost(n+1)))
					ask(t, proxy, http.MethodPost, "/echo/v1/messages", fmt.Sprintf(dialects[0].body, "echo-1", false))
					if n%1000 == 0 {
						synctest.Wait()
					}
				}
				got := scrape(t, proxy)
				want, _ := new(big.Rat).SetFrac(total, big.NewInt(1e12)).Float64()
				const series = `ccproxy_cost_usd_total{cost_type="total",model="echo-1",service_type="echo"}`
				if got[series] != want || list.n.Load() != requests {
					t.Errorf("%v dollars after %d prices, want %v", got[series], list.n.Load(), want)
				}
			})
		})
	}
}
