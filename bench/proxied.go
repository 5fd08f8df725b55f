package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
)

// eventOfStreams is the one of the observed events that other requests do not have.
const eventOfStreams = hooks.EventProviderStreamEnd

// hookEvent is the event that the i-th hook observes.
func hookEvent(i int) hooks.Event {
	return [...]hooks.Event{hooks.EventRequestCompleted, hooks.EventRequestStarted, eventOfStreams}[i%3]
}

// hookCount is how often hooks were called.
type hookCount struct{ calls atomic.Int64 }

// settle waits until the hooks have nothing more to do. They run beside the requests, and what is left of their work
// when the last answer is there belongs to the round, too.
func (c *hookCount) settle() {
	for last := int64(-1); last != c.calls.Load(); {
		last = c.calls.Load()
		time.Sleep(20 * time.Millisecond)
	}
}

// observers is a plugin with hooks that do nothing but count.
func observers(s spec, count *hookCount) ccproxy.Factory {
	m := ccproxy.Manifest{Name: "observers"}
	add := func(name string, event hooks.Event) {
		hook := hooks.Observe(name, func(context.Context, *hooks.Context) error {
			count.calls.Add(1)
			return nil
		}, event)
		m.Hooks = append(m.Hooks, ccproxy.HookSpec{
			New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return hook, nil },
		})
	}
	for i := range s.Hooks {
		add(fmt.Sprintf("observer %d", i), hookEvent(i))
	}
	if s.Chunks {
		add("chunks", hooks.EventProviderStreamChunk)
	}
	return ccproxy.NewFactory(m, nil)
}

// providerOf is the provider whose upstream speaks a dialect.
func providerOf(letter string) string {
	switch letter {
	case letterChat:
		return "chat"
	case letterResponses:
		return "responses"
	default:
		return "claude"
	}
}

// newProxied starts the proxy as an application with an API key has it.
func newProxied(ctx context.Context, s spec, count *hookCount) (*ccproxy.Proxy, error) {
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory(), openaicompat.Factory(), observers(s, count)); err != nil {
		return nil, err
	}
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret("sk-bench-0123456789abcdef")
	cfg.BaseURL = s.Upstream
	compat := openaicompat.Config{Instances: make(map[string]openaicompat.Instance)}
	for _, letter := range []string{letterChat, letterResponses} {
		compat.Instances[providerOf(letter)] = openaicompat.Instance{
			BaseURL: s.Upstream + "/v1", APIKey: cfg.APIKey, Formats: []string{string(codecOf(letter).Format())},
		}
	}
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithPluginConfig(claudeapi.Name, *cfg),
		ccproxy.WithPluginConfig(openaicompat.Name, compat), ccproxy.WithStrictStart())
	if err != nil {
		return nil, err
	}
	if err := proxy.Start(ctx); err != nil {
		return nil, err
	}
	return proxy, nil
}
