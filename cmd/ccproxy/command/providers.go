package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// target is an OAuth provider and the plugin that brings it.
type target struct{ name, plugin string }

// targets lists the providers that plugins declare, by name.
func (a *app) targets() []target {
	var all []target
	for _, m := range a.registry.Manifests() {
		for _, p := range m.OAuthProviders {
			all = append(all, target{name: p.Name, plugin: m.Name})
		}
	}
	slices.SortFunc(all, func(a, b target) int { return strings.Compare(a.name, b.name) })
	return all
}

// family is one word for the names by which people know a provider, or the name itself.
func family(name string) string {
	switch name = strings.ReplaceAll(strings.ToLower(name), "_", "-"); name {
	case "claude", "claude-api", "anthropic", "oauth-claude":
		return "claude"
	case "codex", "openai", "openai-api", "chatgpt", "oauth-codex":
		return "codex"
	case "copilot", "github-copilot", "oauth-copilot":
		return "copilot"
	default:
		return name
	}
}

// findProvider knows providers by their names, by their plugins' names, and by what people call them.
func (a *app) findProvider(name string) (target, error) {
	all := a.targets()
	for _, same := range []func(target) bool{
		func(t target) bool { return t.name == name },
		func(t target) bool { return t.plugin == name },
		func(t target) bool { return family(t.name) == family(name) || family(t.plugin) == family(name) },
	} {
		if i := slices.IndexFunc(all, same); i >= 0 {
			return all[i], nil
		}
	}
	if len(all) == 0 {
		return target{}, fmt.Errorf("no provider %q: no plugin of this program brings any", name)
	}
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.name
	}
	return target{}, fmt.Errorf("no provider %q: there are %s", name, strings.Join(names, ", "))
}

// providerNames completes names of providers.
func (a *app) providerNames(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, t := range a.targets() {
		if len(args) == 0 {
			names = append(names, t.name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// providerRow is a provider as the listing shows it.
type providerRow struct {
	Provider    string `json:"provider"`
	DisplayName string `json:"display_name"`
	AuthType    string `json:"auth_type"`
	Plugin      string `json:"plugin"`
	// Enabled tells whether the server uses the plugin too.
	Enabled     bool   `json:"enabled"`
	Description string `json:"description,omitempty"`
	Error       string `json:"error,omitempty"`
}

func (a *app) authProvidersCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "providers", Short: "List the providers that have logins", Args: exactly(0)}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		rows := []providerRow{}
		for _, t := range a.targets() {
			row, err := a.describe(cmd.Context(), t)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		if *asJSON {
			return writeJSON(a.Stdout, rows)
		}
		t := table{head: []string{"PROVIDER", "NAME", "LOGIN", "PLUGIN", "SERVED", "DESCRIPTION"}}
		for _, r := range rows {
			served := "yes"
			if !r.Enabled {
				served = "no"
			}
			description := r.Description
			if r.Error != "" {
				description = r.Error
			}
			t.add(r.Provider, orDash(r.DisplayName), orDash(r.AuthType), r.Plugin, served, description)
		}
		return t.write(a.Stdout)
	}
	return cmd
}

// describe asks a provider who it is. One that does not start is listed with the reason.
func (a *app) describe(ctx context.Context, t target) (providerRow, error) {
	row := providerRow{Provider: t.name, Plugin: t.plugin, Enabled: true}
	override, off, err := a.switchOn(t.plugin)
	if err != nil {
		return row, err
	}
	row.Enabled = !off
	err = a.withPlugins(ctx, override, []string{t.plugin}, func(p *ccproxy.Proxy) error {
		provider, err := p.OAuth().Provider(t.name)
		if err != nil {
			return err
		}
		info := provider.Info()
		row.DisplayName, row.Description = info.DisplayName, info.Description
		row.AuthType = strings.Join(loginTypes(provider), ", ")
		return nil
	})
	if errors.Is(err, ccproxy.ErrConfig) && !errors.Is(err, ccproxy.ErrDisabled) {
		return row, err
	}
	if err != nil {
		row.Enabled, row.Error = false, joinLines(err)
	}
	return row, nil
}

// loginTypes tells in words how users log in.
func loginTypes(p oauth.Provider) []string {
	var types []string
	add := func(yes bool, name string) {
		if yes {
			types = append(types, name)
		}
	}
	m := methodsOf(p)
	add(m.LoopbackURI != "", "browser")
	add(m.Device, "device")
	add(true, "code")
	add(p.Info().SupportsPKCE, "PKCE")
	return types
}

func methodsOf(p oauth.Provider) oauth.LoginMethods {
	if d, ok := p.(oauth.LoginDescriber); ok {
		return d.LoginMethods()
	}
	return oauth.LoginMethods{}
}
