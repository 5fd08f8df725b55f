// Package command is the command line of ccproxy, for programs that link plugins of their own: they give their
// factories to [Run] and have all commands, with those of their plugins among them.
//
// Nothing happens before Run or the command that [New] makes is executed. Signals are the program's: it cancels the
// context.
package command

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy"
)

// Options is what the command line has of its program and process. The zero value of a field is what a process has.
type Options struct {
	// Factories are the plugins.
	Factories []ccproxy.Factory
	// Name is what the program is called in its own words. Empty means "ccproxy".
	Name string
	// Version is shown by --version. Empty means that of the library.
	Version string
	// Stdin, Stdout and Stderr are the streams. Nil means those of the process.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Environ holds the environment as NAME=VALUE. Nil means that of the process.
	Environ []string
	// Dir is where the search for the configuration begins. Empty means the working directory.
	Dir string
	// Hangup has the server read its configuration anew, as a daemon does on SIGHUP. Nil means never.
	Hangup <-chan os.Signal
	// OpenBrowser opens an address for the user. Nil means the system's browser, where there is one.
	OpenBrowser func(address string) error
	// ProxyOptions are given to every proxy that is built, after the command's own, so that they win.
	ProxyOptions []ccproxy.Option
}

// The exit codes of [Run].
const (
	// ExitOK means that all was done.
	ExitOK = 0
	// ExitFailure means that something failed.
	ExitFailure = 1
	// ExitUsage means that arguments or configuration are wrong, or that the user ended a command with Ctrl-C.
	ExitUsage = 2
)

// Run executes the command that args name, without the program's name among them. It tells on standard error what
// went wrong, and returns the exit code. serve runs until ctx ends.
func Run(ctx context.Context, o Options, args []string) (exit int) {
	a, root, err := tree(o)
	if err != nil {
		return report(o.withDefaults(), err)
	}
	defer a.shared.close()
	root.SetArgs(append([]string{}, args...)) // nil would be those of the process
	return report(o.withDefaults(), root.ExecuteContext(ctx))
}

// New makes the tree of commands, for programs that add commands of their own to it. Errors of executing it are to be
// shown by the caller; [Run] does. It fails if factories, or commands of plugins, are in each other's way. Connections
// to Redis, where a command has made some, stay open until the process ends.
func New(o Options) (*cobra.Command, error) {
	_, root, err := tree(o)
	return root, err
}

func tree(o Options) (*app, *cobra.Command, error) {
	a := &app{Options: o.withDefaults()}
	if err := a.registry.Register(a.Factories...); err != nil {
		return nil, nil, err
	}
	root := a.rootCommand()
	root.AddCommand(
		a.serveCommand(), a.authCommand(), a.pluginsCommand(), a.configCommand(), a.statusCommand(),
	)
	if err := a.attachPluginCommands(root); err != nil {
		return nil, nil, err
	}
	addCompletion(root)
	return a, root, nil
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "ccproxy"
	}
	if o.Version == "" {
		o.Version = ccproxy.Version
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	return o
}
