package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

// newProxied starts the proxy as an application with an API key has it.
func newProxied(ctx context.Context, s spec) (*ccproxy.Proxy, error) {
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory(), observers(s.Hooks)); err != nil {
		return nil, err
	}
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret("sk-torture-0123456789abcdef")
	cfg.BaseURL = s.Upstream
	settings := ccproxy.Settings{Limits: ccproxy.Limits{
		ReadTimeout: s.BodyIdle, BodyTimeout: s.BodyTotal, WriteTimeout: s.WriteIdle, StreamIdle: s.StreamIdle,
	}}
	proxy, err := reg.Build(settings, ccproxy.WithPluginConfig(claudeapi.Name, *cfg), ccproxy.WithStrictStart(),
		ccproxy.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	if err := proxy.Start(ctx); err != nil {
		return nil, err
	}
	return proxy, nil
}

// observers is a plugin with hooks that look at every request, and do nothing.
func observers(n int) ccproxy.Factory {
	m := ccproxy.Manifest{Name: "observers"}
	events := []hooks.Event{
		hooks.EventRequestStarted, hooks.EventRequestCompleted, hooks.EventRequestFailed, hooks.EventProviderStreamEnd,
	}
	for i := range n {
		hook := hooks.Observe(fmt.Sprintf("observer %d", i),
			func(context.Context, *hooks.Context) error { return nil }, events...)
		m.Hooks = append(m.Hooks, ccproxy.HookSpec{
			New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return hook, nil },
		})
	}
	return ccproxy.NewFactory(m, nil)
}
