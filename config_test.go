package ccproxy_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/middleware"
)

type innerConfig struct {
	Depth int `toml:"depth" validate:"gte=0,lte=9"`
}

type fullConfig struct {
	Key     ccproxy.Secret         `toml:"key"`
	URL     string                 `toml:"url" validate:"omitempty,http_url"`
	Wait    time.Duration          `toml:"wait" validate:"gte=0"`
	Count   int                    `toml:"count"`
	Ratio   float64                `toml:"ratio"`
	On      bool                   `toml:"on"`
	Names   []string               `toml:"names" validate:"dive,required"`
	Inner   innerConfig            `toml:"inner"`
	ByName  map[string]innerConfig `toml:"by_name" validate:"dive"`
	BaseURL string                 // base_url
}

func fullDefaults() *fullConfig {
	return &fullConfig{Count: 7, Wait: time.Second, Names: []string{"default"}}
}

const secretCanary = "sk-canary-1f0e9d8c7b"

// configured builds a proxy with one plugin and returns the configuration that the plugin gets to see.
func configured(t *testing.T, table map[string]any, opts ...ccproxy.Option) (*fullConfig, error) {
	t.Helper()
	a := &actor{}
	reg := registryOf(t, playedBy(ccproxy.Manifest{Name: "full", Config: ccproxy.ConfigFor(fullDefaults)}, a))
	s := ccproxy.Settings{}
	if table != nil {
		s.Plugins = map[string]map[string]any{"full": table}
	}
	p, err := reg.Build(s, opts...)
	if err != nil {
		return nil, err
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(t.Context())
	return ccproxy.ConfigOf[fullConfig](a.pc)
}

func TestConfigDecodes(t *testing.T) {
	t.Parallel()
	with := func(change func(*fullConfig)) fullConfig {
		c := *fullDefaults()
		change(&c)
		return c
	}
	wait := func(d time.Duration) fullConfig { return with(func(c *fullConfig) { c.Wait = d }) }
	tests := []struct {
		name  string
		table map[string]any
		want  fullConfig
	}{
		{"no table", nil, *fullDefaults()},
		{"enabled is not the plugin's", map[string]any{"enabled": true}, *fullDefaults()},
		{"seconds, int64", map[string]any{"wait": int64(90)}, wait(90 * time.Second)},
		{"seconds, int", map[string]any{"wait": 90}, wait(90 * time.Second)},
		{"seconds, uint8", map[string]any{"wait": uint8(90)}, wait(90 * time.Second)},
		{"seconds, float", map[string]any{"wait": 1.5}, wait(1500 * time.Millisecond)},
		{"duration in words", map[string]any{"wait": "1m30s"}, wait(90 * time.Second)},
		{"duration itself", map[string]any{"wait": time.Minute}, wait(time.Minute)},
		{"secret", map[string]any{"key": secretCanary}, with(func(c *fullConfig) { c.Key = ccproxy.NewSecret(secretCanary) })},
		{"snake case without a tag", map[string]any{"base_url": "x"}, with(func(c *fullConfig) { c.BaseURL = "x" })},
		{"nested", map[string]any{"inner": map[string]any{"depth": int64(3)}}, with(func(c *fullConfig) { c.Inner.Depth = 3 })},
		{
			"by name",
			map[string]any{"by_name": map[string]any{"a": map[string]any{"depth": 1}}},
			with(func(c *fullConfig) { c.ByName = map[string]innerConfig{"a": {1}} }),
		},
		{"list", map[string]any{"names": []any{"a", "b"}}, with(func(c *fullConfig) { c.Names = []string{"a", "b"} })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := configured(t, tt.table)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Key.Equal(tt.want.Key) {
				t.Error("the secret is another one")
			}
			if diff := cmp.Diff(fmt.Sprintf("%+v", tt.want), fmt.Sprintf("%+v", *got)); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		table map[string]any
		says  []string
	}{
		{"unknown key", map[string]any{"cuont": secretCanary}, []string{"plugins.full.cuont", `"count"`}},
		{"unknown nested key", map[string]any{"inner": map[string]any{"detph": secretCanary}}, []string{"plugins.full.inner.detph", `"inner.depth"`}},
		{"unknown key far from any", map[string]any{"zzzzzzzz": secretCanary}, []string{"plugins.full.zzzzzzzz"}},
		{"key in upper case", map[string]any{"Count": 1}, []string{"plugins.full.Count", `"count"`}},
		{"string for a number", map[string]any{"count": secretCanary}, []string{"plugins.full.count", "whole number"}},
		{"number for a string", map[string]any{"url": 5}, []string{"plugins.full.url", "a string"}},
		{"table for a secret", map[string]any{"key": map[string]any{"v": secretCanary}}, []string{"plugins.full.key"}},
		{"list for a secret", map[string]any{"key": []any{secretCanary}}, []string{"plugins.full.key"}},
		{"number for a secret", map[string]any{"key": 123456789}, []string{"plugins.full.key"}},
		{"string for a bool", map[string]any{"on": secretCanary}, []string{"plugins.full.on", "true or false"}},
		{"bad duration", map[string]any{"wait": secretCanary}, []string{"plugins.full.wait"}},
		{"duration that overflows", map[string]any{"wait": int64(math.MaxInt64)}, []string{"plugins.full.wait", "does not fit"}},
		{"duration beyond any", map[string]any{"wait": math.Inf(1)}, []string{"plugins.full.wait", "does not fit"}},
		{"duration that is no number", map[string]any{"wait": math.NaN()}, []string{"plugins.full.wait", "does not fit"}},
		{"negative duration", map[string]any{"wait": -1}, []string{"plugins.full.wait", "gte=0"}},
		{"not a URL", map[string]any{"url": "ftp://" + secretCanary}, []string{"plugins.full.url", "http_url"}},
		{"nested rule", map[string]any{"inner": map[string]any{"depth": 10}}, []string{"plugins.full.inner.depth", "lte=9"}},
		{"rule in a map", map[string]any{"by_name": map[string]any{"a": map[string]any{"depth": 10}}}, []string{"plugins.full.by_name[a].depth"}},
		{"rule in a list", map[string]any{"names": []any{"a", ""}}, []string{"plugins.full.names[1]", "required"}},
		{"enabled is not a bool", map[string]any{"enabled": secretCanary}, []string{"plugins.full.enabled", "true or false"}},
		{
			"everything that is wrong",
			map[string]any{"count": secretCanary, "on": 5.5, "wait": secretCanary},
			[]string{"plugins.full.count", "plugins.full.on", "plugins.full.wait"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := configured(t, tt.table)
			if !errors.Is(err, ccproxy.ErrConfig) {
				t.Fatalf("Build = %v, want ErrConfig", err)
			}
			for _, s := range tt.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("error %q does not say %q", err, s)
				}
			}
			noCanary(t, "the error", err.Error())
		})
	}
}

