package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ccproxy-go/ccproxy"
)

// series are the metrics that events feed.
type series struct {
	active, streams prometheus.Gauge

	requests  *prometheus.CounterVec
	errors    *prometheus.CounterVec
	tokens    *prometheus.CounterVec
	cost      *costs
	unpriced  *prometheus.CounterVec
	retries   *prometheus.CounterVec
	failovers *prometheus.CounterVec
	upstream  *prometheus.CounterVec
	refreshes *prometheus.CounterVec

	duration *prometheus.HistogramVec
	first    *prometheus.HistogramVec
	gap      *prometheus.HistogramVec
	latency  *prometheus.HistogramVec
}

// The labels that several metrics have. service_type is the provider, under the name that dashboards for ccproxy know.
const (
	endpoint    = "endpoint"
	model       = "model"
	serviceType = "service_type"
)

// newSeries makes the metrics and registers them.
func newSeries(c *Config, reg prometheus.Registerer) *series {
	m := maker{c, reg}
	m.info()
	m.gauge("up", "Always 1 while the plugin runs.").Set(1)
	return &series{
		active:  m.gauge("active_requests", "Requests that are being answered."),
		streams: m.gauge("active_streams", "Streams of upstreams that are being relayed."),

		requests: m.counter("requests_total", "Requests that ended.",
			"method", endpoint, model, "status", serviceType),
		errors: m.counter("errors_total", "Requests that failed, by the error's type as the client was told.",
			"error_type", endpoint, model, serviceType),
		tokens: m.counter("tokens_total", "Tokens as upstreams told them; input is without what caches gave and took.",
			"type", model, serviceType),
		cost: m.costs(),
		unpriced: m.counter("unpriced_requests_total", "Requests with tokens whose model has no price.",
			model, serviceType),
		retries:   m.counter("retries_total", "Calls that the same provider was given once more.", serviceType),
		failovers: m.counter("failovers_total", "Calls that another provider was given.", serviceType, "target"),
		upstream: m.counter("upstream_errors_total",
			"Failed calls of upstreams; status is none without an answer, 200 if a stream broke.",
			serviceType, "status"),
		refreshes: m.counter("oauth_refreshes_total", "Refreshes of tokens, by result: success or failure.",
			"provider", "result"),

		duration: m.histogram("response_duration_seconds", "Time from a request to the end of its answer.",
			model, endpoint, serviceType),
		first: m.histogram("time_to_first_token_seconds", "Time from a request to the first event of its stream.",
			model, serviceType),
		gap: m.histogram("inter_token_gap_seconds", "Mean time between the events of a stream, one value a stream.",
			serviceType),
		latency: m.histogram("upstream_latency_seconds", "Time from a call of an upstream to the header of its answer.",
			serviceType),
	}
}

// maker makes metrics and registers them.
type maker struct {
	cfg *Config
	reg prometheus.Registerer
}

func (m maker) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: m.cfg.Namespace, Name: name, Help: help})
	m.reg.MustRegister(g)
	return g
}

func (m maker) counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: m.cfg.Namespace, Name: name, Help: help}, labels)
	m.reg.MustRegister(v)
	return v
}

func (m maker) costs() *costs {
	c := newCosts(m.cfg)
	m.reg.MustRegister(c)
	return c
}

func (m maker) histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: m.cfg.Namespace, Name: name, Help: help, Buckets: m.cfg.Buckets,
	}, labels)
	m.reg.MustRegister(v)
	return v
}

func (m maker) info() {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: m.cfg.Namespace, Name: "info", Help: "Always 1; the labels tell what runs.",
	}, []string{"version"})
	info.WithLabelValues(ccproxy.Version).Set(1)
	m.reg.MustRegister(info)
}
