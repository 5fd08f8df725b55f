package ccproxy

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

// RunCommand runs a command, or an auth command, of a plugin that is active; [Proxy.StartOnly] starts what it needs.
// Options that inv does not set have their defaults; one that the command does not declare is an error. Streams
// that are nil are empty or discarded.
func (p *Proxy) RunCommand(ctx context.Context, plugin, name string, inv Invocation) error {
	fail := func(err error) error { return &PluginError{Plugin: plugin, Op: "command " + name, Err: err} }
	r := p.byName[plugin]
	if r == nil {
		return fail(p.absent(plugin))
	}
	if !r.is(stateActive) {
		return fail(fmt.Errorf("plugin is %s: %w", r.status().State, ErrState))
	}
	spec, ok := r.manifest.command(name)
	if !ok {
		return fail(ErrUnknownCommand)
	}
	inv, err := spec.complete(inv)
	if err != nil {
		return fail(err)
	}
	run, err := spec.New(r.pc)
	if err != nil {
		return fail(err)
	}
	if err := guardCall(func() error { return run(ctx, inv) }); err != nil {
		return fail(err)
	}
	return nil
}

// command finds a command by its name, or an auth command.
func (m Manifest) command(name string) (CommandSpec, bool) {
	for _, c := range m.Commands {
		if c.Name == name {
			return c, true
		}
	}
	for _, c := range m.AuthCommands {
		if c.Name == name {
			return CommandSpec{
				Name: c.Name, Description: c.Description, Parent: "auth", Options: c.Options, New: c.New,
			}, true
		}
	}
	return CommandSpec{}, false
}

// complete checks the options of an invocation and adds the defaults.
func (s CommandSpec) complete(inv Invocation) (Invocation, error) {
	flags := make(map[string]string, len(s.Options))
	var names []string
	for _, o := range s.Options {
		names = append(names, o.Name)
		flags[o.Name] = o.Default
		if o.Switch && o.Default == "" {
			flags[o.Name] = "false"
		}
		value, given := inv.Flags[o.Name]
		if !given {
			continue
		}
		if _, err := strconv.ParseBool(value); o.Switch && err != nil {
			return inv, fmt.Errorf("option %s: must be true or false", o.Name)
		}
		flags[o.Name] = value
	}
	for name := range inv.Flags {
		if _, known := flags[name]; !known {
			return inv, fmt.Errorf("option %s: unknown%s", name, nearest.Hint(name, names))
		}
	}
	inv.Flags = flags
	if inv.Stdin == nil {
		inv.Stdin = strings.NewReader("")
	}
	if inv.Stdout == nil {
		inv.Stdout = io.Discard
	}
	if inv.Stderr == nil {
		inv.Stderr = io.Discard
	}
	return inv, nil
}
