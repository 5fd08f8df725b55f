package metrics_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/metrics"
)

// An application that has a registry of its own has the proxy's metrics in it, and no further endpoint.
func ExampleConfig() {
	registry := prometheus.NewRegistry() // the application's

	cfg := metrics.DefaultConfig()
	cfg.Registerer = prometheus.WrapRegistererWith(prometheus.Labels{"proxy": "team-a"}, registry)
	cfg.Endpoint = false
	var reg ccproxy.Registry
	if err := reg.Register(metrics.Factory()); err != nil {
		fmt.Println(err)
		return
	}
	proxy, err := reg.Build(ccproxy.Settings{EnabledPlugins: []string{metrics.Name}},
		ccproxy.WithPluginConfig(metrics.Name, *cfg))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())
	families, err := registry.Gather()
	if err != nil || len(families) == 0 {
		fmt.Println("nothing", err)
		return
	}
	label := families[0].GetMetric()[0].GetLabel()[0]
	fmt.Println(label.GetName(), label.GetValue())
	// Output: proxy team-a
}
