package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

func load(t *testing.T, environ ...string) (*config.File, *wide, error) {
	t.Helper()
	s := newSuite(t)
	f, err := config.Load(&s.registry, config.Options{Dir: t.TempDir(), Environ: environ})
	if err != nil {
		return nil, nil, err
	}
	return f, s.built(t, f), nil
}

func TestVariableNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ []string
		want    string
	}{
		{"plain", []string{"PLUGINS__WIDE__NAME=a"}, "a"},
		{"lower case", []string{"plugins__wide__name=a"}, "a"},
		{"mixed case", []string{"Plugins__Wide__Name=a"}, "a"},
		{"prefixed", []string{"CCPROXY__PLUGINS__WIDE__NAME=a"}, "a"},
		{"prefixed in lower case", []string{"ccproxy__plugins__wide__name=a"}, "a"},
		{"prefix wins", []string{"CCPROXY__PLUGINS__WIDE__NAME=a", "PLUGINS__WIDE__NAME=b"}, "a"},
		{"capitals win", []string{"PLUGINS__WIDE__NAME=a", "plugins__wide__name=b"}, "a"},
		{"key wins over its table", []string{"PLUGINS__WIDE__NAME=a", `CCPROXY__PLUGINS__WIDE={"name": "b"}`}, "a"},
		{"whole section", []string{`CCPROXY__PLUGINS={"wide": {"name": "a"}}`}, "a"},
		{"last of equal names", []string{"PLUGINS__WIDE__NAME=b", "PLUGINS__WIDE__NAME=a"}, "a"},
		{"equals sign in the value", []string{"PLUGINS__WIDE__NAME=a=b"}, "a=b"},
		{"quotes stay", []string{`PLUGINS__WIDE__NAME="60"`}, `"60"`},
		{"spaces stay", []string{"PLUGINS__WIDE__NAME= a "}, " a "},
		{"empty is not set", []string{"PLUGINS__WIDE__NAME="}, "default"},
		{"another prefix", []string{"OTHER__PLUGINS__WIDE__NAME=a", "XPLUGINS__WIDE__NAME=a"}, "default"},
		{"single underscores", []string{"PLUGINS_WIDE_NAME=a", "CCPROXY_PLUGINS__WIDE__NAME=a"}, "default"},
		{"no name", []string{"PLUGINS__WIDE__NAME", "=a", ""}, "default"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, w, err := load(t, tt.environ...)
			if err != nil {
				t.Fatal(err)
			}
			if w.Name != tt.want {
				t.Errorf("name = %q, want %q", w.Name, tt.want)
			}
			if len(f.Warnings) > 0 {
				t.Errorf("warnings %q, want none", f.Warnings)
			}
		})
	}
}