// noCanary fails when text holds the secret, plain or in base64.
func noCanary(t *testing.T, where, text string) {
	t.Helper()
	forms := []string{secretCanary, base64.StdEncoding.EncodeToString([]byte(secretCanary)), base64.RawURLEncoding.EncodeToString([]byte(secretCanary))}
	for _, form := range forms {
		if strings.Contains(text, form) {
			t.Errorf("%s shows a secret: %s", where, text)
		}
	}
}

func TestAllErrorsAreJoined(t *testing.T) {
	t.Parallel()
	reg := registryOf(t,
		plain(ccproxy.Manifest{Name: "first", Config: ccproxy.ConfigFor(fullDefaults)}),
		plain(ccproxy.Manifest{Name: "second"}),
		plain(ccproxy.Manifest{Name: "third", Configure: func(any, *ccproxy.Manifest) error { return errPlanned }}),
	)
	_, err := reg.Build(ccproxy.Settings{
		EnabledPlugins: []string{"first", "second", "third", "fisrt"}, DisabledPlugins: []string{"secnd"},
		Plugins: map[string]map[string]any{
			"first": {"count": "x", "wiat": 1}, "second": {"any": 1}, "thirdd": {"x": secretCanary},
		},
	}, ccproxy.WithPluginConfig("fourth", 1), ccproxy.WithPublicURL("/relative"), ccproxy.WithMiddleware(nil))
	if !errors.Is(err, ccproxy.ErrConfig) || !errors.Is(err, errPlanned) {
		t.Fatalf("Build = %v", err)
	}
	for _, s := range []string{
		"plugins.first.count", "plugins.second.any", "plugins.third: planned failure",
		`plugins.thirdd: no plugin "thirdd" is registered (did you mean "third"?)`,
		`enabled_plugins: no plugin "fisrt" is registered (did you mean "first"?)`,
		`disabled_plugins: no plugin "secnd" is registered (did you mean "second"?)`,
		`WithPluginConfig: no plugin "fourth"`, "WithPublicURL", "WithMiddleware",
	} {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error does not say %q:\n%v", s, err)
		}
	}
	noCanary(t, "the error", err.Error())
}

