package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ccproxy-go/ccproxy"
)

// states are the metrics that are read off the proxy when somebody asks for them.
type states struct {
	plugins ccproxy.PluginDirectory

	breaker, plugin, dropped, failed *prometheus.Desc
}

func newStates(c *Config, plugins ccproxy.PluginDirectory) *states {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(c.Namespace, "", name), help, labels, nil)
	}
	return &states{
		plugins: plugins,
		breaker: desc("breaker_state", "Circuit breakers: 0 closed, 1 half open, 2 open.", serviceType),
		plugin:  desc("plugin_up", "1 for a plugin that is active, 0 for one that failed.", "plugin"),
		dropped: desc("hook_drops_total", "Events that a plugin's hooks were not given.", "plugin"),
		failed:  desc("hook_failures_total", "Events that a plugin's hooks failed at.", "plugin"),
	}
}

// Describe implements [prometheus.Collector].
func (s *states) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.breaker, s.plugin, s.dropped, s.failed} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (s *states) Collect(ch chan<- prometheus.Metric) {
	for _, st := range s.plugins.Statuses() {
		switch st.State {
		case "active":
			ch <- prometheus.MustNewConstMetric(s.plugin, prometheus.GaugeValue, 1, st.Name)
		case "failed":
			ch <- prometheus.MustNewConstMetric(s.plugin, prometheus.GaugeValue, 0, st.Name)
		}
	}
	monitor, ok := s.plugins.(ccproxy.Monitor)
	if !ok {
		return
	}
	for provider, state := range monitor.Breakers() {
		value := map[string]float64{"half_open": 1, "open": 2}[state]
		ch <- prometheus.MustNewConstMetric(s.breaker, prometheus.GaugeValue, value, provider)
	}
	dropped, failed := make(map[string]int64), make(map[string]int64)
	for _, h := range monitor.HookStats() {
		dropped[h.Plugin] += h.Dropped
		failed[h.Plugin] += h.Failed
	}
	for plugin, n := range dropped {
		name := orNone(plugin)
		ch <- prometheus.MustNewConstMetric(s.dropped, prometheus.CounterValue, float64(n), name)
		ch <- prometheus.MustNewConstMetric(s.failed, prometheus.CounterValue, float64(failed[plugin]), name)
	}
}
