package balancer

import (
	"cmp"
	"time"
)

// Config is the plugin's configuration.
type Config struct {
	Rules `toml:",squash"`
	// Providers are rules of single providers, by their names, such as "claude". What they leave out is as above.
	Providers map[string]Rules `toml:"providers" validate:"dive"`
	// Admins are the callers, by the names of their keys, who may see the accounts and switch them on and off. Defaults
	// to none: then every caller may see them, and where callers have names nobody may switch.
	Admins []string `toml:"admins" validate:"dive,required"`
}

// Rules say how accounts are chosen, and when one is left alone. What is left out is that of the defaults.
type Rules struct {
	// Strategy is how accounts are chosen from those that can be used: "failover", the first in their order;
	// "round_robin", the next one for each request; "least_used", the one with the fewest requests under way, and
	// of those the one that was used longest ago. Defaults to failover.
	Strategy string `toml:"strategy" validate:"omitempty,oneof=failover round_robin least_used"`
	// Cooldown is how long an account is left alone where the upstream does not say. Defaults to 60 seconds.
	Cooldown time.Duration `toml:"cooldown" validate:"gte=0"`
	// MaxCooldown bounds what the upstream says. Defaults to an hour.
	MaxCooldown time.Duration `toml:"max_cooldown" validate:"gte=0"`
	// MaxFailures is after how many failures in a row an account cools down. Defaults to 2.
	MaxFailures int `toml:"max_failures_before_disable" validate:"gte=0"`
	// FailureStatusCodes are the statuses that are failures of the account, not of the request. Defaults to 401,
	// 402 and 403.
	FailureStatusCodes []int `toml:"failure_status_codes" validate:"dive,gte=400,lte=599"`
}

// The strategies.
const (
	strategyFailover   = "failover"
	strategyRoundRobin = "round_robin"
	strategyLeastUsed  = "least_used"
)

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{Rules: Rules{
		Strategy: strategyFailover, Cooldown: time.Minute, MaxCooldown: time.Hour, MaxFailures: 2,
		FailureStatusCodes: []int{401, 402, 403},
	}}
}

// rules are those of one provider.
func (c *Config) rules(provider string) Rules {
	return c.Providers[provider].or(c.Rules).or(DefaultConfig().Rules)
}

// or completes rules by others.
func (r Rules) or(other Rules) Rules {
	r.Strategy = cmp.Or(r.Strategy, other.Strategy)
	r.Cooldown = cmp.Or(r.Cooldown, other.Cooldown)
	r.MaxCooldown = cmp.Or(r.MaxCooldown, other.MaxCooldown)
	r.MaxFailures = cmp.Or(r.MaxFailures, other.MaxFailures)
	if r.FailureStatusCodes == nil {
		r.FailureStatusCodes = other.FailureStatusCodes
	}
	return r
}
