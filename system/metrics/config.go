package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ccproxy-go/ccproxy"
)

// Config is the plugin's configuration. Code starts from [DefaultConfig].
type Config struct {
	// Namespace begins the name of every metric. Defaults to "ccproxy".
	Namespace string `toml:"namespace" validate:"required"`
	// Endpoint serves GET /metrics. Defaults to true.
	Endpoint bool `toml:"metrics_endpoint_enabled"`
	// MaxModels is how many models have series of their own: the first that answered. All others are "other", so that
	// clients cannot make series by naming models. Defaults to 10.
	MaxModels int `toml:"max_models" validate:"gte=0,lte=10000"`
	// Buckets are the upper bounds of the histograms in seconds, in ascending order. Defaults to 50 ms to 10 min.
	Buckets []float64 `toml:"histogram_buckets" validate:"min=1,dive,gt=0"`
	// PushURL is the address of a Pushgateway. Defaults to none.
	PushURL ccproxy.Secret `toml:"pushgateway_url"`
	// PushJob is the job's name there. Defaults to "ccproxy".
	PushJob string `toml:"pushgateway_job" validate:"required"`
	// PushInterval is the time between two pushes; at the end there is one more. Defaults to 60 s.
	PushInterval time.Duration `toml:"pushgateway_push_interval" validate:"gte=1s"`
	// Registerer, if set, takes the metrics too, for an application that exposes its own. It is given them when the
	// plugin starts, and they are taken back when it stops. A proxy that takes the place of another (ccproxy.Handle)
	// hands its own in when the other one has ended. Two that stay side by side need two namespaces, or
	// prometheus.WrapRegistererWith.
	Registerer prometheus.Registerer `toml:"-" validate:"-"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		Namespace: "ccproxy", Endpoint: true, MaxModels: 10,
		Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600},
		PushJob: "ccproxy", PushInterval: time.Minute,
	}
}

// check finds what Prometheus does not take.
func (c *Config) check() error {
	if !regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`).MatchString(c.Namespace) {
		return fmt.Errorf("plugins.%s.namespace: %q is not a name of letters, digits and _: %w",
			Name, c.Namespace, ccproxy.ErrConfig)
	}
	if !slices.IsSorted(c.Buckets) || len(slices.Compact(slices.Clone(c.Buckets))) != len(c.Buckets) {
		return fmt.Errorf("plugins.%s.histogram_buckets: the bounds do not ascend: %w", Name, ccproxy.ErrConfig)
	}
	return nil
}
