package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy/config"
)

func (a *app) configCommand() *cobra.Command {
	return group("config", "Show, check and begin a configuration",
		a.configInitCommand(), a.configListCommand(), a.configValidateCommand(), a.configSchemaCommand(),
		a.generateTokenCommand())
}

// entryRow is a key of the configuration as listings show it.
type entryRow struct {
	Key     string `json:"key"`
	Type    string `json:"type"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Source  string `json:"source"`
	Secret  bool   `json:"secret,omitempty"`
}

func entryRows(entries []config.Entry) []entryRow {
	rows := make([]entryRow, 0, len(entries))
	for _, e := range entries {
		rows = append(rows, entryRow{
			Key: e.Key, Type: e.Type, Value: e.Value, Default: e.Default, Source: e.Origin.String(), Secret: e.Secret,
		})
	}
	return rows
}

// writeEntries shows what there is to know of keys.
func writeEntries(w io.Writer, entries []config.Entry, asJSON bool) error {
	rows := entryRows(entries)
	if asJSON {
		return writeJSON(w, rows)
	}
	t := table{head: []string{"KEY", "VALUE", "DEFAULT", "TYPE", "SOURCE"}}
	for _, r := range rows {
		t.add(r.Key, orDash(r.Value), orDash(r.Default), r.Type, r.Source)
	}
	return t.write(w)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (a *app) configListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List every key with its value and where that is from", Args: exactly(0),
		Long: "List every key with its value and where that is from. Values that may be secret are shown as \"***\".",
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		file, err := a.load(nil)
		if err != nil {
			return err
		}
		if *asJSON {
			return writeEntries(a.Stdout, file.Entries(), true)
		}
		t := table{head: []string{"KEY", "VALUE", "SOURCE"}}
		for _, r := range entryRows(file.Entries()) {
			t.add(r.Key, orDash(r.Value), r.Source)
		}
		return t.write(a.Stdout)
	}
	return cmd
}

func (a *app) configValidateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "validate [FILE]", Short: "Check a configuration", Args: atMost(1),
		Long: "Check a configuration: FILE, or the one that \"serve\" would read, together with the environment.\n" +
			"Every mistake is told with its place.",
		ValidArgsFunction: cobra.FixedCompletions([]string{"toml"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		options := a.loadOptions(nil)
		if len(args) > 0 {
			options.Path = args[0]
		}
		file, err := config.Load(&a.registry, options)
		if err == nil {
			err = a.tryBuild(cmd.Context(), file)
		}
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(a.Stdout, map[string]any{
				"path": file.Path, "valid": true, "warnings": append([]string{}, file.Warnings...),
			})
		}
		for _, w := range file.Warnings {
			fmt.Fprintln(a.Stderr, "warning:", w)
		}
		name := file.Path
		if name == "" {
			name = "no file, environment and defaults"
		}
		_, err = fmt.Fprintln(a.Stdout, name+": ok")
		return err
	}
	return cmd
}

// tryBuild finds what only the whole of a proxy tells, such as names of providers that are not there. It starts none.
func (a *app) tryBuild(ctx context.Context, f *config.File) error {
	settings := f.Settings
	if ip := net.ParseIP(f.Server.Host); ip != nil { // where a name leads is seen when the server starts
		var err error
		if settings, err = f.SettingsAt(&net.TCPAddr{IP: ip}); err != nil {
			return err
		}
	}
	proxy, err := a.build(settings, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return proxy.Shutdown(ctx)
}

func (a *app) configSchemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the configuration file", Args: exactly(0),
		Long: "Print the JSON Schema of the configuration file, with the settings of all plugins, for editors.",
	}
	dir := cmd.Flags().StringP("output-dir", "o", "", "write ccproxy.schema.json to `DIR` instead, and a .taplo.toml "+
		"that has editors use it, unless there is one")
	cmd.RunE = func(*cobra.Command, []string) error {
		schema, err := config.Schema(&a.registry)
		if err != nil {
			return err
		}
		schema = append(schema, '\n')
		if *dir == "" {
			_, err = a.Stdout.Write(schema)
			return err
		}
		return a.writeSchema(a.path(*dir), schema)
	}
	return cmd
}

const (
	schemaName = "ccproxy.schema.json"
	taploName  = ".taplo.toml"
	taplo      = "[[rule]]\ninclude = [\"**/ccproxy.toml\", \"**/.ccproxy.toml\"]\n\n[rule.schema]\npath = \"" +
		schemaName + "\"\n"
)

func (a *app) writeSchema(dir string, schema []byte) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	path := filepath.Join(dir, schemaName)
	if err := os.WriteFile(path, schema, 0o600); err != nil {
		return err
	}
	fmt.Fprintln(a.Stdout, path)
	path = filepath.Join(dir, taploName)
	if err := writeNew(path, []byte(taplo)); os.IsExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.Stdout, path)
	return err
}

// path makes a path of the command line absolute where the program has a directory of its own.
func (a *app) path(p string) string {
	if filepath.IsAbs(p) || a.Dir == "" {
		return p
	}
	return filepath.Join(a.Dir, p)
}
