package config_test

import (
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

func TestProvenance(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	path := write(t, `
[server]
host = "a"
  port = 1

[[security.api_keys]]
name = "a"
key = "`+secretValue+`"

[plugins.wide]
nested = { deep = 1, inner.key = "k" }
labels."a b" = "x"
count = 1
`)
	f, err := config.Load(&s.registry, config.Options{
		Path:     path,
		Environ:  []string{"server__PORT=2", "PLUGINS__WIDE__LABELS__A=" + secretValue},
		Override: map[string]any{"plugins.wide.count": 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"server.host":                     "F:3:1",
		"server.port":                     "environment server__PORT",
		"server.public_url":               "default",
		"limits.body_bytes":               "default",
		"enabled_plugins":                 "default",
		"security.api_keys":               "F:6:12",
		"security.api_keys[0].name":       "F:7:1",
		"security.api_keys[0].key":        "F:8:1",
		"plugins.wide.enabled":            "default",
		"plugins.wide.count":              "override",
		"plugins.wide.nested.deep":        "F:11:12",
		"plugins.wide.nested.inner.key":   "F:11:28",
		"plugins.wide.nested.key":         "default",
		`plugins.wide.labels."a b"`:       "F:12:8",
		"plugins.wide.labels.a":           "environment PLUGINS__WIDE__LABELS__A",
		"plugins.wide.region":             "default",
		"plugins.wide.optional.inner.key": "none",
		"plugins.spare.api_key":           "default",
		"plugins.plain.enabled":           "default",
		"plugins.wide.nested":             "none",
		"server":                          "none",
		"nonsense":                        "none",
	}
	got := make(map[string]string)
	for key := range maps.Keys(want) {
		got[key] = "none"
		if o, ok := f.Provenance(key); ok {
			got[key] = strings.ReplaceAll(o.String(), path, "F")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("provenance mismatch (-want +got):\n%s", diff)
	}
	all := f.Origins()
	for key, o := range all {
		if strings.Contains(key+o.String(), secretValue) {
			t.Errorf("%s: %s shows a value", key, o)
		}
	}
	clear(all)
	if _, ok := f.Provenance("server.host"); !ok {
		t.Error("Origins is no copy")
	}
}

// TestEveryFeatureHasAKey fails when the library has a feature that files cannot switch.
func TestEveryFeatureHasAKey(t *testing.T) {
	t.Parallel()
	f, err := config.Load(nil, config.Options{Dir: t.TempDir(), Environ: noEnviron()})
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for key := range f.Origins() {
		if strings.HasPrefix(key, "features.") {
			keys++
		}
	}
	if fields := reflect.TypeFor[ccproxy.Features]().NumField(); keys != fields {
		t.Errorf("%d keys for %d features", keys, fields)
	}
}

// TestEveryKeyIsDocumented looks for the keys in the page about configuration.
func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	f, err := config.Load(nil, config.Options{Dir: t.TempDir(), Environ: noEnviron()})
	if err != nil {
		t.Fatal(err)
	}
	for key := range f.Origins() {
		if !strings.Contains(string(page), "| `"+key+"` |") {
			t.Errorf("docs/configuration.md does not know %s", key)
		}
	}
}