func TestPublicURLs(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"https://example.com/llm/": true, "http://localhost:8080": true, "example.com": false, "ftp://example.com": false,
		"https://": false, "https://example.com?x=1": false, "https://example.com#x": false,
		"https://user:" + secretCanary + "@example.com": false, "https://exa mple.com": false,
	} {
		_, err := registryOf(t).Build(ccproxy.Settings{}, ccproxy.WithPublicURL(address))
		if (err == nil) != ok {
			t.Errorf("WithPublicURL(%q): %v", address, err)
		}
		if err != nil {
			noCanary(t, "the error", err.Error())
		}
	}
}

func TestWithPluginConfig(t *testing.T) {
	t.Parallel()
	t.Run("wins over the table and the defaults", func(t *testing.T) {
		t.Parallel()
		got, err := configured(t, map[string]any{"count": 1}, ccproxy.WithPluginConfig("full", fullConfig{Count: 3}))
		if err != nil || got.Count != 3 || got.Wait != 0 {
			t.Errorf("configuration = %+v, %v", got, err)
		}
	})
	t.Run("the table is checked all the same", func(t *testing.T) {
		t.Parallel()
		_, err := configured(t, map[string]any{"cuont": 1}, ccproxy.WithPluginConfig("full", fullConfig{}))
		if err == nil || !strings.Contains(err.Error(), "plugins.full.cuont") {
			t.Errorf("Build = %v", err)
		}
	})
	t.Run("is validated", func(t *testing.T) {
		t.Parallel()
		_, err := configured(t, nil, ccproxy.WithPluginConfig("full", fullConfig{Inner: innerConfig{10}}))
		if err == nil || !strings.Contains(err.Error(), "plugins.full.inner.depth") {
			t.Errorf("Build = %v", err)
		}
	})
	t.Run("of another type", func(t *testing.T) {
		t.Parallel()
		_, err := configured(t, nil, ccproxy.WithPluginConfig("full", innerConfig{}))
		if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), "innerConfig") {
			t.Errorf("Build = %v", err)
		}
	})
	t.Run("one option for two proxies", func(t *testing.T) {
		t.Parallel()
		opt := ccproxy.WithPluginConfig("full", fullConfig{Count: 1})
		first, err1 := configured(t, nil, opt)
		second, err2 := configured(t, nil, opt)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		first.Count = 2
		if second.Count != 1 {
			t.Error("two proxies share one configuration")
		}
	})
}

func TestBuildCopiesSettings(t *testing.T) {
	t.Parallel()
	list, strs, ints, nested := []any{"a"}, []string{"a"}, []int{1}, map[string]string{"k": "a"}
	table := map[string]any{"list": list, "strs": strs, "ints": ints, "nested": nested, "null": []any{nil}}
	type loose struct {
		List, Null []any
		Strs       []string
		Ints       []int
		Nested     map[string]string
	}
	a := &actor{}
	allowed := []string{"x"}
	p := built(t, ccproxy.Settings{EnabledPlugins: allowed, Plugins: map[string]map[string]any{"x": table}},
		[]ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "x", Config: ccproxy.ConfigFor[loose](nil)}, a)})
	list[0], strs[0], ints[0], nested["k"], allowed[0] = "b", "b", 2, "b", "y"
	table["new"] = 1
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(t.Context())
	want := map[string]map[string]any{"x": {
		"list": []any{"a"}, "strs": []string{"a"}, "ints": []int{1}, "nested": map[string]string{"k": "a"}, "null": []any{nil},
	}}
	if diff := cmp.Diff(want, a.pc.Settings.Plugins); diff != "" {
		t.Errorf("settings that the plugin sees (-want +got):\n%s", diff)
	}
	if !slices.Equal(a.pc.Settings.EnabledPlugins, []string{"x"}) {
		t.Errorf("allow list = %v", a.pc.Settings.EnabledPlugins)
	}
}

