package ccproxy

import (
	"context"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// Monitor tells how a running proxy is, for plugins that export or show it. Its methods may be called concurrently.
// [CoreServices].Plugins is one:
//
//	monitor, ok := pc.Plugins.(ccproxy.Monitor)
type Monitor interface {
	// HookStats returns the state of every hook.
	HookStats() []hooks.Stats
	// Breakers returns "closed", "open" or "half_open" for each running provider that has a circuit breaker.
	Breakers() map[string]string
	// Health asks a plugin how it is, as GET /plugins/NAME/health does. It waits for the plugin until ctx ends. A
	// plugin that does not run, or is not registered, is a warning.
	Health(ctx context.Context, plugin string) Health
	// Accounts tells how the OAuth accounts are, by name, as [OAuth.Statuses] does.
	Accounts(ctx context.Context) []AccountStatus
	// KeyRequired tells whether endpoints of [AuthDefault] ask for a key.
	KeyRequired() bool
}

var _ Monitor = directory{}

// HookStats implements [Monitor].
func (d directory) HookStats() []hooks.Stats { return d.proxy.hooks.Stats() }

// Breakers implements [Monitor].
func (d directory) Breakers() map[string]string {
	states := make(map[string]string)
	for _, m := range d.proxy.plan.manifests {
		for _, b := range d.proxy.breakers(d.proxy.byName[m.Name]) {
			states[b.Provider] = b.State
		}
	}
	return states
}

// Health implements [Monitor].
func (d directory) Health(ctx context.Context, plugin string) Health {
	if r := d.proxy.byName[plugin]; r != nil {
		return r.health(ctx)
	}
	return Health{Status: HealthWarn, Output: "does not run"}
}

// Accounts implements [Monitor].
func (d directory) Accounts(ctx context.Context) []AccountStatus {
	return d.proxy.OAuth().Statuses(ctx)
}

// KeyRequired implements [Monitor].
func (d directory) KeyRequired() bool { return d.proxy.guard.keys != nil }
