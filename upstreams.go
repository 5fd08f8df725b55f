package ccproxy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

// upstream is what the proxy remembers of a provider from call to call. It is used concurrently.
type upstream struct {
	retry    RetryPolicy
	budget   retryBudget
	breaker  *breaker     // nil where the settings want none
	inflight atomic.Int64 // calls under way, counted where fallbacks are balanced
}

// upstreams makes the upstreams of all providers, by name.
func (s Settings) upstreams(pl *plan) (map[string]*upstream, error) {
	errs := []error{
		checkPolicies("retries", s.Retries.RetryPolicy, s.Retries.Providers, pl),
		checkPolicies("breakers", s.Breakers.BreakerPolicy, s.Breakers.Providers, pl),
	}
	out := make(map[string]*upstream)
	for _, name := range pl.providerNames() {
		u := &upstream{retry: policyOf(name, s.Retries.RetryPolicy, s.Retries.Providers).withDefaults()}
		if p := policyOf(name, s.Breakers.BreakerPolicy, s.Breakers.Providers); p.Failures > 0 {
			u.breaker = &breaker{policy: p.withDefaults()}
		}
		out[name] = u
	}
	return out, errors.Join(errs...)
}

func policyOf[P any](provider string, general P, own map[string]P) P {
	if p, ok := own[provider]; ok {
		return p
	}
	return general
}

// checkPolicies holds the policies of one table against the rules, and the providers against those that there are.
func checkPolicies[P interface{ check(where string) error }](
	where string, general P, own map[string]P, pl *plan,
) error {
	errs := []error{general.check(where)}
	known := pl.providerNames()
	for _, name := range slices.Sorted(maps.Keys(own)) {
		key := where + ".providers." + name
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("%s: no such provider%s: %w", key, nearest.Hint(name, known), ErrConfig))
		}
		errs = append(errs, own[name].check(key))
	}
	return errors.Join(errs...)
}

// breakerHealth is a breaker as health shows it.
type breakerHealth struct {
	Provider string `json:"provider"`
	State    string `json:"state"`
}

// breakers are those of a plugin's providers, in the order of its manifest.
func (p *Proxy) breakers(r *record) []breakerHealth {
	if r == nil || !r.is(stateActive) {
		return nil
	}
	var out []breakerHealth
	for _, mp := range r.providers {
		if u := p.upstreams[mp.name]; u != nil && u.breaker != nil {
			out = append(out, breakerHealth{mp.name, u.breaker.state()})
		}
	}
	return out
}

// tripped are the breakers of a plugin's providers that are not closed.
func (p *Proxy) tripped(plugin string) []breakerHealth {
	isClosed := func(b breakerHealth) bool { return b.State == breakerClosed }
	return slices.DeleteFunc(p.breakers(p.byName[plugin]), isClosed)
}

// withBreakers adds to what a plugin says of its health which of its providers are left alone.
func (h Health) withBreakers(breakers []breakerHealth) Health {
	for _, b := range breakers {
		if b.State != breakerClosed && graver(HealthWarn, h.Status) {
			h.Status, h.Output = HealthWarn, "the breaker of provider "+b.Provider+" is "+b.State
		}
	}
	return h
}

// count counts calls under way, if any fallback needs to know.
func (u *upstream) count(p *Proxy, n int64) {
	for i := range p.fallbacks {
		if p.fallbacks[i].balance == balanceInflight {
			u.inflight.Add(n)
			return
		}
	}
}
