package system

import (
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/otel"
)

// measured makes otel tell its metrics to the rig.
func (r *rig) measured() ccproxy.Option {
	r.meters = sdkmetric.NewManualReader()
	cfg := otel.DefaultConfig()
	cfg.TracerProvider = noop.NewTracerProvider()
	cfg.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.meters))
	return ccproxy.WithPluginConfig(otel.Name, *cfg)
}

// otel reads the metrics of OpenTelemetry, where input counts what caches gave and took.
func (r *rig) otel() sums {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.meters.Collect(r.t.Context(), &all); err != nil {
		r.t.Fatal(err)
	}
	s := sums{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[int64]:
				for _, point := range data.DataPoints {
					kind, _ := point.Attributes.Value(attribute.Key("gen_ai.token.type"))
					s[kind.AsString()] += point.Sum
				}
			case metricdata.Histogram[float64]:
				for _, point := range data.DataPoints {
					s[m.Name] += int64(point.Count)
				}
			}
		}
	}
	return sums{
		"all_input": s["input"], "output": s["output"], "calls": s["gen_ai.client.operation.duration"],
	}
}
