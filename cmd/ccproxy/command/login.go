package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/cli/browser"
	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/flow"
)

// login is the command that logs in, with its flags.
type login struct {
	app                       *app
	file                      *string
	noBrowser, manual, device bool
	force                     bool
}

func (a *app) loginCommand() *cobra.Command {
	l := &login{app: a}
	cmd := &cobra.Command{
		Use: "login PROVIDER", Short: "Log in to a provider", Args: exactly(1), RunE: l.run,
		ValidArgsFunction: a.providerNames,
		Long: "Log in to a provider: with a browser on this machine, which is opened if there is one; by a code\n" +
			"that is typed in on another device; or by a code, or the address the browser ended up at, that is\n" +
			"pasted here. What the provider prefers is done; if the browser's port is taken, or nobody comes back,\n" +
			"a code can be pasted. Ctrl-C ends the login, with exit code 2, and leaves everything as it was.",
	}
	l.file = fileFlag(cmd)
	f := cmd.Flags()
	f.BoolVar(&l.noBrowser, "no-browser", false, "show the address and open no browser")
	f.BoolVarP(&l.manual, "manual", "m", false, "paste the code, open no port")
	f.BoolVar(&l.device, "device", false, "type the code in on another device")
	f.BoolVar(&l.force, "force", false, "replace the file that --file names")
	return cmd
}

func (l *login) run(cmd *cobra.Command, args []string) error {
	if err := l.check(cmd); err != nil {
		return err
	}
	return l.app.withAccount(cmd, args[0], *l.file, func(ctx context.Context, acc *account) error {
		ui := &terminal{app: l.app}
		if !l.noBrowser {
			ui.open = l.app.opener()
		}
		run := flow.Login{UI: ui, Method: l.method(acc.provider, ui.open != nil)}
		creds, err := run.Run(ctx, acc.provider)
		if errors.Is(err, errors.ErrUnsupported) {
			return usageError(cmd, err)
		}
		if err != nil {
			return err
		}
		// A code works once: from here on, Ctrl-C comes too late.
		return l.keep(context.WithoutCancel(ctx), acc, creds)
	})
}

func (l *login) check(cmd *cobra.Command) error {
	if l.manual && l.device {
		return usageError(cmd, errors.New("--manual and --device are two different ways to log in"))
	}
	if *l.file == "" {
		if l.force {
			return usageError(cmd, errors.New("--force is of use with --file only"))
		}
		return nil
	}
	_, err := os.Stat(l.app.path(*l.file))
	switch {
	case err == nil && !l.force:
		return fmt.Errorf("%s is there already; --force replaces the login in it", *l.file)
	case err != nil && !os.IsNotExist(err):
		return err
	}
	return nil
}

// method is what the flags say. Without a browser here, waiting for one is of no use if there is another way.
func (l *login) method(p oauth.Provider, canOpen bool) flow.Method {
	methods := methodsOf(p)
	switch {
	case l.manual:
		return flow.Manual
	case l.device:
		return flow.Device
	case l.noBrowser, canOpen:
		return flow.Auto
	case methods.Device:
		return flow.Device
	default:
		return flow.Manual
	}
}

func (l *login) keep(ctx context.Context, acc *account, creds *oauth.Credentials) error {
	if err := acc.login(ctx, creds); err != nil {
		return fmt.Errorf("the provider agreed, but the login is lost: %w", err)
	}
	who := acc.name
	if creds.AccountID != "" {
		who += " as " + plain(creds.AccountID)
	}
	if acc.where != "" {
		who += ", kept in " + acc.where
	}
	if _, err := fmt.Fprintln(l.app.Stdout, "logged in to "+who); err != nil {
		return err
	}
	if acc.off {
		fmt.Fprintf(l.app.Stderr, "The server does not use it yet: turn it on with plugins.%s.enabled = true in the "+
			"configuration, or %s serve --enable-plugin %s\n", acc.plugin, l.app.Name, acc.plugin)
	}
	return nil
}

// opener is what opens a browser that the user can see, nil if there is none.
func (a *app) opener() func(string) error {
	switch {
	case a.OpenBrowser != nil:
		return a.OpenBrowser
	case a.variable("SSH_CONNECTION") != "" || a.variable("SSH_TTY") != "":
		return nil // it would open on the other machine
	case runtime.GOOS == "windows" || runtime.GOOS == "darwin",
		a.variable("DISPLAY") != "" || a.variable("WAYLAND_DISPLAY") != "":
		return browser.OpenURL
	}
	return nil
}
