// Package budgets bounds what callers may spend in a day or a month, in US dollars and in tokens.
//
// # Configuration
//
// The table [plugins.budgets]; see [Config] and [Limit]. The plugin is off by default, and keeps its counts in
// memory unless a file or a [Store] is given.
//
//	[plugins.budgets]
//	enabled = true
//	[[plugins.budgets.limits]]
//	name = "team"
//	callers = ["team-*"]      # each for itself
//	period = "month"
//	cost_usd = "250"
//	soft_cost_usd = "200"
//	[[plugins.budgets.limits]]
//	name = "opus"
//	models = ["claude-opus-*"]
//	shared = true             # all callers together
//	period = "day"
//	tokens = 5000000
//
// # How it counts
//
// A request counts in the period in which it began, with the usage that its upstream has told, also where the
// answer broke off: the cost as service pricing computes it, exactly, and all tokens, those of caches included.
// What was answered without a word on usage counts with an estimate, which is kept apart; so does the output of a
// stream that broke off before its final figures, by its size.
//
// A request that begins reserves what it may use: a token for four bytes of it, and as much output as it asks for,
// up to reserve_output. It is refused if that is more than what is left, or nothing is left; so requests at the
// same time cannot spend the same money. A request may still use more than it has reserved: a budget is overrun by
// that at most. What one of several attempts of a request has reserved, the next one gives back. A reservation
// whose request is not heard of for a day counts as spent.
//
// A request over a hard limit gets 429 or 403 in its dialect, with the time at which the budget begins anew, and
// clients are told not to try again. Beyond a soft limit answers to the caller have the header
// X-CCProxy-Budget-Warning; the log and the event custom.event with the name "budgets.soft_limit" tell of it once.
// Counting tokens is free.
//
// Replicas that share a Store see what the others have spent, not what they have reserved. The file is written a
// moment after a change (save_interval); a process that is killed forgets that much.
//
// # Routes
//
// GET /budgets shows the budgets of the caller, and those of everybody to admins and where nobody says who calls.
//
// # Hooks
//
// reserve is a mutator of provider.request.prepared, with priority 900, that refuses requests over budget, and
// fails closed. settle observes request.completed and request.failed.
//
// # Services
//
// It uses pricing, which has to be there where budgets are of money.
package budgets

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// Name is the plugin's name.
const Name = "budgets"

const (
	pricing = "pricing"
	// priority is late: what other mutators make of a request is what it costs.
	priority = 900
	// queue is how many requests may end while the store is busy.
	queue = 16384
)

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Bounds what callers may spend in a day or a month",
		DefaultOff: true, OptionalRequires: []string{pricing},
		Config: ccproxy.ConfigFor(DefaultConfig),
		Configure: func(cfg any, _ *ccproxy.Manifest) error {
			c, ok := cfg.(*Config)
			if !ok {
				return ccproxy.ErrServiceType
			}
			if len(c.Limits) == 0 {
				return fmt.Errorf("%w: there are no limits", ccproxy.ErrSkip)
			}
			_, _, err := c.budgets()
			return err
		},
		Hooks: []ccproxy.HookSpec{
			{Priority: priority, FailClosed: true, ReadOnly: true, New: hook(func(p *plugin) hooks.Hook {
				return hooks.Mutate("reserve", p.reserve)
			})},
			{Queue: queue, ReadOnly: true, New: hook(func(p *plugin) hooks.Hook {
				return hooks.Observe("settle", p.settle, hooks.EventRequestCompleted, hooks.EventRequestFailed)
			})},
		},
		Middleware: []ccproxy.MiddlewareSpec{{
			New: func(pc *ccproxy.PluginContext) (middleware.Func, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return p.ledger.middleware, nil
			},
		}},
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/budgets", Endpoints: []ccproxy.Endpoint{{Summary: "Show budgets and what was spent of them"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return p.ledger, nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

func hook(of func(*plugin) hooks.Hook) func(*ccproxy.PluginContext) (hooks.Hook, error) {
	return func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
		p, err := ccproxy.RuntimeOf[*plugin](pc)
		if err != nil {
			return nil, err
		}
		return of(p), nil
	}
}

