package authoring_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// Config is the table [plugins.notary].
type Config struct {
	// Stamp is what every answer is marked with. Required.
	Stamp string `toml:"stamp" validate:"required,max=40"`
	// Every is how long a stamp is used. Defaults to an hour.
	Every time.Duration `toml:"every" validate:"gte=1000000000"`
	// APIKey is sent to the registry of stamps. Defaults to none.
	APIKey ccproxy.Secret `toml:"api_key"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config { return &Config{Stamp: "seen", Every: time.Hour} }

// notary is the runtime: one value for each proxy that runs the plugin.
type notary struct {
	cfg *Config
}

func notaryFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "notary", Description: "Stamps answers",
		Config: ccproxy.ConfigFor(DefaultConfig),
	}, func() ccproxy.Plugin { return new(notary) })
}

// Initialize implements [ccproxy.Plugin].
func (n *notary) Initialize(_ context.Context, pc *ccproxy.PluginContext) (err error) {
	n.cfg, err = ccproxy.ConfigOf[Config](pc)
	return err
}

// Shutdown implements [ccproxy.Plugin].
func (*notary) Shutdown(context.Context) error { return nil }

// A table is decoded strictly and checked when the proxy is built.
func Example_configuration() {
	var reg ccproxy.Registry
	if err := reg.Register(notaryFactory()); err != nil {
		fmt.Println(err)
	}
	_, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		"notary": {"stamp": "", "every": "0s"},
	}})
	fmt.Println(err)
	fmt.Println(ccproxy.NewSecret("s3cret"))
	// Output:
	// plugin notary: configure: plugins.notary.stamp: must satisfy "required": invalid configuration
	// plugins.notary.every: must satisfy "gte=1000000000": invalid configuration
	// [REDACTED]
}
