// Package maxtokens keeps the limit of tokens that requests set within what their model can give, and sets one
// where the upstream has to have it and the client sent none.
//
// The limit is the member max_tokens in Anthropic's dialect, max_completion_tokens in Chat Completions and
// max_output_tokens in Responses. Clients of the latter two also use the older max_tokens or each other's name, and
// servers differ in which one counts: each that a request has is kept within the limit. It is changed in place: all
// other bytes of the request stay as they are, so that prompt caches hold. A limit that is no whole number above zero
// is left for the upstream to refuse, and so is one of a model whose limit nobody knows.
//
// Anthropic's API wants the limit to be larger than the budget for thinking. Where a limit is lowered below that, the
// budget becomes the same share of it as before, 1024 at least; with a limit of 1024 or less nothing is thought.
//
// # Configuration
//
// The table [plugins.max_tokens]; see [Config]. The plugin is off by default.
//
//	[plugins.max_tokens]
//	enabled = true
//	limits = { "house-*" = 8192 }
//
// # Routes
//
// None.
//
// # Hooks
//
// max_tokens is a mutator of provider.request.prepared, with priority 500. A request goes on unchanged if it
// fails. Each change is a line in the log, with the reason missing, exceeded or enforced, and the event
// custom.event with the name "max_tokens.changed" and a [Change].
//
// # Services
//
// It uses pricing, if that is there, for the limits of models.
package maxtokens

import (
	"context"
	"errors"
	"log/slog"
	"strconv"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Name is the plugin's name.
const Name = "max_tokens"

const (
	priority = 500
	pricing  = "pricing"
)

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Description: "Keeps token limits of requests within those of models",
		DefaultOff: true, OptionalRequires: []string{pricing},
		Config: ccproxy.ConfigFor(DefaultConfig),
		Hooks: []ccproxy.HookSpec{{
			Priority: priority, ReadOnly: true,
			New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
				p, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return hooks.Mutate(Name, p.prepare), nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// limits is what the plugin needs of the service pricing.
type limits interface {
	OutputLimit(model string) (tokens int64, ok bool)
}

// plugin is the runtime. Its fields do not change once it is initialized.
type plugin struct {
	cfg    *Config
	logger *slog.Logger
	hooks  ccproxy.HookRegistry
	models limits // nil without pricing
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) (err error) {
	if p.cfg, err = ccproxy.ConfigOf[Config](pc); err != nil {
		return err
	}
	p.logger, p.hooks = pc.Logger, pc.Hooks
	p.models, err = ccproxy.ServiceOf[limits](pc, pricing)
	if errors.Is(err, ccproxy.ErrUnknownService) {
		return nil
	}
	return err
}

// Shutdown implements [ccproxy.Plugin].
func (*plugin) Shutdown(context.Context) error { return nil }

// Change is what was changed of a request.
type Change struct {
	// RequestID, Provider and Model say which request it was.
	RequestID, Provider, Model string
	// Field is the member of the request that holds the limit, or "thinking.budget_tokens".
	Field string
	// Reason is "missing", "exceeded" or "enforced".
	Reason string
	// From is what the client asked for, zero if nothing; To is what was sent.
	From, To int64
}

// prepare is the mutator.
func (p *plugin) prepare(ctx context.Context, req *hooks.PreparedRequest) error {
	if req.Operation != string(ccproxy.OpGenerate) || !p.cfg.concerns(req.Provider) {
		return nil
	}
	for _, c := range p.decide(req) {
		if !req.SetMember(c.Field, strconv.AppendInt(nil, c.To, 10)) {
			continue // the upstream refuses what is not JSON
		}
		p.tell(ctx, c)
		if c, ok := fitThinking(req, c); ok {
			p.tell(ctx, c)
		}
	}
	return nil
}

// decide says what is to change. A request may set its limit by several names: servers differ in which one counts.
func (p *plugin) decide(req *hooks.PreparedRequest) (changes []Change) {
	names, required := fields(req)
	if len(names) == 0 {
		return nil
	}
	limit, known := p.limit(req)
	missing := true
	c := Change{RequestID: req.RequestID, Provider: req.Provider, Model: req.Model}
	for _, c.Field = range names {
		raw, set := req.Member(c.Field)
		if !set || string(raw) == "null" {
			continue
		}
		missing = false
		if p.exceeds(&c, raw, limit) && known {
			changes = append(changes, c)
		}
	}
	if !missing || p.cfg.Fill == FillNever || p.cfg.Fill == FillRequired && !required {
		return changes
	}
	c.Field, c.Reason, c.From, c.To = names[0], "missing", 0, limit
	if !known {
		c.To = p.cfg.FallbackMaxTokens + thinking(req)
	}
	return []Change{c}
}

// exceeds tells whether a limit that a client has set is to be changed, and notes how.
func (p *plugin) exceeds(c *Change, raw []byte, limit int64) bool {
	var whole bool
	c.From, whole = rawjson.Whole(raw)
	c.Reason, c.To = "exceeded", limit
	if p.cfg.EnforceMode {
		c.Reason = "enforced"
	}
	return whole && c.From >= 1 && (c.From > limit || p.cfg.EnforceMode && c.From != limit)
}

// fields are where a request may hold its limit, none in an unknown dialect; the first is the name that the dialect has
// for it today. required tells that there has to be one.
func fields(req *hooks.PreparedRequest) (names []string, required bool) {
	const chat, responses, old = "max_completion_tokens", "max_output_tokens", "max_tokens"
	switch adapters.Format(req.Format) {
	case adapters.AnthropicMessages:
		return []string{old}, true
	case adapters.OpenAIResponses:
		return []string{responses, chat, old}, false
	case adapters.OpenAIChatCompletions:
		return []string{chat, old, responses}, false
	}
	return nil, false
}

// limit finds the limit of the model that a request is for.
func (p *plugin) limit(req *hooks.PreparedRequest) (tokens int64, known bool) {
	for _, name := range [...]string{req.Provider + "/" + req.Model, req.Model} {
		if tokens, known = p.cfg.limit(name); known {
			return tokens, true
		}
	}
	if p.models == nil {
		return 0, false
	}
	return p.models.OutputLimit(req.Model)
}

func (p *plugin) tell(ctx context.Context, c Change) {
	if p.cfg.LogModifications {
		p.logger.LogAttrs(ctx, slog.LevelInfo, "token limit changed",
			slog.String("request_id", c.RequestID), slog.String("provider", c.Provider), slog.String("model", c.Model),
			slog.String("field", c.Field), slog.String("reason", c.Reason),
			slog.Int64("from", c.From), slog.Int64("to", c.To))
	}
	if p.hooks.Enabled(hooks.EventCustom) {
		p.hooks.Emit(hooks.Context{
			RequestID: c.RequestID, Provider: c.Provider, Payload: &hooks.Custom{Name: Name + ".changed", Data: c},
		})
	}
}
