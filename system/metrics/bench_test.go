package metrics

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ccproxy-go/ccproxy/hooks"
)

type flat int64

func (f flat) Cost(*hooks.Usage, ...string) (int64, error) { return int64(f), nil }

// BenchmarkObserve is what the end of a request with a cost takes.
func BenchmarkObserve(b *testing.B) {
	cfg := DefaultConfig()
	p := &plugin{cfg: cfg, prices: flat(123_456_789), series: newSeries(cfg, prometheus.NewRegistry())}
	p.models.max, p.errorTypes.max = cfg.MaxModels, maxErrorTypes
	hc := &hooks.Context{Payload: &hooks.RequestCompleted{
		Request: hooks.Request{Method: http.MethodPost, Endpoint: "/claude/v1/messages", Provider: "claude", Model: "m"},
		Status:  http.StatusOK, Duration: time.Second, Usage: &hooks.Usage{InputTokens: 3, OutputTokens: 4},
	}}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.observe(context.Background(), hc); err != nil {
			b.Fatal(err)
		}
	}
}