// plugin is the runtime. Its fields do not change once it is initialized.
type plugin struct {
	cfg    *Config
	logger *slog.Logger
	hooks  ccproxy.HookRegistry
	ledger *ledger
	file   *file // the store, if it is one
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) (err error) {
	if p.cfg, err = ccproxy.ConfigOf[Config](pc); err != nil {
		return err
	}
	p.logger, p.hooks = pc.Logger, pc.Hooks
	p.ledger = &ledger{
		cfg: p.cfg, logger: pc.Logger, notify: p.notify, store: p.cfg.Store, holds: make(map[uint64]*hold),
		reserved: make(map[Key]reserved), unsaved: make(map[Key]Spent), warned: make(map[Key]bool),
	}
	if p.ledger.budgets, p.ledger.zone, err = p.cfg.budgets(); err != nil {
		return err
	}
	if p.ledger.prices, err = p.prices(pc); err != nil {
		return err
	}
	switch {
	case p.ledger.store != nil:
	case p.cfg.File == "":
		p.ledger.store = new(Memory)
	default:
		p.file = &file{path: p.cfg.File, interval: p.cfg.SaveInterval, logger: pc.Logger}
		p.ledger.store = p.file
		return p.file.open()
	}
	return nil
}

// prices finds the service. Only budgets of tokens do without.
func (p *plugin) prices(pc *ccproxy.PluginContext) (prices, error) {
	svc, err := ccproxy.ServiceOf[prices](pc, pricing)
	if !errors.Is(err, ccproxy.ErrUnknownService) {
		return svc, err
	}
	for _, b := range p.ledger.budgets {
		if b.costs() {
			return nil, fmt.Errorf("budget %q is one of money: service %q: %w",
				b.Name, pricing, ccproxy.ErrMissingDependency)
		}
	}
	return nil, nil //nolint:nilnil // budgets of tokens need none
}

// Shutdown implements [ccproxy.Plugin]. The proxy has delivered all events before.
func (p *plugin) Shutdown(ctx context.Context) error {
	if p.ledger != nil && p.ledger.store != nil {
		p.ledger.save(ctx)
	}
	if p.file == nil {
		return nil
	}
	return p.file.close()
}

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	p.ledger.mu.Lock()
	running, unsaved := len(p.ledger.holds), len(p.ledger.unsaved)
	p.ledger.mu.Unlock()
	h := ccproxy.Health{Details: map[string]any{"reservations": running, "unsaved": unsaved}}
	if unsaved > 0 {
		h.Status, h.Output = ccproxy.HealthWarn, "the store does not take what was spent"
	}
	if p.file != nil {
		if err := p.file.state(); err != nil {
			h.Status, h.Output = ccproxy.HealthWarn, "the file cannot be written: "+err.Error()
		}
	}
	return h
}

var _ ccproxy.HealthChecker = (*plugin)(nil)

// reserve is the mutator.
func (p *plugin) reserve(ctx context.Context, req *hooks.PreparedRequest) error {
	if req.Operation == string(ccproxy.OpCountTokens) {
		return nil
	}
	d := demandOf(ctx, req)
	claims := p.ledger.claims(d.caller, d.models, time.Now())
	if len(claims.each) == 0 {
		p.ledger.withdraw(d.exchange)
		return nil
	}
	d.estimate(req, p.ledger.prices, p.cfg.ReserveOutput)
	return hooks.Refuse(p.ledger.begin(ctx, &d, claims))
}

// settle is the observer.
func (p *plugin) settle(ctx context.Context, hc *hooks.Context) error {
	if o, ok := outcomeOf(hc); ok {
		p.ledger.end(ctx, &o, hc.Time.Add(-o.duration))
	}
	return nil
}

func (p *plugin) notify(n Notice) {
	p.logger.Warn("budget has reached its soft limit", "budget", n.Key.Budget, "caller", n.Key.Caller,
		"period", n.Key.Period, "cost_usd", formatUSD(n.Spent.cost()), "tokens", n.Spent.tokens())
	if p.hooks.Enabled(hooks.EventCustom) {
		p.hooks.Emit(hooks.Context{Payload: &hooks.Custom{Name: EventSoftLimit, Data: n}})
	}
}
