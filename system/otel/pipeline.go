package otel

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// pipeline is what brings spans and metrics to a collector. The zero value is closed.
type pipeline struct {
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
	spans   *exports // nil without tracers
	figures *exports // nil without meters
}

// open returns where spans and metrics go: to the application's providers, to the collector, or nowhere.
func (pl *pipeline) open(
	ctx context.Context, cfg *Config, logger *slog.Logger,
) (trace.TracerProvider, metric.MeterProvider, error) {
	tracers, meters := cfg.TracerProvider, cfg.MeterProvider
	collector := !cfg.Endpoint.IsZero()
	headers := headersFor(cfg)
	about := resource.NewSchemaless(attribute.String("service.name", cfg.ServiceName))
	if tracers == nil && collector {
		pl.spans = &exports{what: "spans", logger: logger}
		if err := pl.openTraces(ctx, cfg, headers, about); err != nil {
			return nil, nil, err
		}
		tracers = pl.tracers
	}
	if meters == nil && collector {
		pl.figures = &exports{what: "metrics", logger: logger}
		if err := pl.openMetrics(ctx, cfg, headers, about); err != nil {
			return nil, nil, err
		}
		meters = pl.meters
	}
	if tracers == nil {
		tracers = nooptrace.NewTracerProvider()
	}
	if meters == nil {
		meters = noopmetric.NewMeterProvider()
	}
	return tracers, meters, nil
}

// headersFor are what the collector is sent: those that are configured, and what its address says of who asks.
func headersFor(cfg *Config) map[string]string {
	headers := make(map[string]string, len(cfg.Headers)+1)
	if u, err := url.Parse(cfg.Endpoint.Reveal()); err == nil && u.User != nil {
		password, _ := u.User.Password()
		name := u.User.Username() + ":" + password
		headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(name))
	}
	for name, value := range cfg.Headers {
		headers[http.CanonicalHeaderKey(name)] = value.Reveal()
	}
	return headers
}

// signal is the address for one kind of data.
func signal(cfg *Config, name string) string {
	u, err := url.Parse(cfg.Endpoint.Reveal())
	if err != nil {
		return "" // Configure has looked at it
	}
	u.User = nil // who it names is in a header
	return u.JoinPath("v1", name).String()
}

var errCollector = errors.New("the exporter for the collector cannot be made")

func (pl *pipeline) openTraces(
	ctx context.Context, cfg *Config, headers map[string]string, about *resource.Resource,
) error {
	out, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(signal(cfg, "traces")), otlptracehttp.WithHeaders(headers))
	if err != nil {
		return errCollector
	}
	pl.tracers = sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(spans{out, pl.spans}), sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.SampleRatio))),
	)
	return nil
}

func (pl *pipeline) openMetrics(
	ctx context.Context, cfg *Config, headers map[string]string, about *resource.Resource,
) error {
	out, err := otlpmetrichttp.New(ctx,
		otlpmetrichttp.WithEndpointURL(signal(cfg, "metrics")), otlpmetrichttp.WithHeaders(headers))
	if err != nil {
		return errCollector
	}
	reader := sdkmetric.NewPeriodicReader(figures{out, pl.figures}, sdkmetric.WithInterval(cfg.MetricInterval))
	pl.meters = sdkmetric.NewMeterProvider(sdkmetric.WithResource(about), sdkmetric.WithReader(reader))
	return nil
}

// state is why the collector was not given the last of the data, empty if it was.
func (pl *pipeline) state() string { return orElse(pl.spans.state(), pl.figures.state()) }

// close sends what waits, until ctx ends.
func (pl *pipeline) close(ctx context.Context) error {
	var errs []error
	if pl.tracers != nil {
		errs = append(errs, pl.tracers.Shutdown(ctx))
	}
	if pl.meters != nil {
		errs = append(errs, pl.meters.Shutdown(ctx))
	}
	if err := errors.Join(errs...); err != nil || pl.state() != "" {
		return errExport // which has no address in it
	}
	return nil
}
