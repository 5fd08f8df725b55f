package providers

import (
	"context"

	"github.com/ccproxy-go/ccproxy"
)

// Health tells what the provider consists of, without asking the upstream. The program of Upstream.CLI is looked
// for in the background, when somebody first asks.
func (p *Provider) Health(context.Context) ccproxy.Health {
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
	return ccproxy.Health{Details: details}
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
