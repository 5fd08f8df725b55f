package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// config is the table [plugins.counter].
type config struct {
	Provider string `toml:"provider" validate:"required"` // whose requests count
}

// counter counts requests. It is also the service "request_counter".
type counter struct {
	cfg *config
	n   atomic.Int64
}

func factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "counter", Provides: []string{"request_counter"},
		Config: ccproxy.ConfigFor(func() *config { return &config{Provider: "echo"} }),
		Hooks: []ccproxy.HookSpec{{New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
			c, err := ccproxy.RuntimeOf[*counter](pc)
			return hooks.On("count", c.observe), err
		}}},
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/counter", Endpoints: []ccproxy.Endpoint{{Summary: "Count of requests"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) { return ccproxy.RuntimeOf[*counter](pc) },
		}},
	}, func() ccproxy.Plugin { return &counter{} })
}

func (c *counter) Initialize(_ context.Context, pc *ccproxy.PluginContext) (err error) {
	if c.cfg, err = ccproxy.ConfigOf[config](pc); err != nil {
		return err
	}
	return pc.Provide("request_counter", c)
}

func (c *counter) Shutdown(context.Context) error { return nil }

func (c *counter) Count() int64 { return c.n.Load() }

func (c *counter) observe(_ context.Context, hc *hooks.Context, _ *hooks.RequestCompleted) error {
	if hc.Provider == c.cfg.Provider {
		c.n.Add(1)
	}
	return nil
}

func (c *counter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "{\"requests\":%d}\n", c.Count())
}
