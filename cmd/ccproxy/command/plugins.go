package command

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

func (a *app) pluginsCommand() *cobra.Command {
	return group("plugins", "Show plugins and their settings",
		a.pluginsListCommand(), a.pluginsSettingsCommand(), a.pluginsDependenciesCommand(), a.pluginsScaffoldCommand())
}

// pluginRow is a plugin as listings show it.
type pluginRow struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Kind        string `json:"kind"`
	Enabled     bool   `json:"enabled"`
	Reason      string `json:"reason,omitempty"`
	Settings    int    `json:"settings"`
	Description string `json:"description,omitempty"`
}

func (r pluginRow) status() string {
	if r.Enabled {
		return "enabled"
	}
	return "off: " + r.Reason
}

// pluginRows tells of all plugins whether they would run.
func (a *app) pluginRows(f *config.File) ([]pluginRow, error) {
	resolution, err := a.registry.ResolveDependencies(f.Settings)
	if err != nil {
		return nil, err
	}
	reasons := make(map[string]string)
	for _, s := range resolution.Skipped {
		reasons[s.Plugin] = joinLines(s.Reason)
	}
	rows := []pluginRow{}
	for _, m := range a.registry.Manifests() {
		rows = append(rows, pluginRow{
			Name: m.Name, Version: m.Version, Kind: m.Kind.String(), Enabled: slices.Contains(resolution.Order, m.Name),
			Reason: reasons[m.Name], Settings: len(settingsOf(f, m.Name)), Description: m.Description,
		})
	}
	return rows, nil
}

func writePlugins(w io.Writer, rows []pluginRow) error {
	t := table{head: []string{"PLUGIN", "VERSION", "KIND", "SETTINGS", "STATUS", "DESCRIPTION"}}
	for _, r := range rows {
		t.add(r.Name, r.Version, r.Kind, strconv.Itoa(r.Settings), r.status(), r.Description)
	}
	return t.write(w)
}

func (a *app) pluginsListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List all plugins, and why some are off", Args: exactly(0),
		Long: "List all plugins, and why some are off. None is started: one that finds out when it starts that it\n" +
			"cannot work, such as for the want of a key, is listed as enabled. \"serve\" and GET /plugins tell of\n" +
			"those.",
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		file, err := a.load(nil)
		if err != nil {
			return err
		}
		rows, err := a.pluginRows(file)
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(a.Stdout, rows)
		}
		return writePlugins(a.Stdout, rows)
	}
	return cmd
}

// settingsOf are the keys of a plugin, or those of all plugins for "".
func settingsOf(f *config.File, plugin string) []config.Entry {
	prefix := "plugins."
	if plugin != "" {
		prefix += plugin + "."
	}
	var own []config.Entry
	for _, e := range f.Entries() {
		if strings.HasPrefix(e.Key, prefix) {
			own = append(own, e)
		}
	}
	return own
}

func (a *app) pluginsSettingsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "settings [PLUGIN]", Short: "Show the settings of a plugin, or of all", Args: atMost(1),
		ValidArgsFunction: a.pluginNames,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file, err := a.load(nil)
		if err != nil {
			return err
		}
		name := ""
		if len(args) > 0 {
			name = args[0]
			if err := a.checkPlugin(cmd, name); err != nil {
				return err
			}
		}
		return writeEntries(a.Stdout, settingsOf(file, name), *asJSON)
	}
	return cmd
}

// checkPlugin refuses a name that no plugin has.
func (a *app) checkPlugin(cmd *cobra.Command, name string) error {
	named := func(m ccproxy.Manifest) bool { return m.Name == name }
	if slices.ContainsFunc(a.registry.Manifests(), named) {
		return nil
	}
	return usageError(cmd, fmt.Errorf("no plugin %q, see \"%s plugins list\"", name, a.Name))
}

// dependencyRow tells what a plugin needs and gives.
type dependencyRow struct {
	Name     string   `json:"name"`
	Order    int      `json:"order,omitempty"` // of the start, from 1; 0 for a plugin that does not run
	Needs    []string `json:"needs"`
	Requires []string `json:"requires"`
	Optional []string `json:"optional"`
	Provides []string `json:"provides"`
	Missing  string   `json:"missing,omitempty"`
}

func (a *app) pluginsDependenciesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "dependencies", Short: "Show in which order plugins start, and what they need", Args: exactly(0),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		file, err := a.load(nil)
		if err != nil {
			return err
		}
		resolution, err := a.registry.ResolveDependencies(file.Settings)
		if err != nil {
			return err
		}
		rows := dependencyRows(a.registry.Manifests(), resolution)
		if *asJSON {
			return writeJSON(a.Stdout, rows)
		}
		t := table{head: []string{
			"ORDER", "PLUGIN", "PLUGINS NEEDED", "SERVICES NEEDED", "SERVICES USED", "PROVIDES", "NOT STARTED",
		}}
		for _, r := range rows {
			order := "-"
			if r.Order > 0 {
				order = strconv.Itoa(r.Order)
			}
			t.add(order, r.Name, words(r.Needs), words(r.Requires), words(r.Optional), words(r.Provides), r.Missing)
		}
		return t.write(a.Stdout)
	}
	return cmd
}

func words(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, " ")
}

// dependencyRows are in the order of the start, those that do not run last.
func dependencyRows(manifests []ccproxy.Manifest, r ccproxy.Resolution) []dependencyRow {
	services := func(names []string) []string {
		list := []string{}
		for _, name := range names {
			if owner := r.Services[name]; owner != "" && owner != name {
				name += "(" + owner + ")"
			}
			list = append(list, name)
		}
		return list
	}
	rows := make([]dependencyRow, 0, len(manifests))
	for _, m := range manifests {
		row := dependencyRow{
			Name: m.Name, Order: slices.Index(r.Order, m.Name) + 1, Needs: append([]string{}, m.Dependencies...),
			Requires: services(m.Requires), Optional: services(m.OptionalRequires),
			Provides: append([]string{}, m.Provides...),
		}
		for _, s := range r.Skipped {
			if s.Plugin == m.Name {
				row.Missing = joinLines(s.Reason)
			}
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b dependencyRow) int {
		if (a.Order == 0) != (b.Order == 0) {
			return b.Order - a.Order
		}
		return a.Order - b.Order
	})
	return rows
}
