package otel

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"sync"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exports know how the last exports of one kind of data went. OpenTelemetry would tell its global handler of failures,
// which writes to the standard error of the process, with the address and all that is secret in it.
type exports struct {
	what   string
	logger *slog.Logger

	mu     sync.Mutex
	reason string // of the last failure, empty if the last export went well
}

// note takes how an export went, and logs what is new of it.
func (e *exports) note(ctx context.Context, err error) {
	reason := reasonOf(err)
	e.mu.Lock()
	before := e.reason
	e.reason = reason
	e.mu.Unlock()
	switch {
	case reason != "" && before == "":
		e.logger.WarnContext(ctx, "the collector does not take what it is sent", "data", e.what, "error", reason)
	case reason == "" && before != "":
		e.logger.InfoContext(ctx, "the collector takes what it is sent again", "data", e.what)
	}
}

// state is the reason of the last failure. The nil exports had none.
func (e *exports) state() string {
	if e == nil {
		return ""
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reason
}

// reasonOf says why an export has failed, without the address and without the collector's own words, which may repeat
// what is secret in it. It is empty for nil.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err.Error()
	}
	if status := regexp.MustCompile(`: ([1-5]\d\d [A-Z][A-Za-z ]*)`).FindStringSubmatch(err.Error()); status != nil {
		return status[1]
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return "it took too long"
	}
	return "not all of it was taken"
}

// spans are an exporter of them.
type spans struct {
	sdktrace.SpanExporter

	exports *exports
}

// ExportSpans implements [sdktrace.SpanExporter].
func (s spans) ExportSpans(ctx context.Context, list []sdktrace.ReadOnlySpan) error {
	s.exports.note(ctx, s.SpanExporter.ExportSpans(ctx, list))
	return nil
}

// figures are an exporter of metrics.
type figures struct {
	sdkmetric.Exporter

	exports *exports
}

// Export implements [sdkmetric.Exporter].
func (f figures) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	f.exports.note(ctx, f.Exporter.Export(ctx, rm))
	return nil
}
