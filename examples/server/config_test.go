package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	const example = `
enabled_plugins = ["echo", "claude_api"]
disabled_plugins = []

[server]
host = "::1"
port = 9000

[logging]
level = "debug"

[plugins.echo]
delay = 2
`
	type tables = map[string]map[string]any
	tests := []struct {
		name string
		file string
		args []string
		key  string
		want config
	}{
		{name: "defaults", want: config{host: "127.0.0.1", port: 8000, settings: ccproxy.Settings{Plugins: tables{}}}},
		{
			name: "file", file: example,
			want: config{host: "::1", port: 9000, level: slog.LevelDebug, settings: ccproxy.Settings{
				EnabledPlugins: []string{"echo", "claude_api"}, DisabledPlugins: []string{},
				Plugins: tables{"echo": {"delay": int64(2)}},
			}},
		},
		{
			name: "flags win", file: example, args: []string{"-host", "10.0.0.1", "-port", "0", "-allow-remote"},
			want: config{host: "10.0.0.1", allowRemote: true, level: slog.LevelDebug, settings: ccproxy.Settings{
				EnabledPlugins: []string{"echo", "claude_api"}, DisabledPlugins: []string{},
				Plugins: tables{"echo": {"delay": int64(2)}},
			}},
		},
		{
			name: "no plugins", file: "enable_plugins = false\nenabled_plugins = []",
			want: config{host: "127.0.0.1", port: 8000, settings: ccproxy.Settings{
				DisablePlugins: true, EnabledPlugins: []string{}, Plugins: tables{},
			}},
		},
		{
			name: "key of the environment", key: "sk-env",
			want: config{host: "127.0.0.1", port: 8000, settings: ccproxy.Settings{
				Plugins: tables{"claude_api": {"api_key": "sk-env"}},
			}},
		},
		{
			name: "key beside other values", key: "sk-env", file: "[plugins.claude_api]\nmax_cache_control = 4",
			want: config{host: "127.0.0.1", port: 8000, settings: ccproxy.Settings{
				Plugins: tables{"claude_api": {"api_key": "sk-env", "max_cache_control": int64(4)}},
			}},
		},
		{
			name: "key of the file wins", key: "sk-env", file: "[plugins.claude_api]\napi_key = 'sk-file'",
			want: config{host: "127.0.0.1", port: 8000, settings: ccproxy.Settings{
				Plugins: tables{"claude_api": {"api_key": "sk-file"}},
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := tt.args
			if tt.file != "" {
				args = append(args, "-config", tempFile(t, tt.file))
			}
			env := func(name string) string {
				return map[string]string{"ANTHROPIC_API_KEY": tt.key}[name]
			}
			got, err := load(args, env, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(config{})); diff != "" {
				t.Errorf("load mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRefusals holds that whatever is wrong is said, and that nothing has been served before.
func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		file string
		is   error
		want string
	}{
		{name: "all interfaces", args: []string{"-host", "0.0.0.0"}, is: errRemote, want: `host "0.0.0.0"`},
		{name: "all interfaces, IPv6", args: []string{"-host", "[::]"}, is: errRemote, want: "-allow-remote"},
		{name: "no host", args: []string{"-host", ""}, is: errRemote, want: `host ""`},
		{name: "other machine's name", args: []string{"-host", "example.com"}, is: errRemote, want: "example.com"},
		{name: "host of the file", file: "[server]\nhost = '192.0.2.1'", is: errRemote, want: "192.0.2.1"},
		{name: "port", args: []string{"-port", "65536"}, want: "from 0 to 65535"},
		{name: "port that is none", args: []string{"-port", "http"}, want: "-port"},
		{name: "argument", args: []string{"serve"}, want: `unexpected argument "serve"`},
		{name: "flag", args: []string{"-prot", "1"}, want: "-prot"},
		{name: "help", args: []string{"-h"}, is: flag.ErrHelp},
		{name: "no file", args: []string{"-config", "missing.toml"}, want: "missing.toml"},
		{name: "not TOML", file: "\n[server\n", want: "server.toml:2: "},
		{name: "wrong type", file: "\n\n[server]\nport = 'x'", want: "server.toml:4: "},
		{name: "unknown key", file: "[server]\n\nprot = 1", want: "server.toml:3: unknown key server.prot"},
		{name: "unknown level", file: "[logging]\nlevel = 'loud'", want: "server.toml:2: "},
		{name: "unknown plugin", file: "[plugins.ecko]\n", is: ccproxy.ErrConfig, want: `"echo"`},
		{name: "unknown key of a plugin", file: "[plugins.echo]\ndelai = 1", is: ccproxy.ErrConfig, want: "plugins.echo.delai"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-port", "0"}, tt.args...)
			if tt.file != "" {
				args = append(args, "-config", tempFile(t, tt.file))
			}
			var out log
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // for a server that starts in spite of it
			defer cancel()
			err := run(ctx, args, &out, io.Discard, noEnv)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("run = %v, want an error that is %v and says %s", err, tt.is, tt.want)
			}
			if out.String() != "" {
				t.Errorf("the banner was shown: %s", out.String())
			}
		})
	}
}

// TestSecretsStayOut holds that what is wrong in a file is told without quoting what may be a key.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	for _, toml := range []string{
		"[plugins.claude_api]\napi_key = 'sk-secret'\napi_kay = 'sk-secret'",
		"[plugins.claude_api]\napi_key = ['sk-secret']",
		"[plugins.claude_api]\napi_key = sk-secret",
		"[server]\nport = 'sk-secret'",
		"[server]\nkey = 'sk-secret'",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := run(ctx, []string{"-port", "0", "-config", tempFile(t, toml)}, io.Discard, io.Discard, noEnv)
		cancel()
		if err == nil || strings.Contains(err.Error(), "sk-secret") {
			t.Errorf("run with %q = %v, want an error without the key", toml, err)
		}
	}
}
