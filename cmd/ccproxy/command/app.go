package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// app is one tree of commands.
type app struct {
	Options
	registry ccproxy.Registry

	// What the flags of all commands say.
	configPath  string
	credentials string

	shared replicas
}

func (a *app) rootCommand() *cobra.Command {
	serve := a.newServe()
	root := &cobra.Command{
		Use:   a.Name,
		Short: "A proxy between the clients and the APIs of language models",
		Long: "A proxy between the clients and the APIs of language models.\n\n" +
			"Without a command it serves, as \"" + a.Name + " serve\" does.",
		Version: a.Version,
		Args:    noCommand,
		RunE:    serve.run,
		// What went wrong is told by Run, without a page of usage that hides it.
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(usageError)
	root.Flags().BoolP("version", "V", false, "show the version")
	all := root.PersistentFlags()
	all.StringVarP(&a.configPath, "config", "c", "", "read the TOML `FILE` instead of the first that is found")
	all.StringVar(&a.credentials, "credentials", "", "keep logins in `DIR` (default ccproxy/credentials in the "+
		"user's configuration directory)")
	all.StringVar(&a.shared.address, "redis", "", "share logins and their refreshes with other replicas in Redis at "+
		"`URL` (or "+redisVariable+", which keeps its password out of the list of processes)")
	serve.flags(root.Flags())
	return root
}

// group makes a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// noCommand refuses arguments where a command was expected.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	return usageError(cmd, fmt.Errorf("unknown command %q%s", args[0], hint))
}

// exactly is cobra's check of the number of arguments.
func exactly(n int) cobra.PositionalArgs { return asUsage(cobra.ExactArgs(n)) }

func atMost(n int) cobra.PositionalArgs { return asUsage(cobra.MaximumNArgs(n)) }

func asUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError(cmd, err)
		}
		return nil
	}
}

// loadOptions says where the configuration is, with values that win over it.
func (a *app) loadOptions(override map[string]any) config.Options {
	return config.Options{Path: a.configPath, Dir: a.Dir, Environ: a.Environ, Override: override}
}

// load reads the configuration.
func (a *app) load(override map[string]any) (*config.File, error) {
	return config.Load(&a.registry, a.loadOptions(override))
}

// variable looks a variable up in the environment; the last one counts.
func (a *app) variable(name string) string {
	value := ""
	for _, entry := range a.Environ {
		if key, v, ok := strings.Cut(entry, "="); ok && key == name {
			value = v
		}
	}
	return value
}

// pluginNames completes names of plugins.
func (a *app) pluginNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	manifests := a.registry.Manifests()
	names := make([]string, 0, len(manifests))
	for _, m := range manifests {
		names = append(names, m.Name+"\t"+m.Description)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
