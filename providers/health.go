package providers

import (
	"context"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// Health tells what the provider consists of, without asking the upstream. The program of Upstream.CLI is looked
// for in the background, when somebody first asks.
//
// Credentials that are an OAuth account ([FromSource]) are looked at: without a login they are none.
func (p *Provider) Health(ctx context.Context) ccproxy.Health {
	details := map[string]any{
		"has_adapter": true, "has_detection": p.upstream.CLI != "", "has_credentials": p.upstream.Credentials != nil,
		"cli_version": nil, "cli_path": nil,
	}
	if p.upstream.CLI != "" {
		if cli := p.cli.Load(); cli != nil {
			details["cli_version"], details["cli_path"] = cli.Version, cli.Path
		} else if p.looking.CompareAndSwap(false, true) {
			p.pc.Go("cli detection", p.detect)
		}
	}
	h := health{ccproxy.Health{Details: details}}
	if account, ok := p.upstream.Credentials.(AccountReporter); ok {
		if status, known := account.Account(ctx); known {
			h.addAccount(status)
		}
	}
	return h.Health
}

// AccountReporter is implemented by [Credentials] that are an OAuth account, as those of [FromSource] are.
type AccountReporter interface {
	// Account tells how the account is, without a refresh; known is false where nobody knows. It is called
	// concurrently, for health checks, and ends with ctx.
	Account(ctx context.Context) (status oauth.Status, known bool)
}

// health is what a provider tells of itself.
type health struct{ ccproxy.Health }

func (h *health) addAccount(status oauth.Status) {
	switch status.State {
	case oauth.StateNoCredentials, oauth.StateNeedsLogin, oauth.StateCorrupt:
		h.Details["has_credentials"] = false
	default:
	}
	h.Details["account"], h.Details["account_state"] = status.ID, status.State
	if h.Status = ccproxy.AccountHealth(status.State); h.Status != ccproxy.HealthPass {
		h.Output = "account " + status.ID + ": " + string(status.State)
	}
}

func (p *Provider) detect(ctx context.Context) {
	defer p.looking.Store(false)
	cli, err := p.pc.CLI.Detect(ctx, p.upstream.CLI)
	if err != nil {
		p.pc.Logger.DebugContext(ctx, "command-line program not found", "program", p.upstream.CLI, "error", err)
		return
	}
	p.cli.Store(&cli)
}
