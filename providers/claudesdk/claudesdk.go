// Package claudesdk is the provider that answers with the claude CLI that is installed: it runs the program, speaks to
// it over its standard streams as an agent's SDK does, and so answers with the CLI's own tools and account.
//
// # Configuration
//
// The table [plugins.claude_sdk]; see [Config]. The plugin is off unless it is enabled, since it runs a program that
// runs programs:
//
//	[plugins.claude_sdk]
//	enabled = true
//
// Without a CLI the plugin opts out. The CLI works in an empty directory of its own, reads no settings files, and gets
// few variables of this process. Files that a text names with an at sign are not attached, commands with a slash are
// text. Whether it may use a tool that its own rules leave open is asked of the service permissions; without that
// permission_default answers, which is no.
//
// # Routes
//
// POST /claude/sdk/v1/messages, /claude/sdk/v1/chat/completions and /claude/sdk/v1/responses, and the same below
// /claude/sdk/{session_id} for a session of the client's choice; /claude/sdk/v1/messages/count_tokens, which is an
// estimate, and /claude/sdk/v1/models.
//
// A session is named by the path, the query (session_id), a header such as X-Claude-Code-Session-Id, or the body
// (session_id, metadata.session_id, prompt_cache_key, metadata.user_id). Its CLI is kept for the next request if that
// goes on with the same conversation, and is then sent what is new. In any other case a CLI is started and told the
// whole conversation first: the client's history counts, not the CLI's memory. A session belongs to its caller.
//
// The system prompt, texts, images, documents, uses and results of tools, max_tokens, thinking and effort reach the
// CLI. Tools of the client and parameters of sampling do not, which X-CCProxy-Loss tells. Options of the CLI come in
// the member sdk_options or the header X-Claude-SDK-Options, a JSON object, as far as client_options allows.
//
// The answer is one message, also where the CLI asks its model several times. What the CLI does between is text in
// tags, such as <tool_use_sdk>, or blocks of the types tool_use_sdk, tool_result_sdk, system_message and
// result_message, or not shown, as message_mode says. Usage is that of all; usage.total_cost_usd is what the CLI says
// that it cost.
//
// # Hooks
//
// None of its own.
//
// # Services
//
// It uses permissions, a [Permissions], where there is one.
package claudesdk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// Name is the plugin's name; [Provider] that of the provider.
const (
	Name     = "claude_sdk"
	Provider = "claude/sdk"
)

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Kind: ccproxy.KindProvider, DefaultOff: true,
		Description:      "Claude, through the claude CLI that is installed",
		Config:           ccproxy.ConfigFor(DefaultConfig),
		Configure:        configure,
		OptionalRequires: []string{ServicePermissions},
		Providers: []ccproxy.ProviderSpec{{
			Name: Provider, Formats: []adapters.Format{adapters.AnthropicMessages}, Aliases: aliases(),
			New: func(pc *ccproxy.PluginContext) (ccproxy.Provider, error) {
				rt, err := ccproxy.RuntimeOf[*plugin](pc)
				if err != nil {
					return nil, err
				}
				return rt.provider, nil
			},
		}},
	}, func() ccproxy.Plugin { return &plugin{} })
}

// aliases are the paths of sessions.
func aliases() []ccproxy.PathAlias {
	var list []ccproxy.PathAlias
	for _, path := range []string{
		"/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/responses",
	} {
		list = append(list, ccproxy.PathAlias{Path: "/{session_id}" + path, Of: path})
	}
	return list
}

// configure refuses options that do not exist.
func configure(cfg any, _ *ccproxy.Manifest) error {
	c, ok := cfg.(*Config)
	if !ok {
		return nil
	}
	for i, name := range c.ClientOptions {
		if !slices.Contains(optionNames(), name) {
			key := fmt.Sprintf("plugins.%s.client_options[%d]", Name, i)
			return fmt.Errorf("%s: there is no option %q: %w", key, name, ccproxy.ErrConfig)
		}
	}
	return nil
}

// plugin is the runtime.
type plugin struct {
	provider *provider
	cli      ccproxy.CLI
	work     workdir
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(ctx context.Context, pc *ccproxy.PluginContext) error {
	c, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return err
	}
	if p.cli, err = findCLI(ctx, pc.CLI, c.CLIPath); err != nil {
		return err
	}
	asked, err := permissions(pc)
	if err != nil {
		return err
	}
	p.work.fixed = c.Cwd
	pr := &provider{
		config: c, path: p.cli.Path, logger: pc.Logger, permissions: asked, dir: p.work.path, spawn: pc.Go,
	}
	pr.pool = newPool(c.SessionPool, pr.end)
	p.provider = pr
	return nil
}

// findCLI finds the program. Without it the plugin has nothing to do.
func findCLI(ctx context.Context, detector ccproxy.CLIDetector, path string) (ccproxy.CLI, error) {
	if path != "" {
		found, err := exec.LookPath(path)
		if err != nil {
			return ccproxy.CLI{}, fmt.Errorf("plugins.%s.cli_path is no program: %w: %w", Name, err, ccproxy.ErrSkip)
		}
		return ccproxy.CLI{Path: found}, nil
	}
	cli, err := detector.Detect(ctx, "claude")
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, exec.ErrDot):
		return cli, fmt.Errorf("the claude CLI is not installed, or not in PATH: %w: %w", err, ccproxy.ErrSkip)
	default:
		return cli, err
	}
}

// Shutdown implements [ccproxy.Plugin]. It ends the CLIs.
func (p *plugin) Shutdown(ctx context.Context) error {
	if p.provider == nil {
		return nil
	}
	return errors.Join(p.provider.pool.close(ctx), p.work.remove())
}

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(context.Context) ccproxy.Health {
	if p.provider == nil {
		return ccproxy.Health{}
	}
	live, idle := p.provider.pool.counts()
	h := ccproxy.Health{Details: map[string]any{
		"has_adapter": true, "has_detection": true, "has_credentials": true, // the CLI's own
		"cli_version": p.cli.Version, "cli_path": p.cli.Path,
		"sessions": live, "sessions_idle": idle, "sessions_max": p.provider.config.SessionPool.MaxSessions,
	}}
	if live-idle >= p.provider.config.SessionPool.MaxSessions {
		h.Status, h.Output = ccproxy.HealthWarn, "all sessions of the CLI are at work"
	}
	return h
}

// workdir is the directory that the CLIs work in: the configured one, or one that is made when it is first needed.
type workdir struct {
	fixed string

	mu      sync.Mutex
	made    string
	removed bool
}

func (w *workdir) path() (string, error) {
	if w.fixed != "" {
		return w.fixed, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.removed {
		return "", os.ErrClosed
	}
	if w.made == "" {
		dir, err := os.MkdirTemp("", "ccproxy-claude-sdk-")
		if err != nil {
			return "", err
		}
		w.made = dir
	}
	return w.made, nil
}

func (w *workdir) remove() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.removed = true
	if w.made == "" {
		return nil
	}
	return os.RemoveAll(w.made)
}
