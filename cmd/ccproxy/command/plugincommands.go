package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy"
)

// attachPluginCommands adds the commands that plugins bring.
func (a *app) attachPluginCommands(root *cobra.Command) error {
	for _, m := range a.registry.Manifests() {
		specs := m.Commands
		for _, c := range m.AuthCommands {
			specs = append(specs, ccproxy.CommandSpec{
				Name: c.Name, Description: c.Description, Parent: "auth", Options: c.Options,
			})
		}
		for _, spec := range specs {
			if err := a.attach(root, m.Name, spec); err != nil {
				return fmt.Errorf("plugin %s: command %q: %w", m.Name, spec.Name, err)
			}
		}
	}
	return nil
}

func (a *app) attach(root *cobra.Command, plugin string, spec ccproxy.CommandSpec) error {
	parent := root
	for name := range strings.FieldsSeq(spec.Parent) {
		next := child(parent, name)
		if next == nil {
			next = group(name, "Commands of plugins")
			parent.AddCommand(next)
		}
		parent = next
	}
	if child(parent, spec.Name) != nil {
		return fmt.Errorf("%q has one of this name already: %w", parent.CommandPath(), ccproxy.ErrDuplicate)
	}
	cmd := &cobra.Command{
		Use: spec.Name, Short: spec.Description, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.runPluginCommand(cmd, plugin, spec, args) },
	}
	for _, o := range spec.Options {
		switch {
		case cmd.Flags().Lookup(o.Name) != nil:
			return fmt.Errorf("option %q: %w", o.Name, ccproxy.ErrDuplicate)
		case o.Switch:
			cmd.Flags().String(o.Name, o.Default, o.Description)
			cmd.Flags().Lookup(o.Name).NoOptDefVal = "true"
		default:
			cmd.Flags().String(o.Name, o.Default, o.Description)
		}
	}
	parent.AddCommand(cmd)
	return nil
}

func child(parent *cobra.Command, name string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// runPluginCommand starts what the command needs, and nothing that serves requests.
func (a *app) runPluginCommand(cmd *cobra.Command, plugin string, spec ccproxy.CommandSpec, args []string) error {
	flags := make(map[string]string)
	for _, o := range spec.Options {
		if f := cmd.Flags().Lookup(o.Name); f.Changed {
			flags[o.Name] = f.Value.String()
		}
	}
	ctx := cmd.Context()
	err := a.withPlugins(ctx, nil, []string{plugin}, func(p *ccproxy.Proxy) error {
		return p.RunCommand(ctx, plugin, spec.Name, ccproxy.Invocation{
			Args: args, Flags: flags, Stdin: a.Stdin, Stdout: a.Stdout, Stderr: a.Stderr,
		})
	})
	return interruptible(ctx, err)
}

// withPlugins starts plugins for a command and stops them after it.
func (a *app) withPlugins(
	ctx context.Context, override map[string]any, names []string, do func(*ccproxy.Proxy) error,
) error {
	file, err := a.load(override)
	if err != nil {
		return err
	}
	for _, w := range file.Warnings {
		fmt.Fprintln(a.Stderr, "warning:", w)
	}
	proxy, err := a.build(file.Settings, a.quietLogger(file.Logging),
		ccproxy.WithPublicURL(cmp.Or(file.Server.PublicURL, "http://"+dialable(file.Server))))
	if err != nil {
		return err
	}
	if err := proxy.StartOnly(ctx, names...); err != nil {
		return errors.Join(err, proxy.Shutdown(context.WithoutCancel(ctx)))
	}
	err = do(proxy)
	return errors.Join(err, proxy.Shutdown(context.WithoutCancel(ctx)))
}
