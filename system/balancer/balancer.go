// Package balancer spreads the requests of a provider over several accounts, and leaves one alone that the upstream
// has refused: the same request goes on with the next, as long as its client has been sent nothing.
//
// # Configuration
//
// The accounts are in the table of the provider's plugin, the rules in [plugins.balancer]; see [Config]:
//
//	[plugins.claude_api]
//	accounts = [
//	  { name = "team", api_key = "…" },
//	  { name = "me", oauth = "claude-api" },
//	]
//
//	[plugins.balancer]
//	strategy = "round_robin"
//
// The plugin goes by the name credential_balancer, too, with a table, a service and routes of that name. It is off by
// default, and where it runs it is the one that providers use.
//
// What the upstream answers to an account decides on what follows:
//
//	429                    it cools down for as long as Retry-After says; the request goes on with the next account
//	401, 402, 403          a failure; the request goes on, and after max_failures_before_disable of them in a row the
//	                       account cools down. An account without a login cools down at once
//	503, 529               it cools down for as long as Retry-After says, or a few seconds; the request goes on
//	other 5xx              a failure, but the request may have been executed, so its client gets the answer
//	other 4xx              the request's own fault
//
// An error event at the beginning of a stream counts as the status that it stands for, as long as its client has been
// sent nothing.
// Which statuses are in the second line is said by failure_status_codes. The last two kinds of cooldown are as likely
// the upstream's fault as the account's: where no account is left a request is tried with the one of them whose
// cooldown ends first. Otherwise a request for which no account is left gets 429 or 503 with the time until the first
// is back, or, if it has been refused itself, the last of the upstream's answers.
//
// # Routes
//
// GET /balancer shows the accounts. POST /balancer/{provider}/{account}/disable switches one off, and …/enable on
// again, which ends a cooldown as well. They ask for a key as the settings say; where callers have keys, only those
// that admins names may switch.
//
// # Hooks
//
// None. It sends "balancer.account" as a custom event when an account cools down or is switched; the data is an
// [Event].
//
// # Services
//
// It provides balancer, a [providers.Balancer]. It uses balancer_state, a [State], where there is one: then several
// proxies share cooldowns and switches. Package balancer/redis, a module of its own, has it in Redis. Without it the
// state is that of one proxy, and gone with it.
package balancer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers"
)

// Name is the plugin's name, and that of its service. Alias is the one that it goes by, too.
const (
	Name  = providers.BalancerService
	Alias = providers.BalancerAlias
)

// StateService is the service that shares the state of accounts, a [State].
const StateService = "balancer_state"

// Factory returns the plugin.
func Factory() ccproxy.Factory { return factory(Name) }

// AliasFactory returns the plugin as credential_balancer, which is off by default and goes before balancer.
func AliasFactory() ccproxy.Factory { return factory(Alias) }

func factory(name string) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: name, Version: "1.0.0", Description: "Spreads requests over several accounts of a provider",
		DefaultOff: name == Alias, Provides: []string{name}, OptionalRequires: []string{StateService},
		Config: ccproxy.ConfigFor(DefaultConfig),
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/" + name,
			Endpoints: []ccproxy.Endpoint{
				{Summary: "Show the accounts of providers that have several"},
				{Method: http.MethodPost, Pattern: "/{provider}/{account}/enable", Summary: "Switch an account on"},
				{Method: http.MethodPost, Pattern: "/{provider}/{account}/disable", Summary: "Switch an account off"},
			},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return newRoutes(p), nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{name: name} })
}

// plugin is the runtime.
type plugin struct {
	name  string
	pc    *ccproxy.PluginContext
	cfg   *Config
	state State // nil where nobody shares

	mu    sync.Mutex
	pools map[string]*pool // by provider
}

var (
	_ ccproxy.HealthChecker = (*plugin)(nil)
	_ providers.Balancer    = (*plugin)(nil)
)

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	cfg, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	p.pc, p.cfg, p.pools = pc, cfg, make(map[string]*pool)
	state, err := ccproxy.ServiceOf[State](pc, StateService)
	if err != nil && !errors.Is(err, ccproxy.ErrUnknownService) {
		return err
	}
	p.state = state
	return pc.Provide(p.name, p)
}

// Shutdown implements [ccproxy.Plugin].
func (p *plugin) Shutdown(context.Context) error { return nil }

// HealthCheck implements [ccproxy.HealthChecker]: a provider none of whose accounts can be used is a warning, and so is
// a state that cannot be shared.
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	h := ccproxy.Health{Details: map[string]any{"providers": p.show()}}
	for _, pool := range p.all() {
		if away := pool.stateError(); away != nil {
			h.Status, h.Output = ccproxy.HealthWarn, "the state of accounts is not shared: "+away.Error()
		}
		if !pool.available() {
			h.Status, h.Output = ccproxy.HealthWarn, "no account of "+pool.provider+" can be used"
		}
	}
	return h
}

// accountName keeps names plain in logs, paths and keys of a state.
const accountName = `^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`

// Pool implements [providers.Balancer].
func (p *plugin) Pool(provider string, accounts []providers.Account) (providers.Pool, error) {
	if len(accounts) == 0 {
		return nil, fmt.Errorf("%w: no accounts", ccproxy.ErrConfig)
	}
	plain, known := regexp.MustCompile(accountName), make(map[string]bool)
	q := &pool{
		provider: provider, rules: p.cfg.rules(provider), last: -1, state: p.state,
		logger: p.pc.Logger.With(slog.String("provider", provider)), tell: p.tell,
	}
	for _, a := range accounts {
		switch {
		case !plain.MatchString(a.Name):
			return nil, fmt.Errorf("%w: account name %q must match %s", ccproxy.ErrConfig, a.Name, accountName)
		case known[a.Name]:
			return nil, fmt.Errorf("%w: two accounts have the name %q", ccproxy.ErrConfig, a.Name)
		case a.Credentials == nil:
			return nil, fmt.Errorf("%w: account %q has no credentials", ccproxy.ErrConfig, a.Name)
		}
		known[a.Name] = true
		q.members = append(q.members, &member{name: a.Name, credentials: a.Credentials})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pools[provider] = q
	return q, nil
}

// all returns the pools by the names of their providers.
func (p *plugin) all() []*pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []*pool
	for _, name := range slices.Sorted(maps.Keys(p.pools)) {
		list = append(list, p.pools[name])
	}
	return list
}

func (p *plugin) find(provider string) (*pool, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q, ok := p.pools[provider]
	return q, ok
}
