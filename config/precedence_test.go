package config_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// kind is a key with a value from each source.
type kind struct {
	name, key string
	toml, env string
	override  any
	get       func(*config.File, *wide) any
	want      [4]any // from default, file, environment, override
}

// pluginKinds are keys of every kind, of a plugin.
func pluginKinds() []kind {
	return []kind{
		{
			"bool", "plugins.wide.flag", "false", "TRUE", false,
			func(_ *config.File, w *wide) any { return w.Flag },
			[4]any{true, false, true, false},
		},
		{
			"int", "plugins.wide.count", "2", "3", 4,
			func(_ *config.File, w *wide) any { return w.Count },
			[4]any{1, 2, 3, 4},
		},
		{
			"small int", "plugins.wide.small", "-128", "127", int8(-4),
			func(_ *config.File, w *wide) any { return w.Small },
			[4]any{int8(1), int8(-128), int8(127), int8(-4)},
		},
		{
			"unsigned", "plugins.wide.size", "0x10", " 65535 ", uint(4),
			func(_ *config.File, w *wide) any { return w.Size },
			[4]any{uint16(1), uint16(16), uint16(65535), uint16(4)},
		},
		{
			"float", "plugins.wide.ratio", "2.5", "3", float32(4.5),
			func(_ *config.File, w *wide) any { return w.Ratio },
			[4]any{1.0, 2.5, 3.0, 4.5},
		},
		{
			"string", "plugins.wide.name", `"2"`, "60", "true",
			func(_ *config.File, w *wide) any { return w.Name },
			[4]any{"default", "2", "60", "true"},
		},
		{
			"duration", "plugins.wide.wait", "2", "1.5", 4 * time.Second,
			func(_ *config.File, w *wide) any { return w.Wait },
			[4]any{time.Second, 2 * time.Second, 1500 * time.Millisecond, 4 * time.Second},
		},
		{
			"duration as text", "plugins.wide.wait", `"2m"`, "3m", "4m",
			func(_ *config.File, w *wide) any { return w.Wait },
			[4]any{time.Second, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute},
		},
		{
			"secret", "plugins.wide.token", `"two"`, "3", ccproxy.NewSecret("four"),
			func(_ *config.File, w *wide) any { return w.Token.Reveal() },
			[4]any{"default", "two", "3", "four"},
		},
		{
			"list", "plugins.wide.tags", `["a", "b"]`, `["c", "d", "e"]`,
			[]string{},
			func(_ *config.File, w *wide) any { return strings.Join(w.Tags, " ") },
			[4]any{"default", "a b", "c d e", ""},
		},
		{
			"list between commas", "plugins.wide.tags", `[]`, "c, d,", "e",
			func(_ *config.File, w *wide) any { return strings.Join(w.Tags, " ") },
			[4]any{"default", "", "c d", "e"},
		},
		{
			"list of numbers", "plugins.wide.numbers", `[2, 3]`, `[4]`,
			[]int{5, 6},
			func(_ *config.File, w *wide) any { return fmt.Sprint(w.Numbers) },
			[4]any{"[1]", "[2 3]", "[4]", "[5 6]"},
		},
		{
			"list of tables", "plugins.wide.instances", `{a = {deep = 2}}`, `{"a": {"deep": 3}}`,
			map[string]any{"a": map[string]int{"deep": 4}},
			func(_ *config.File, w *wide) any { return w.Instances["a"].Deep },
			[4]any{0, 2, 3, 4},
		},
		{
			"nested table", "plugins.wide.nested.deep", "2", "3", 4,
			func(_ *config.File, w *wide) any { return w.Nested.Deep },
			[4]any{1, 2, 3, 4},
		},
		{
			"table by pointer", "plugins.wide.optional.inner.deep", "2", "3", 4,
			func(_ *config.File, w *wide) any {
				if w.Optional == nil {
					return 0
				}
				return w.Optional.Inner.Deep
			},
			[4]any{0, 2, 3, 4},
		},
		{
			"map", "plugins.wide.labels.a", `"2"`, "3", "4",
			func(_ *config.File, w *wide) any { return w.Labels["a"] },
			[4]any{"default", "2", "3", "4"},
		},
		{
			"key without a tag", "plugins.wide.base_url", `"http://two"`, "http://three", "http://four",
			func(_ *config.File, w *wide) any { return w.BaseURL },
			[4]any{"", "http://two", "http://three", "http://four"},
		},
		{
			"squashed", "plugins.wide.region", `"two"`, "three", "four",
			func(_ *config.File, w *wide) any { return w.Region },
			[4]any{"default", "two", "three", "four"},
		},
		{
			"anything", "plugins.wide.extra", `"two"`, `{"a": 1}`, true,
			func(_ *config.File, w *wide) any { return fmt.Sprint(w.Extra) },
			[4]any{"<nil>", "two", "map[a:1]", "true"},
		},
	}
}

