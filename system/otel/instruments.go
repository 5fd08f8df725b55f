package otel

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// instruments are the histograms.
type instruments struct {
	duration, firstChunk, perChunk, server metric.Float64Histogram
	tokens                                 metric.Int64Histogram
}

func newInstruments(provider metric.MeterProvider) (*instruments, error) {
	m := provider.Meter(scope, metric.WithInstrumentationVersion(version))
	var i instruments
	var errs [5]error
	i.duration, errs[0] = m.Float64Histogram("gen_ai.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of calls of upstreams, streams included"),
		metric.WithExplicitBucketBoundaries(seconds(0.01, 17)...))
	i.firstChunk, errs[1] = m.Float64Histogram("gen_ai.client.operation.time_to_first_chunk", metric.WithUnit("s"),
		metric.WithDescription("Time from a call to the first event of its stream"),
		metric.WithExplicitBucketBoundaries(seconds(0.01, 14)...))
	i.perChunk, errs[2] = m.Float64Histogram("gen_ai.client.operation.time_per_output_chunk", metric.WithUnit("s"),
		metric.WithDescription("Mean time between two events of a stream"),
		metric.WithExplicitBucketBoundaries(seconds(0.001, 14)...))
	i.tokens, errs[3] = m.Int64Histogram("gen_ai.client.token.usage", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens of calls of upstreams"),
		metric.WithExplicitBucketBoundaries(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304,
			16777216, 67108864))
	i.server, errs[4] = m.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of requests of clients"),
		metric.WithExplicitBucketBoundaries(seconds(0.005, 18)...))
	return &i, errors.Join(errs[:]...)
}

// seconds are n bounds, each twice the one before: answers of models take minutes.
func seconds(first float64, n int) []float64 {
	bounds := make([]float64, n)
	for i := range bounds {
		bounds[i] = first
		first *= 2
	}
	return bounds
}
