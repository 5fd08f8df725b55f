// Package redis shares the state of accounts among proxies, over Redis, for the plugin balancer. It is a module of its
// own.
//
// # Configuration
//
// The table [plugins.balancer_redis]; see [Config]. Without url the plugin opts out.
//
//	[plugins.balancer_redis]
//	url = "rediss://user:password@cache.example.org:6379/0"
//
// # Routes
//
// None.
//
// # Hooks
//
// None.
//
// # Services
//
// It provides balancer_state, a [balancer.State].
package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/balancer"
)

// Name is the plugin's name.
const Name = "balancer_redis"

// Config is the plugin's configuration.
type Config struct {
	// URL is the address of Redis: redis://, rediss:// or unix://. It may hold a password. Defaults to none.
	URL ccproxy.Secret `toml:"url"`
	// Prefix begins all keys. Proxies share what has the same. Defaults to "ccproxy:balancer:".
	Prefix string `toml:"prefix"`
}

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Shares the state of accounts over Redis",
		Provides:  []string{balancer.StateService},
		Config:    ccproxy.ConfigFor(func() *Config { return &Config{Prefix: DefaultPrefix} }),
		Configure: configure,
	}, func() ccproxy.Plugin { return &plugin{} })
}

// configure refuses at Build what is no address. The error tells nothing of it.
func configure(cfg any, _ *ccproxy.Manifest) error {
	c, ok := cfg.(*Config)
	if !ok {
		return nil
	}
	if c.URL.IsZero() {
		return fmt.Errorf("%w: no url", ccproxy.ErrSkip)
	}
	if _, err := goredis.ParseURL(c.URL.Reveal()); err != nil {
		return fmt.Errorf("plugins.%s.url: not the URL of a Redis server: %w", Name, ccproxy.ErrConfig)
	}
	return nil
}

// plugin is the runtime.
type plugin struct{ client *goredis.Client }

// Initialize implements [ccproxy.Plugin]. It does not talk to Redis yet.
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	c, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	options, err := goredis.ParseURL(c.URL.Reveal())
	if err != nil {
		return fmt.Errorf("url: not the URL of a Redis server: %w", ccproxy.ErrConfig)
	}
	options.ContextTimeoutEnabled = true // the balancer's requests wait for no more than a moment
	p.client = goredis.NewClient(options)
	return pc.Provide(balancer.StateService, &State{Client: p.client, Prefix: c.Prefix})
}

// Shutdown implements [ccproxy.Plugin].
func (p *plugin) Shutdown(context.Context) error {
	if p.client == nil {
		return nil
	}
	return p.client.Close()
}