// coreKinds are keys of every kind, of the core.
func coreKinds() []kind {
	return []kind{
		{
			"core int", "server.port", "2", "3", "4",
			func(f *config.File, _ *wide) any { return f.Server.Port },
			[4]any{8000, 2, 3, 4},
		},
		{
			"core duration", "server.shutdown_timeout", "2", "3", "4",
			func(f *config.File, _ *wide) any { return f.Server.ShutdownTimeout },
			[4]any{30 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second},
		},
		{
			"core level", "logging.level", `"trace"`, "Warning", slog.LevelError.String(),
			func(f *config.File, _ *wide) any { return f.Logging.Level.Level() },
			[4]any{slog.LevelInfo, slog.LevelDebug - 4, slog.LevelWarn, slog.LevelError},
		},
		{
			"core secret", "security.auth_token", `"token-two"`, "33-of-env", "token-four",
			func(f *config.File, _ *wide) any { return keysOf(f) },
			[4]any{"", "auth_token=token-two[]", "auth_token=33-of-env[]", "auth_token=token-four[]"},
		},
		{
			"core tables", "security.api_keys", `[{name = "a", key = "key-of-a", models = ["m"]}]`,
			`[{"name": "b", "key": "key-of-b"}]`,
			[]any{map[string]any{"name": "c", "key": "key-of-c"}},
			func(f *config.File, _ *wide) any { return keysOf(f) },
			[4]any{"", "a=key-of-a[m]", "b=key-of-b[]", "c=key-of-c[]"},
		},
		{
			"hosts", "security.hosts", `["a.example", "[::1]:80"]`, "b.example, 10.0.0.1",
			[]string{"localhost"},
			func(f *config.File, _ *wide) any { return strings.Join(f.Settings.Security.Hosts, " ") },
			[4]any{"", "a.example [::1]:80", "b.example 10.0.0.1", "localhost"},
		},
		{
			"origins", "security.origins", `["https://*.a.example"]`, `["http://localhost:*"]`, "*",
			func(f *config.File, _ *wide) any { return strings.Join(f.Settings.Security.Origins, " ") },
			[4]any{"", "https://*.a.example", "http://localhost:*", "*"},
		},
		{
			"age", "security.cors_max_age", "2", "3s", 4,
			func(f *config.File, _ *wide) any { return f.Settings.Security.CORSMaxAge },
			[4]any{time.Duration(0), 2 * time.Second, 3 * time.Second, 4 * time.Second},
		},
		{
			"core switch", "enable_plugins", "false", "1", false,
			func(f *config.File, _ *wide) any { return !f.Settings.DisablePlugins },
			[4]any{true, false, true, false},
		},
		{
			"core list", "disabled_plugins", `["plain"]`, "plain,spare",
			[]string{"spare"},
			func(f *config.File, _ *wide) any { return strings.Join(f.Settings.DisabledPlugins, " ") },
			[4]any{"", "plain", "plain spare", "spare"},
		},
		{
			"feature", "features.manifest_format_adapters", "false", "true", false,
			func(f *config.File, _ *wide) any { return !f.Settings.Features.ManualFormatAdapters },
			[4]any{true, false, true, false},
		},
		{
			"feature of adapters", "features.use_typed_adapters", "false", "true", false,
			func(f *config.File, _ *wide) any { return !f.Settings.Features.UntypedAdapters },
			[4]any{true, false, true, false},
		},
		{
			"limit", "limits.json_depth", "2", "3", 4,
			func(f *config.File, _ *wide) any { return f.Settings.Limits.JSONDepth },
			[4]any{0, 2, 3, 4},
		},
		{
			"limit of time", "limits.write_timeout", "2", "3s", 4,
			func(f *config.File, _ *wide) any { return f.Settings.Limits.WriteTimeout },
			[4]any{time.Duration(0), 2 * time.Second, 3 * time.Second, 4 * time.Second},
		},
	}
}

// keysOf shows the keys of clients, in the order of the settings.
func keysOf(f *config.File) string {
	var keys []string
	for _, k := range f.Settings.Security.Keys {
		keys = append(keys, fmt.Sprint(k.Name, "=", k.Value.Reveal(), k.Models))
	}
	return strings.Join(keys, " ")
}

