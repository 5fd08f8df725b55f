package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// loginStatus is a login as commands show it.
type loginStatus struct {
	Provider        string         `json:"provider"`
	State           string         `json:"state"` // valid, expired, refreshable, none, corrupt
	Account         string         `json:"account_id,omitempty"`
	Expires         time.Time      `json:"expires_at,omitzero"`
	ExpiresIn       string         `json:"expires_in,omitempty"`
	Scopes          []string       `json:"scopes,omitempty"`
	HasRefreshToken bool           `json:"has_refresh_token"`
	HasIDToken      bool           `json:"has_id_token"`
	AccessToken     string         `json:"access_token,omitempty"` // a preview
	RefreshToken    string         `json:"refresh_token,omitempty"`
	Details         map[string]any `json:"details,omitempty"`
	File            string         `json:"file,omitempty"`
	Error           string         `json:"error,omitempty"`
}

// statusOf looks at what is stored. Nothing is refreshed.
func statusOf(ctx context.Context, acc *account, now time.Time) loginStatus {
	s := loginStatus{Provider: acc.name, File: acc.where}
	c, err := acc.load(ctx)
	switch {
	case errors.Is(err, oauth.ErrNoCredentials):
		s.State = "none"
		return s
	case err != nil:
		s.State, s.Error = "unreadable", joinLines(err)
		return s
	}
	s.Account, s.Expires, s.Scopes = c.AccountID, c.Expiry, c.Scopes
	s.HasRefreshToken, s.HasIDToken = !c.RefreshToken.IsZero(), !c.IDToken.IsZero()
	switch {
	case !c.Expired(now, 0):
		s.State = "valid"
	case s.HasRefreshToken && acc.provider.Info().SupportsRefresh:
		s.State = "refreshable" // the next use replaces the token
	default:
		s.State = "expired"
	}
	if !c.Expiry.IsZero() {
		s.ExpiresIn = remaining(c.Expiry.Sub(now))
	}
	s.AccessToken, s.RefreshToken = preview(c.AccessToken), preview(c.RefreshToken)
	if p, ok := acc.provider.(oauth.Summarizer); ok {
		s.Details = p.Summary(c)
	}
	return s
}

// preview is what of a token may be shown, so that two can be told apart.
func preview(t oauth.Secret) string {
	const shown, least = 4, 24
	text := t.Reveal()
	switch {
	case text == "":
		return ""
	case len(text) < least:
		return "***"
	}
	return "***" + plain(text[len(text)-shown:])
}

// remaining says a time in its two largest units.
func remaining(d time.Duration) string {
	if d <= 0 {
		return "expired"
	}
	if d < time.Second {
		return "<1s"
	}
	var parts []string
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := int(d / u.size); n > 0 && len(parts) < 2 {
			parts = append(parts, strconv.Itoa(n)+u.name)
			d %= u.size
		} else if len(parts) > 0 {
			break
		}
	}
	return strings.Join(parts, " ")
}

// atClock writes a time as the user's clock shows it.
func atClock(t time.Time) string {
	return t.Local().Format(time.RFC3339) //nolint:gosmopolitan // this is for the person at the terminal
}

// errNotLoggedIn gives the exit code of a status that is bad news, which was told already.
var errNotLoggedIn = errors.New("not logged in")

func (a *app) authStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status [PROVIDER]", Short: "Show the login of a provider, or of all", Args: atMost(1),
		Long: "Show the login of a provider, or of all, as it is stored: nothing is refreshed, and the server that\n" +
			"may run is not asked. For one provider the exit code is 1 if there is no login that can be used.",
		ValidArgsFunction: a.providerNames,
	}
	asJSON, file := jsonFlag(cmd), fileFlag(cmd)
	detailed := cmd.Flags().BoolP("detailed", "d", false, "show the ends of the tokens, too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			if *file != "" {
				return usageError(cmd, errors.New("--file needs a provider"))
			}
			return a.allStatuses(cmd, *detailed, *asJSON)
		}
		if err := a.needsFile(cmd, *file); err != nil {
			return err
		}
		return a.withAccount(cmd, args[0], *file, func(ctx context.Context, acc *account) error {
			s := statusOf(ctx, acc, time.Now()).redacted(*detailed)
			write := s.table().write
			var err error
			if *asJSON {
				err = writeJSON(a.Stdout, s)
			} else {
				err = write(a.Stdout)
			}
			if err == nil && s.State != "valid" && s.State != "refreshable" {
				err = fmt.Errorf("%s: %w, see \"%s auth login %s\"", acc.name, errNotLoggedIn, a.Name, acc.name)
			}
			return err
		})
	}
	return cmd
}

func (a *app) allStatuses(cmd *cobra.Command, detailed, asJSON bool) error {
	all := []loginStatus{}
	for _, t := range a.targets() {
		err := a.withAccount(cmd, t.name, "", func(ctx context.Context, acc *account) error {
			all = append(all, statusOf(ctx, acc, time.Now()).redacted(detailed))
			return nil
		})
		switch {
		case errors.Is(err, errInterrupted) || errors.Is(err, errNoHome):
			return err
		case err != nil:
			all = append(all, loginStatus{Provider: t.name, State: "off", Error: joinLines(err)})
		}
	}
	if asJSON {
		return writeJSON(a.Stdout, all)
	}
	t := table{head: []string{"PROVIDER", "STATE", "ACCOUNT", "EXPIRES IN", "REFRESH TOKEN", "PROBLEM"}}
	for _, s := range all {
		t.add(s.Provider, s.State, orDash(s.Account), orDash(s.ExpiresIn), yesNo(s.HasRefreshToken), s.Error)
	}
	return t.write(a.Stdout)
}

// redacted leaves the previews of tokens out, unless they were asked for.
func (s loginStatus) redacted(detailed bool) loginStatus {
	if !detailed {
		s.AccessToken, s.RefreshToken = "", ""
	}
	return s
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// table shows a login in full.
func (s loginStatus) table() *table {
	t := &table{head: []string{"provider", s.Provider}}
	add := func(name, value string) {
		if value != "" {
			t.add(name, value)
		}
	}
	add("state", s.State)
	add("problem", s.Error)
	if s.State == "none" || s.Error != "" {
		return t
	}
	add("account", s.Account)
	for _, key := range slices.Sorted(maps.Keys(s.Details)) {
		add(strings.ReplaceAll(key, "_", " "), fmt.Sprint(s.Details[key]))
	}
	if s.Expires.IsZero() {
		add("expires", "unknown")
	} else {
		add("expires", atClock(s.Expires)+" ("+s.ExpiresIn+")")
	}
	add("scopes", strings.Join(s.Scopes, " "))
	add("refresh token", yesNo(s.HasRefreshToken))
	add("ID token", yesNo(s.HasIDToken))
	add("access token ends in", s.AccessToken)
	add("refresh token ends in", s.RefreshToken)
	add("file", s.File)
	return t
}
