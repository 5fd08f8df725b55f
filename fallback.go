package ccproxy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

// Fallback says who is asked for a model when the provider that was asked first cannot answer: its upstream is not
// reached, refuses with a status for which the client is not to blame (401, 402, 403, 404, 408, 409, 429, or 500 and
// more), begins a stream with such an error, or begins one and says nothing; or its breaker is open. That is so only
// until the first of an answer has come: what has begun is not begun again. Each target is asked with the client's own
// request, converted anew, and the answer's X-CCProxy-Answered-By header says who has answered. Where all fail, the
// client gets the last one's failure.
type Fallback struct {
	// Match is compared with the model by the name that the client sent, and with PROVIDER/MODEL, the provider and the
	// name of the model that were chosen first. The first fallback that matches counts. Required.
	Match string `validate:"required"`
	// Kind says how Match is compared, as for a [ModelRule]: "exact" (the default), "prefix", "suffix" or "regex".
	Kind string `validate:"omitempty,oneof=exact prefix suffix regex"`
	// IgnoreCase compares without regard to case.
	IgnoreCase bool
	// Targets are asked one after the other, each as PROVIDER/MODEL. One that the client's operation or format cannot
	// be brought to is passed over; so is one that the caller may not use, and one whose conversion loses something
	// that Settings.StrictConversion forbids. Required.
	Targets []string `validate:"required,min=1,dive,required"`
	// Balance says which of the provider that was chosen first and the targets is asked first; the others stay its
	// fallbacks, in their order: "" the provider that was chosen, "least_inflight" the one with the fewest calls under
	// way, "sticky" the same one for all calls of a session that the client names, else as with "".
	Balance string `validate:"omitempty,oneof=least_inflight sticky"`
}

// target is a model of a provider.
type target struct{ provider, model string }

func (t target) String() string { return t.provider + "/" + t.model }

type compiledFallback struct {
	matches func(model string) bool
	targets []target
	balance string
}

func (s Settings) compileFallbacks(pl *plan) ([]compiledFallback, error) {
	var errs []error
	out := make([]compiledFallback, 0, len(s.Fallbacks))
	for i, f := range s.Fallbacks {
		c, err := f.compile(pl.providerNames())
		if err != nil {
			errs = append(errs, fmt.Errorf("fallbacks[%d].%w", i, err))
		}
		out = append(out, c)
	}
	return out, errors.Join(errs...)
}

func (f Fallback) compile(providers []string) (c compiledFallback, err error) {
	rule := ModelRule{Match: f.Match, Target: "none", Kind: f.Kind, IgnoreCase: f.IgnoreCase}
	if c.matches, err = rule.compile(); err != nil {
		return c, err
	}
	if len(f.Targets) == 0 {
		return c, fmt.Errorf("targets: must not be empty: %w", ErrConfig)
	}
	for i, name := range f.Targets {
		t, err := parseTarget(name, providers)
		if err != nil {
			return c, fmt.Errorf("targets[%d]: %w", i, err)
		}
		c.targets = append(c.targets, t)
	}
	switch f.Balance {
	case "", balanceInflight, balanceSticky:
		c.balance = f.Balance
		return c, nil
	default:
		return c, fmt.Errorf("balance: %q is neither least_inflight nor sticky: %w", f.Balance, ErrConfig)
	}
}

// parseTarget takes PROVIDER/MODEL apart: the longest provider that fits counts.
func parseTarget(name string, providers []string) (target, error) {
	var found target
	for _, p := range providers {
		if model, ok := strings.CutPrefix(name, p+"/"); ok && model != "" && len(p) > len(found.provider) {
			found = target{p, model}
		}
	}
	if found.provider != "" {
		return found, nil
	}
	provider, model, ok := strings.Cut(name, "/")
	if !ok || provider == "" || model == "" {
		return target{}, fmt.Errorf("%q is not PROVIDER/MODEL: %w", name, ErrConfig)
	}
	return target{}, fmt.Errorf("%q: no such provider%s: %w", name, nearest.Hint(provider, providers), ErrConfig)
}

func cloneFallbacks(list []Fallback) []Fallback {
	list = slices.Clone(list)
	for i := range list {
		list[i].Targets = slices.Clone(list[i].Targets)
	}
	return list
}

// fallback is the one that counts for a call, nil where there is none.
func (p *pipeline) fallback(call *Call) *compiledFallback {
	for i := range p.proxy.fallbacks {
		f := &p.proxy.fallbacks[i]
		if f.matches(call.ClientModel) || f.matches(p.name+"/"+call.chosen) {
			return f
		}
	}
	return nil
}

// targets are those that a call may go to besides the one that was chosen.
func (p *pipeline) targets(f *compiledFallback, call *Call) []target {
	chosen := target{p.name, call.chosen}
	out := make([]target, 0, len(f.targets)+1)
	for _, t := range f.targets {
		offered := p.others[t.provider] != nil
		if t != chosen && offered && p.mayCall(call, t.provider, t.model) {
			out = append(out, t)
		}
	}
	return out
}

// mayCall tells whether the caller may use the model of a provider. A name that tells another provider is that one's.
func (p *pipeline) mayCall(call *Call, provider, model string) bool {
	own := func(name string) string {
		if told, _, ok := strings.Cut(name, "/"); ok && told != provider && p.proxy.upstreams[told] != nil {
			return ""
		}
		return name
	}
	return call.Caller.mayCall(provider, own(model), own(call.ClientModel))
}

// answeredBy is the header that tells a client who has answered, where several could have.
const answeredBy = "X-Ccproxy-Answered-By"

// sign tells the client who is asked.
func (t *relay) sign() {
	t.w.Header()[answeredBy] = []string{t.name + "/" + headerSafe(t.call.chosen)}
}
