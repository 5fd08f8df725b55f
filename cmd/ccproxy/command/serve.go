package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ccproxy-go/ccproxy/config"
)

// serve is the command that serves, with its flags.
type serve struct {
	app                    *app
	host, port, level      string
	logFile, token         string
	enablePlugin, turnOffs []string
	reload                 bool
}

func (a *app) newServe() *serve { return &serve{app: a} }

func (a *app) serveCommand() *cobra.Command {
	s := a.newServe()
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve until it is told to stop",
		Long: "Serve until it is told to stop, by Ctrl-C or SIGTERM: running requests get server.shutdown_timeout\n" +
			"to end, a second signal ends the program at once.\n\n" +
			"Flags win over the environment, and that over the configuration file. A changed file is taken over\n" +
			"while requests run, a wrong one is logged and changes nothing; SIGHUP has it read at once.\n\n" +
			"Without a key it listens on this machine only. A key is better set in the environment, as\n" +
			"SECURITY__AUTH_TOKEN, or in the file: everybody on the machine can see the flags of programs.",
		Args: exactly(0),
		RunE: s.run,
	}
	s.flags(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("enable-plugin", a.pluginNames)
	_ = cmd.RegisterFlagCompletionFunc("disable-plugin", a.pluginNames)
	levels := []string{"trace", "debug", "info", "warn", "error"}
	_ = cmd.RegisterFlagCompletionFunc("log-level",
		cobra.FixedCompletions(levels, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (s *serve) flags(f *pflag.FlagSet) {
	f.StringVar(&s.host, "host", "", "listen on this `HOST` (server.host)")
	f.StringVarP(&s.port, "port", "p", "", "listen on port `N`; 0 picks a free one (server.port)")
	f.StringVar(&s.level, "log-level", "",
		"log from this `LEVEL` on: trace, debug, info, warn or error (logging.level)")
	f.StringVar(&s.logFile, "log-file", "", "log to `FILE` too, in JSON")
	f.StringVar(&s.token, "auth-token", "", "ask clients for this `KEY` (security.auth_token)")
	f.StringArrayVar(&s.enablePlugin, "enable-plugin", nil, "turn plugin `NAME` on; may be repeated")
	f.StringArrayVar(&s.turnOffs, "disable-plugin", nil, "turn plugin `NAME` off; may be repeated")
	f.BoolVar(&s.reload, "reload", true, "take over changes of the configuration file")
}

func (s *serve) run(cmd *cobra.Command, _ []string) error {
	options, err := s.options(cmd)
	if err != nil {
		return err
	}
	return s.serve(cmd.Context(), options)
}

func (s *serve) serve(ctx context.Context, options config.Options) error {
	srv := &server{app: s.app, options: options, logFile: s.logFile, reload: s.reload}
	if err := srv.open(ctx); err != nil {
		return nameFlags(err)
	}
	defer srv.log.Close()
	if err := srv.banner().write(s.app.Stdout); err != nil {
		return srv.abandon(ctx, err)
	}
	return srv.serve(ctx)
}

// flagKeys are the keys that flags set.
func flagKeys() map[string]string {
	return map[string]string{
		"host": "server.host", "port": "server.port", "log-level": "logging.level", "auth-token": "security.auth_token",
	}
}

// options makes values of the flags that win over file and environment.
func (s *serve) options(cmd *cobra.Command) (config.Options, error) {
	override := make(map[string]any)
	for flag, key := range flagKeys() {
		if f := cmd.Flags().Lookup(flag); f.Changed {
			override[key] = f.Value.String()
		}
	}
	for _, name := range slices.Concat(s.enablePlugin, s.turnOffs) {
		if err := s.app.checkPlugin(cmd, name); err != nil {
			return config.Options{}, err
		}
	}
	for _, name := range s.turnOffs {
		if slices.Contains(s.enablePlugin, name) {
			return config.Options{}, usageError(cmd, fmt.Errorf("plugin %q is to be on and off", name))
		}
		override["plugins."+name+".enabled"] = false
	}
	for _, name := range s.enablePlugin {
		override["plugins."+name+".enabled"] = true
	}
	if len(s.enablePlugin) > 0 {
		if err := s.enlist(override); err != nil {
			return config.Options{}, err
		}
	}
	return s.app.loadOptions(override), nil
}

// enlist puts plugins on the allow list, if there is one, and takes them off the deny list: their own switch counts
// less than these.
func (s *serve) enlist(override map[string]any) error {
	file, err := s.app.load(override)
	if err != nil {
		return nameFlags(err)
	}
	if allowed := file.Settings.EnabledPlugins; allowed != nil {
		override["enabled_plugins"] = append(slices.Clone(allowed), s.enablePlugin...)
	}
	denied := slices.Clone(file.Settings.DisabledPlugins)
	kept := slices.DeleteFunc(denied, func(name string) bool { return slices.Contains(s.enablePlugin, name) })
	if len(kept) < len(file.Settings.DisabledPlugins) {
		override["disabled_plugins"] = kept
	}
	return nil
}

// flagError is what is wrong with a configuration, in the words of the command line.
type flagError struct {
	text string
	err  error
}

// Error tells it.
func (e *flagError) Error() string { return e.text }

// Unwrap gives the error in the words of package config.
func (e *flagError) Unwrap() error { return e.err }

// nameFlags calls the keys that flags set by the names of the flags.
func nameFlags(err error) error {
	mistakes, ok := errors.AsType[config.KeyErrors](err)
	if one, isOne := errors.AsType[*config.KeyError](err); !ok && isOne {
		mistakes, ok = config.KeyErrors{one}, true
	}
	if !ok {
		return err
	}
	lines := make([]string, len(mistakes))
	for i, m := range mistakes {
		lines[i] = m.Error()
		if m.Origin.Source != config.SourceOverride {
			continue
		}
		lines[i] = m.Key + ": " + m.Problem
		for flag, key := range flagKeys() {
			if m.Key == key {
				lines[i] = "--" + flag + ": " + m.Problem
			}
		}
	}
	return &flagError{text: strings.Join(lines, "\n"), err: err}
}

// joinLines makes one line of an error.
func joinLines(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
