package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy/oauth"
)

func (a *app) refreshCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "refresh PROVIDER", Aliases: []string{"renew"}, Args: exactly(1),
		Short: "Replace the tokens of a login now",
		Long: "Replace the tokens of a login now. The server does so by itself when it is time; both can be done at\n" +
			"once, since they take turns.",
		ValidArgsFunction: a.providerNames,
	}
	asJSON, file := jsonFlag(cmd), fileFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.needsFile(cmd, *file); err != nil {
			return err
		}
		return a.withAccount(cmd, args[0], *file, func(ctx context.Context, acc *account) error {
			if err := acc.refresh(ctx); err != nil {
				return a.advise(acc, err)
			}
			s := statusOf(ctx, acc, time.Now())
			if *asJSON {
				return writeJSON(a.Stdout, s)
			}
			t := table{head: []string{"ACCOUNT", "EXPIRES AT", "EXPIRES IN", "ACCESS TOKEN", "REFRESH TOKEN", "SCOPES"}}
			expires := ""
			if !s.Expires.IsZero() {
				expires = atClock(s.Expires)
			}
			t.add(orDash(s.Account), orDash(expires), orDash(s.ExpiresIn),
				orDash(s.AccessToken), orDash(s.RefreshToken), strings.Join(s.Scopes, " "))
			return t.write(a.Stdout)
		})
	}
	return cmd
}

// advise tells what helps where only a login does.
func (a *app) advise(acc *account, err error) error {
	if errors.Is(err, oauth.ErrNoCredentials) {
		return fmt.Errorf("%s: %w, see \"%s auth login %s\"", acc.name, errNotLoggedIn, a.Name, acc.name)
	}
	if errors.Is(err, oauth.ErrNeedsLogin) {
		return fmt.Errorf("%w; log in with \"%s auth login %s\"", err, a.Name, acc.name)
	}
	return err
}

func (a *app) logoutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "logout PROVIDER", Short: "Revoke and delete a login", Args: exactly(1),
		Long: "Revoke a login at the provider, where that is possible, and delete it here in any case. The exit\n" +
			"code is 1 if the provider was not seen to revoke it.",
		ValidArgsFunction: a.providerNames,
	}
	file := fileFlag(cmd)
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.needsFile(cmd, *file); err != nil {
			return err
		}
		return a.withAccount(cmd, args[0], *file, func(ctx context.Context, acc *account) error {
			return a.logout(ctx, acc, *yes)
		})
	}
	return cmd
}

func (a *app) logout(ctx context.Context, acc *account, yes bool) error {
	_, err := acc.load(ctx)
	if errors.Is(err, oauth.ErrNoCredentials) {
		_, err := fmt.Fprintln(a.Stdout, acc.name+": nobody is logged in")
		return err
	}
	if !yes {
		if err := a.confirm(ctx, "Log out of "+acc.name+"?"); err != nil {
			return err
		}
	}
	_, canRevoke := acc.provider.(oauth.Revoker)
	err = acc.logout(ctx)
	if err != nil && !errors.Is(err, oauth.ErrNotRevoked) {
		return err
	}
	if _, loadErr := acc.load(ctx); !errors.Is(loadErr, oauth.ErrNoCredentials) {
		return errors.Join(err, errors.New("the login is still there"))
	}
	if _, writeErr := fmt.Fprintln(a.Stdout, "logged out of "+acc.name); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	if !canRevoke {
		fmt.Fprintln(a.Stderr, "The provider has no way to revoke tokens: the old ones are good until they end.")
	}
	return err
}

// confirm asks, on a terminal or in a pipe. No answer is a no.
func (a *app) confirm(ctx context.Context, question string) error {
	fmt.Fprint(a.Stderr, question+" [y/N] ")
	var in lines
	answer, err := in.next(ctx, a.Stdin)
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("nobody answered: --yes does it without asking")
	case err != nil:
		return err
	}
	switch strings.ToLower(answer) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was done")
}