func TestSettingsPrintNoValues(t *testing.T) {
	t.Parallel()
	s := ccproxy.Settings{Plugins: map[string]map[string]any{"x": {"api_key": secretCanary}}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "settings", s)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "settings", s)
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), log.String()} {
		noCanary(t, "the text", text)
		if !strings.Contains(text, "api_key") {
			t.Errorf("text %q does not name the key", text)
		}
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	type config struct{ Prefixes []string }
	configure := func(change func(m *ccproxy.Manifest)) func(any, *ccproxy.Manifest) error {
		return func(_ any, m *ccproxy.Manifest) error { change(m); return nil }
	}
	tests := []struct {
		name      string
		configure func(any, *ccproxy.Manifest) error
		want      error
	}{
		{"error", func(any, *ccproxy.Manifest) error { return errPlanned }, errPlanned},
		{"panic", func(any, *ccproxy.Manifest) error { panic("canary") }, ccproxy.ErrPanic},
		{"panic nil", func(any, *ccproxy.Manifest) error { panicWith(nil); return nil }, ccproxy.ErrPanic},
		{"name", configure(func(m *ccproxy.Manifest) { m.Name = "other" }), ccproxy.ErrInvalidManifest},
		{"kind", configure(func(m *ccproxy.Manifest) { m.Kind = ccproxy.KindAuth }), ccproxy.ErrInvalidManifest},
		{"dependencies", configure(func(m *ccproxy.Manifest) { m.Dependencies = []string{"x"} }), ccproxy.ErrInvalidManifest},
		{"provides", configure(func(m *ccproxy.Manifest) { m.Provides = append(m.Provides, "x") }), ccproxy.ErrInvalidManifest},
		{"provides, in place", configure(func(m *ccproxy.Manifest) { m.Provides[0] = "x" }), ccproxy.ErrInvalidManifest},
		{"requires", configure(func(m *ccproxy.Manifest) { m.Requires = []string{"x"} }), ccproxy.ErrInvalidManifest},
		{"optional requires", configure(func(m *ccproxy.Manifest) { m.OptionalRequires = []string{"x"} }), ccproxy.ErrInvalidManifest},
		{"a bad route", configure(func(m *ccproxy.Manifest) { m.Routes = []ccproxy.RouteSpec{{Prefix: "x"}} }), ccproxy.ErrInvalidManifest},
		{"routes", configure(func(m *ccproxy.Manifest) { m.Routes = append(m.Routes, routeOf("made")) }), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reg := registryOf(t, plain(ccproxy.Manifest{Name: "inst", Provides: []string{"svc"}, Configure: tt.configure}))
			_, err := reg.Build(ccproxy.Settings{})
			if !errors.Is(err, tt.want) {
				t.Fatalf("Build = %v, want %v", err, tt.want)
			}
			if perr, ok := errors.AsType[*ccproxy.PluginError](err); tt.want != nil && (!ok || perr.Plugin != "inst" || perr.Op != "configure") {
				t.Errorf("Build = %#v, want a PluginError", err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("error shows the value of a panic: %v", err)
			}
		})
	}
	t.Run("each Build has a manifest of its own", func(t *testing.T) {
		t.Parallel()
		reg := registryOf(t, plain(ccproxy.Manifest{
			Name: "inst", Config: ccproxy.ConfigFor[config](nil), Routes: []ccproxy.RouteSpec{routeOf("base")},
			Configure: func(cfg any, m *ccproxy.Manifest) error {
				m.Routes[0].Endpoints[0].Pattern = "/changed"
				for _, p := range cfg.(*config).Prefixes {
					m.Routes = append(m.Routes, routeOf(p))
				}
				return nil
			},
		}))
		for _, prefixes := range [][]any{{"a"}, {"b", "c"}} {
			p, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{"inst": {"prefixes": prefixes}}})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, prefix := range prefixes {
				if got := visit(p, "GET", "/"+prefix.(string), "").Code; got != 200 {
					t.Errorf("GET /%s = %d", prefix, got)
				}
			}
			if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}
		m := reg.Manifests()[0]
		if len(m.Routes) != 1 || m.Routes[0].Endpoints[0].Pattern != "" {
			t.Errorf("Configure changed the registered manifest: %+v", m.Routes)
		}
	})
}

// A wrong rule or default of a plugin is an error of Build, not a panic in the application.
func TestBrokenConfigSpecs(t *testing.T) {
	t.Parallel()
	type unruly struct {
		X int `validate:"no_such_rule"`
	}
	for name, spec := range map[string]ccproxy.ConfigSpec{
		"unknown rule":  ccproxy.ConfigFor[unruly](nil),
		"nil defaults":  ccproxy.ConfigFor(func() *fullConfig { return nil }),
		"panic":         ccproxy.ConfigFor(func() *fullConfig { panic("canary") }),
		"not a struct":  ccproxy.ConfigFor[int](nil),
		"not a struct2": ccproxy.ConfigFor[middleware.Func](nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := registryOf(t, plain(ccproxy.Manifest{Name: "broken", Config: spec})).Build(ccproxy.Settings{})
			if perr, ok := errors.AsType[*ccproxy.PluginError](err); !ok || perr.Plugin != "broken" {
				t.Errorf("Build = %v, want an error of the plugin", err)
			}
		})
	}
}
