package command

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

func (a *app) authCommand() *cobra.Command {
	cmd := group("auth", "Log in to providers, and out",
		a.authProvidersCommand(), a.loginCommand(), a.authStatusCommand(), a.refreshCommand(), a.logoutCommand())
	cmd.Long = "Log in to providers, and out.\n\n" +
		"Logins are kept in files that only you can read, below --credentials, unless the provider's plugin has a\n" +
		"place of its own; --file has a command use another file. Nothing is served meanwhile: only the plugin of\n" +
		"the provider is started."
	return cmd
}

// account is one login with what commands do to it.
type account struct {
	name     string
	provider oauth.Provider
	where    string // for people: where it is kept; "" if only the plugin knows
	plugin   string
	off      bool // the configuration leaves the plugin off

	load    func(context.Context) (*oauth.Credentials, error)
	login   func(context.Context, *oauth.Credentials) error
	refresh func(context.Context) error
	logout  func(context.Context) error
}

// errNoHome means that there is no place for logins.
var errNoHome = errors.New("no place for logins: neither HOME nor XDG_CONFIG_HOME is set, use --credentials or --redis")

// withAccount starts the plugin of a provider and nothing more, and stops it after do. file is where the login is kept
// instead of its usual place.
func (a *app) withAccount(cmd *cobra.Command, name, file string, do func(context.Context, *account) error) error {
	ctx := cmd.Context()
	target, err := a.findProvider(name)
	if err != nil {
		return usageError(cmd, err)
	}
	if file == "" && a.credentialsDir() == "" && a.shared.address == "" && a.variable(redisVariable) == "" {
		return errNoHome
	}
	override, off, err := a.switchOn(target.plugin)
	if err != nil {
		return err
	}
	err = a.withPlugins(ctx, override, []string{target.plugin}, func(p *ccproxy.Proxy) error {
		provider, err := p.OAuth().Provider(target.name)
		if err != nil {
			return err
		}
		acc := &account{name: target.name, plugin: target.plugin, provider: provider, off: off}
		if file == "" {
			acc.keptBy(p.OAuth())
			return do(ctx, acc)
		}
		manager, err := acc.keptIn(a.path(file))
		if err != nil {
			return err
		}
		err = do(ctx, acc)
		return errors.Join(err, manager.Shutdown(context.WithoutCancel(ctx)))
	})
	return interruptible(ctx, err)
}

// switchOn turns a plugin on for one command, unless somebody turned it off.
func (a *app) switchOn(plugin string) (override map[string]any, off bool, err error) {
	for _, m := range a.registry.Manifests() {
		if m.Name != plugin || !m.DefaultOff {
			continue
		}
		file, err := a.load(nil)
		if err != nil {
			return nil, false, err
		}
		resolution, err := a.registry.ResolveDependencies(file.Settings)
		if err != nil {
			return nil, false, err
		}
		for _, s := range resolution.Skipped {
			off = off || s.Plugin == plugin && errors.Is(s.Reason, ccproxy.ErrDisabled)
		}
		key := "plugins." + plugin + ".enabled"
		if origin, _ := file.Provenance(key); off && origin.Source == 0 {
			return map[string]any{key: true}, true, nil
		}
	}
	return nil, false, nil
}

// keptBy uses the proxy's own place.
func (acc *account) keptBy(logins *ccproxy.OAuth) {
	acc.load = func(ctx context.Context) (*oauth.Credentials, error) { return logins.Credentials(ctx, acc.name) }
	acc.login = func(ctx context.Context, c *oauth.Credentials) error { return logins.Login(ctx, acc.name, c) }
	acc.refresh = func(ctx context.Context) error { return logins.Refresh(ctx, acc.name) }
	acc.logout = func(ctx context.Context) error { return logins.Logout(ctx, acc.name) }
}

// keptIn uses a file, in the shape of the vendor's own command where there is one.
func (acc *account) keptIn(path string) (*oauth.TokenManager, error) {
	file := &store.File{Path: path, ID: acc.name, Shape: shapeOf(acc.name)}
	manager := new(oauth.TokenManager)
	_, err := manager.Add(oauth.Account{ID: acc.name, Provider: acc.provider, Store: file})
	if err != nil {
		return nil, err
	}
	acc.where = path
	acc.load = func(ctx context.Context) (*oauth.Credentials, error) { return file.Load(ctx, acc.name) }
	acc.login = func(ctx context.Context, c *oauth.Credentials) error { return manager.Login(ctx, acc.name, c) }
	acc.refresh = func(ctx context.Context) error {
		_, err := manager.Refresh(ctx, acc.name)
		return err
	}
	acc.logout = func(ctx context.Context) error { return manager.Logout(ctx, acc.name) }
	return manager, nil
}

func shapeOf(provider string) store.Shape {
	switch family(provider) {
	case "claude":
		return store.Claude{}
	case "codex":
		return store.Codex{}
	default:
		return nil
	}
}

// fileFlag adds the flag that names another place for a login.
func fileFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("file", "", "use the login in `PATH` instead of the usual place")
}

// needsFile refuses a file that is not there.
func (a *app) needsFile(cmd *cobra.Command, path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Stat(a.path(path)); err != nil {
		return usageError(cmd, fmt.Errorf("--file: %w", err))
	}
	return nil
}