func TestVariablesThatNobodyKnows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, variable, want string
	}{
		{"plugin's key", "PLUGINS__WIDE__NAEM", `environment PLUGINS__WIDE__NAEM: no key has this name (did you mean "name"?)`},
		{"plugin", "PLUGINS__WIED__NAME", `environment PLUGINS__WIED__NAME: no key has this name (did you mean "wide"?)`},
		{"below a value", "PLUGINS__WIDE__NAME__X", `environment PLUGINS__WIDE__NAME__X: no key has this name`},
		{"empty part", "PLUGINS__WIDE____X", `environment PLUGINS__WIDE____X: no key has this name`},
		{"empty end", "PLUGINS__", `environment PLUGINS__: no key has this name`},
		{"nothing after the prefix", "CCPROXY__", `environment CCPROXY__: no key has this name`},
		{
			"core's table", "CCPROXY__SERVR__PORT",
			`environment CCPROXY__SERVR__PORT: no key has this name (did you mean "server"?)`,
		},
		{"nothing near", "CCPROXY__QUITE_ANOTHER", `environment CCPROXY__QUITE_ANOTHER: no key has this name`},
		{"core's key", "SERVER__PROT", `environment SERVER__PROT: no key has this name (did you mean "port"?)`},
		{"somebody else's", "SERVER__QUITE_ANOTHER_THING", ""},
		{"somebody else's table", "SERVICE__PORT", ""},
		{"somebody else's word", "SERVER", ""},
		{"without a path", "PLUGINS", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, _, err := load(t, tt.variable+"="+secretValue)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(f.Warnings, "\n"); got != tt.want {
				t.Errorf("warnings = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWrongVariables(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ []string
		want    []string
	}{
		{"word for int", []string{"SERVER__PORT=" + secretValue}, []string{
			"environment SERVER__PORT: server.port: is a string, must be a whole number",
		}},
		{"fraction for int", []string{"SERVER__PORT=1.5"}, []string{
			"environment SERVER__PORT: server.port: is a number, must be a whole number",
		}},
		{"range", []string{"server__port=70000"}, []string{"environment server__port: server.port: must be at most 65535"}},
		{"word for bool", []string{"ENABLE_PLUGINS=maybe"}, []string{
			"environment ENABLE_PLUGINS: enable_plugins: is a string, must be true or false",
		}},
		{"word for duration", []string{"PLUGINS__WIDE__WAIT=soon"}, []string{
			`environment PLUGINS__WIDE__WAIT: plugins.wide.wait: must be a number of seconds or a string such as "1m30s"`,
		}},
		{"word for table", []string{"PLUGINS__WIDE=" + secretValue}, []string{
			"environment PLUGINS__WIDE: plugins.wide: is a string, must be a table",
		}},
		{"broken JSON", []string{`PLUGINS__WIDE__NUMBERS=[1,`}, []string{
			"environment PLUGINS__WIDE__NUMBERS: plugins.wide.numbers: is a string, must be a list",
		}},
		{"two values", []string{`PLUGINS__WIDE__COUNT=1 2`}, []string{
			"environment PLUGINS__WIDE__COUNT: plugins.wide.count: is a string, must be a whole number",
		}},
		{"too large", []string{`PLUGINS__WIDE__COUNT=99999999999999999999`}, []string{
			"environment PLUGINS__WIDE__COUNT: plugins.wide.count: is a number, must be a whole number",
		}},
		{"null in a list", []string{`PLUGINS__WIDE__TAGS=["a", null]`}, []string{
			"environment PLUGINS__WIDE__TAGS: plugins.wide.tags[1]: is null, must be a string",
		}},
		{"unknown key in JSON", []string{`PLUGINS__WIDE={"naem": "` + secretValue + `"}`}, []string{
			`environment PLUGINS__WIDE: plugins.wide.naem: unknown key (did you mean "name"?)`,
		}},
		{"plugin's rule", []string{"PLUGINS__WIDE__MODE=warp", "PLUGINS__WIDE__COUNT=-1"}, []string{
			"environment PLUGINS__WIDE__COUNT: plugins.wide.count: must be at least 0",
			"environment PLUGINS__WIDE__MODE: plugins.wide.mode: must be one of slow, fast",
		}},
		{"unknown names", []string{"ENABLED_PLUGINS=wide,plian"}, []string{
			`environment ENABLED_PLUGINS: enabled_plugins[1]: no plugin "plian" is registered (did you mean "plain"?)`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, _, err := load(t, tt.environ...)
			if err == nil {
				t.Fatalf("Load = %v, want an error", f)
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("errors mismatch (-want +got):\n%s", diff)
			}
			if !errors.Is(err, ccproxy.ErrConfig) || strings.Contains(err.Error(), secretValue) {
				t.Errorf("error is no ErrConfig or shows a value: %v", err)
			}
		})
	}
}

func TestWrongOverrides(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		override map[string]any
		want     string
	}{
		{"unknown key", map[string]any{"server.prot": 1}, `override: server.prot: unknown key (did you mean "port"?)`},
		{"type", map[string]any{"server.port": true}, "override: server.port: is true or false, must be a whole number"},
		{"word", map[string]any{"server.port": "x"}, "override: server.port: is a string, must be a whole number"},
		{"function", map[string]any{"server.port": func() {}}, "override: server.port: a value of type func() cannot be used"},
		{"nil", map[string]any{"server.port": nil}, "override: server.port: a value of type <nil> cannot be used"},
		{"in a list", map[string]any{"security.origins": []any{nil}}, "override: security.origins: a value of type []interface {} cannot be used"},
		{"in a table", map[string]any{"server": map[string]any{"prot": 1}}, `override: server.prot: unknown key (did you mean "port"?)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(nil, config.Options{Dir: t.TempDir(), Environ: noEnviron(), Override: tt.override})
			if err == nil || err.Error() != tt.want {
				t.Errorf("Load = %v, want %s", err, tt.want)
			}
		})
	}
}

// TestKeyVariables uses a plugin of the name that the table knows.
func TestKeyVariables(t *testing.T) {
	t.Parallel()
	claude := ccproxy.NewFactory(ccproxy.Manifest{Name: "claude_api", Config: ccproxy.ConfigFor[spare](func() *spare {
		return &spare{APIKey: ccproxy.NewSecret("default")}
	})}, nil)
	keyless := ccproxy.NewFactory(ccproxy.Manifest{Name: "codex"}, nil)
	own := []config.KeyVariable{{Variable: "MY_KEY", Plugin: "claude_api", Key: "api_key"}}
	tests := []struct {
		name, src string
		environ   []string
		table     []config.KeyVariable
		want      any
		origin    string
	}{
		{name: "taken", environ: []string{"ANTHROPIC_API_KEY=a"}, want: "a", origin: "environment ANTHROPIC_API_KEY"},
		{
			name: "the file wins", src: "[plugins.claude_api]\napi_key = \"f\"\n", environ: []string{"ANTHROPIC_API_KEY=a"},
			want: "f", origin: "F:2:1",
		},
		{
			name: "beside the file", src: "[plugins.claude_api]\nenabled = true\n", environ: []string{"ANTHROPIC_API_KEY=a"},
			want: "a", origin: "environment ANTHROPIC_API_KEY",
		},
		{
			name: "the full name wins", environ: []string{"ANTHROPIC_API_KEY=a", "PLUGINS__CLAUDE_API__API_KEY=b"},
			want: "b", origin: "environment PLUGINS__CLAUDE_API__API_KEY",
		},
		{name: "empty", environ: []string{"ANTHROPIC_API_KEY="}, origin: "default"},
		{name: "another case", environ: []string{"anthropic_api_key=a"}, origin: "default"},
		{name: "a plugin without such a key", environ: []string{"OPENAI_API_KEY=a"}, origin: "default"},
		{
			name: "own table", environ: []string{"ANTHROPIC_API_KEY=a", "MY_KEY=m"}, table: own,
			want: "m", origin: "environment MY_KEY",
		},
		{
			name: "none", environ: []string{"ANTHROPIC_API_KEY=a"}, table: []config.KeyVariable{}, origin: "default",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t, claude, keyless)
			path := write(t, tt.src)
			f, err := config.Load(&s.registry, config.Options{Path: path, Environ: tt.environ, KeyVariables: tt.table})
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Settings.Plugins["claude_api"]["api_key"]; got != tt.want {
				t.Errorf("api_key = %v, want %v", got, tt.want)
			}
			o, _ := f.Provenance("plugins.claude_api.api_key")
			if got := strings.ReplaceAll(o.String(), path, "F"); got != tt.origin {
				t.Errorf("origin = %s, want %s", got, tt.origin)
			}
		})
	}
}

func TestTheProcessEnvironmentIsTheDefault(t *testing.T) {
	t.Setenv("CCPROXY__SERVER__PORT", "4711")
	f, err := config.Load(nil, config.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if f.Server.Port != 4711 {
		t.Errorf("port = %d, want that of the environment", f.Server.Port)
	}
}
