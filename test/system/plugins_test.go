package system

import (
	"context"
	"log/slog"
	"maps"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
	"github.com/ccproxy-go/ccproxy/system/analytics"
	"github.com/ccproxy-go/ccproxy/system/budgets"
	"github.com/ccproxy-go/ccproxy/system/dashboard"
	"github.com/ccproxy-go/ccproxy/system/maxtokens"
	"github.com/ccproxy-go/ccproxy/system/metrics"
	"github.com/ccproxy-go/ccproxy/system/otel"
	"github.com/ccproxy-go/ccproxy/system/pricing"
)

// systemPlugins are those that are tested together.
func systemPlugins() []ccproxy.Factory {
	return []ccproxy.Factory{
		accesslog.Factory(), analytics.Factory(), budgets.Factory(), dashboard.Factory(), maxtokens.Factory(),
		metrics.Factory(), otel.Factory(), pricing.Factory(), // otel opts out where nobody takes what it tells
	}
}

// providerPlugins are those of an upstream in all three dialects: /claude, /chat and /responses.
func providerPlugins() []ccproxy.Factory {
	return []ccproxy.Factory{claudeapi.Factory(), openaicompat.Factory()}
}

type tables map[string]map[string]any

// with returns the tables with others in the place of theirs.
func (t tables) with(others tables) tables {
	all := maps.Clone(t)
	maps.Copy(all, others)
	return all
}

// systemTables turn on what is off by default.
func systemTables() tables {
	on := func() map[string]any { return map[string]any{"enabled": true} }
	return tables{
		analytics.Name: on(), dashboard.Name: on(), maxtokens.Name: on(), metrics.Name: on(), pricing.Name: {},
		budgets.Name: {"enabled": true, "unknown_price": "tokens", "limits": []any{
			map[string]any{"name": "each", "period": "month", "cost_usd": "1000000", "soft_cost_usd": "999999"},
			map[string]any{"name": "all", "period": "day", "tokens": int64(1) << 50, "shared": true},
		}},
	}
}

// providerTables are those of providers for an upstream at an address.
func providerTables(address string) tables {
	const key = "sk-system-0123456789abcdef"
	return tables{
		claudeapi.Name: {"base_url": address, "api_key": key},
		openaicompat.Name: {"instances": map[string]any{
			"chat": map[string]any{"base_url": address + "/v1", "api_key": key},
			"responses": map[string]any{
				"base_url": address + "/v1", "api_key": key, "formats": []any{"openai.responses"},
			},
		}},
	}
}

// observer is a plugin that lets the test see what plugins see.
type observer struct{ plugins ccproxy.PluginDirectory }

func (o *observer) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	o.plugins = pc.Plugins
	return nil
}

func (*observer) Shutdown(context.Context) error { return nil }

// waiting is how many events and records have not been dealt with yet.
func (o *observer) waiting(ctx context.Context) (events, dropped, failed int64) {
	monitor, ok := o.plugins.(ccproxy.Monitor)
	if !ok {
		return 0, 0, 0
	}
	for _, h := range monitor.HookStats() {
		events += int64(h.Pending)
		dropped += h.Dropped
		failed += h.Failed
	}
	if n, ok := monitor.Health(ctx, analytics.Name).Details["pending"].(int); ok {
		events += int64(n)
	}
	return events, dropped, failed
}

// build makes a proxy and its observer.
func build(settings ccproxy.Settings, log *accesslog.Config, system bool, opts ...ccproxy.Option) (*ccproxy.Proxy, *observer, error) {
	eye := new(observer)
	factories := append(providerPlugins(), ccproxy.NewFactory(ccproxy.Manifest{Name: "observer"},
		func() ccproxy.Plugin { return eye }))
	opts = append(opts, ccproxy.WithStrictStart(), ccproxy.WithLogger(slog.New(slog.DiscardHandler)))
	if system {
		factories = append(factories, systemPlugins()...)
		if log != nil {
			opts = append(opts, ccproxy.WithPluginConfig(accesslog.Name, *log))
		}
	}
	var reg ccproxy.Registry
	if err := reg.Register(factories...); err != nil {
		return nil, nil, err
	}
	proxy, err := reg.Build(settings, opts...)
	return proxy, eye, err
}
