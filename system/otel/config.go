package otel

import (
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccproxy-go/ccproxy"
)

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// Endpoint is the address of a collector that takes OTLP over HTTP, such as "http://localhost:4318"; /v1/traces and
	// /v1/metrics are added to its path. Without it, and without providers of the application's, the plugin opts out.
	Endpoint ccproxy.Secret `toml:"endpoint"`
	// Headers are sent to the collector, such as an authorization.
	Headers map[string]ccproxy.Secret `toml:"headers"`
	// ServiceName is service.name of the resource that an Endpoint is told. Defaults to "ccproxy".
	ServiceName string `toml:"service_name" validate:"required"`
	// SampleRatio is the share of traces that an Endpoint is sent, of those that begin here: what a caller has decided
	// holds. Defaults to 1.
	SampleRatio float64 `toml:"sample_ratio" validate:"gte=0,lte=1"`
	// MetricInterval is the time between two exports of metrics. Defaults to 60 s.
	MetricInterval time.Duration `toml:"metric_interval" validate:"gte=1s"`
	// TrustIncoming continues the traces of clients. Without it each request begins one. Defaults to true.
	TrustIncoming bool `toml:"trust_incoming"`
	// PropagateUpstream sends upstreams the header traceparent. Defaults to true.
	PropagateUpstream bool `toml:"propagate_upstream"`
	// CaptureContent puts what people and models wrote into spans. Defaults to false: it is what traces should not
	// have.
	CaptureContent bool `toml:"capture_content"`
	// MaxContentSize bounds each attribute of content in bytes, and what is read of an answer for it. Defaults to
	// 16 KiB.
	MaxContentSize int `toml:"max_content_size" validate:"gte=64,lte=1048576"`
	// MaxModels is how many models have metrics of their own: the first that answered. All others are "other", so that
	// clients cannot make series by naming models. Spans have the name. Defaults to 100.
	MaxModels int `toml:"max_models" validate:"gte=0,lte=10000"`

	// TracerProvider takes the spans in place of an Endpoint. The application shuts it down.
	TracerProvider trace.TracerProvider `toml:"-" validate:"-"`
	// MeterProvider likewise takes the metrics.
	MeterProvider metric.MeterProvider `toml:"-" validate:"-"`
	// Propagator reads and writes the headers of traces. Nil means those of W3C's Trace Context, without baggage, which
	// would tell upstreams what a client's trace carries.
	Propagator propagation.TextMapPropagator `toml:"-" validate:"-"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		ServiceName: "ccproxy", SampleRatio: 1, MetricInterval: time.Minute,
		TrustIncoming: true, PropagateUpstream: true, MaxContentSize: 16 << 10, MaxModels: 100,
	}
}

// check finds what no exporter takes. The address is not repeated: it may have a password.
func (c *Config) check() error {
	if c.Endpoint.IsZero() {
		return nil
	}
	u, err := url.Parse(c.Endpoint.Reveal())
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return fmt.Errorf("plugins.%s.endpoint: not an address like http://localhost:4318: %w", Name, ccproxy.ErrConfig)
	}
	return nil
}
