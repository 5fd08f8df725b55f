package metrics

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// TestStreamsAreForgotten has events get lost, as they may: what is shown agrees with what is under way as soon as the
// requests have ended.
func TestStreamsAreForgotten(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	p := &plugin{cfg: cfg, series: newSeries(cfg, prometheus.NewRegistry())}
	p.streams.gauge = p.series.streams
	tell := func(exchange uint64, payload hooks.Payload, want float64) {
		t.Helper()
		if err := p.observe(t.Context(), &hooks.Context{Exchange: exchange, Payload: payload}); err != nil {
			t.Fatal(err)
		}
		if n := testutil.ToFloat64(p.series.streams); n != want {
			t.Errorf("%v streams after %s of %d, want %v", n, payload.Event(), exchange, want)
		}
	}
	tell(1, &hooks.ProviderStreamStart{}, 1)
	tell(2, &hooks.ProviderStreamStart{}, 2)
	tell(0, &hooks.ProviderStreamStart{}, 3) // of a plugin that tells it by itself
	tell(3, &hooks.ProviderStreamEnd{}, 3)   // whose begin was lost
	tell(1, &hooks.ProviderStreamEnd{}, 2)
	tell(1, &hooks.RequestCompleted{}, 2)
	tell(0, &hooks.RequestCompleted{}, 2)
	tell(2, &hooks.RequestFailed{}, 1) // the end of its stream was lost
	tell(0, &hooks.ProviderStreamEnd{}, 0)
	tell(0, &hooks.ProviderStreamEnd{}, 0)
}