// TestPrecedence sets each kind of key in every combination of sources: the highest one must win, and be named.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	for _, tt := range slices.Concat(pluginKinds(), coreKinds()) {
		for set := range 8 {
			t.Run(fmt.Sprintf("%s/%03b", tt.name, set), func(t *testing.T) {
				t.Parallel()
				s := newSuite(t)
				o := config.Options{Environ: noEnviron(), Dir: t.TempDir()}
				highest := config.SourceDefault
				if set&1 != 0 {
					highest = config.SourceFile
					o.Path = write(t, tt.key+" = "+tt.toml+"\n")
				}
				if set&2 != 0 {
					highest = config.SourceEnvironment
					o.Environ = []string{"CCPROXY__" + strings.ToUpper(strings.ReplaceAll(tt.key, ".", "__")) + "=" + tt.env}
				}
				if set&4 != 0 {
					highest = config.SourceOverride
					o.Override = map[string]any{tt.key: tt.override}
				}
				f, err := config.Load(&s.registry, o)
				if err != nil {
					t.Fatal(err)
				}
				w := wideDefaults()
				if strings.HasPrefix(tt.key, "plugins.") {
					w = s.built(t, f)
				}
				if diff := cmp.Diff(tt.want[highest], tt.get(f, w)); diff != "" {
					t.Errorf("%s mismatch (-want +got):\n%s", tt.key, diff)
				}
				checkSource(t, f, tt.key, highest)
			})
		}
	}
}

// checkSource finds the source of a key, or of what is in its table.
func checkSource(t *testing.T, f *config.File, key string, want config.Source) {
	t.Helper()
	for _, k := range []string{key, key + ".a.deep", key + ".a"} {
		if o, ok := f.Provenance(k); ok {
			if o.Source != want {
				t.Errorf("%s comes from %s (%d), want source %d", k, o, o.Source, want)
			}
			return
		}
	}
	if want != config.SourceDefault {
		t.Errorf("%s has no provenance", key)
	}
}

func TestTablesAreMergedAndListsReplaced(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	f, err := config.Load(&s.registry, config.Options{
		Path: write(t, `
[plugins.wide]
name = "file"
[[plugins.wide.items]]
deep = 7
[plugins.wide.labels]
b = "file"
c = "file"
[plugins.wide.instances.Main]
deep = 3
`),
		Environ: []string{
			"PLUGINS__WIDE__LABELS__C=env", `PLUGINS__WIDE={"count": 9, "labels": {"d": "json"}}`,
			"plugins__wide__instances__main__key=k", "PLUGINS__WIDE__ENABLED=true",
		},
		Override: map[string]any{"plugins.wide.labels": map[string]string{"e": "override"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := s.built(t, f)
	labels := map[string]string{"a": "default", "b": "file", "c": "env", "d": "json", "e": "override"}
	if diff := cmp.Diff(labels, w.Labels); diff != "" {
		t.Errorf("labels mismatch (-want +got):\n%s", diff)
	}
	if len(w.Items) != 1 || w.Items[0].Deep != 7 {
		t.Errorf("items = %v, want the file's one", w.Items)
	}
	if main := w.Instances["Main"]; len(w.Instances) != 1 || main.Deep != 3 || main.Key.Reveal() != "k" {
		t.Errorf("instances = %v, want Main of the file with the key of the environment", w.Instances)
	}
	if w.Name != "file" || w.Count != 9 {
		t.Errorf("name %q and count %d, want those of file and environment", w.Name, w.Count)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	f, err := config.Load(&s.registry, config.Options{Dir: t.TempDir(), Environ: noEnviron()})
	if err != nil {
		t.Fatal(err)
	}
	if f.Path != "" || len(f.Warnings) != 0 || f.Server.Address() != "127.0.0.1:8000" ||
		f.Logging != (config.Logging{Format: "auto"}) || f.Settings.Security.Hosts != nil || f.Settings.EnabledPlugins != nil {
		t.Errorf("Load without anything = %+v", f)
	}
	if f, err := config.Load(nil, config.Options{Dir: t.TempDir(), Environ: noEnviron()}); err != nil || f == nil {
		t.Errorf("Load without a registry = %v, %v", f, err)
	}
}

func TestEmptyAllowListIsNotNil(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]config.Options{
		"file":        {Path: write(t, "enabled_plugins = []\n"), Environ: noEnviron()},
		"environment": {Dir: t.TempDir(), Environ: []string{"ENABLED_PLUGINS=[]"}},
	} {
		s := newSuite(t)
		f, err := config.Load(&s.registry, o)
		if err != nil {
			t.Fatal(err)
		}
		if f.Settings.EnabledPlugins == nil {
			t.Errorf("%s: an empty allow list became nil, which means all", name)
		}
	}
}
