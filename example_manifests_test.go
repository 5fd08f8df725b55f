package ccproxy_test

import (
	"fmt"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// vaultConfig is the table [plugins.vault].
type vaultConfig struct {
	Key ccproxy.Secret
	TTL time.Duration
}

func vaultDefaults() *vaultConfig { return &vaultConfig{TTL: time.Hour} }

// defaults are what a plugin does without a table of settings.
func defaults(spec ccproxy.ConfigSpec) string {
	if spec.IsZero() {
		return "nothing to configure"
	}
	return fmt.Sprintf("%+v", spec.New())
}

// A program that lists plugins, such as a page of settings, needs no proxy for it.
func ExampleRegistry_Manifests() {
	var reg ccproxy.Registry
	_ = reg.Register(
		echo.Factory(),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "clock"}, nil),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "vault", Config: ccproxy.ConfigFor(vaultDefaults)}, nil),
	)
	byKind := make(map[ccproxy.Kind][]ccproxy.Manifest)
	for _, m := range reg.Manifests() {
		byKind[m.Kind] = append(byKind[m.Kind], m)
	}
	for _, kind := range []ccproxy.Kind{ccproxy.KindProvider, ccproxy.KindAuth, ccproxy.KindSystem} {
		for _, m := range byKind[kind] {
			fmt.Printf("%s %s: %s\n", kind, m.Name, defaults(m.Config))
		}
	}
	// Output:
	// provider echo: &{Models:[echo-1] Prefix: Delay:0s}
	// system clock: nothing to configure
	// system vault: &{Key: TTL:1h0m0s}
}
