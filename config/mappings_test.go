package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/config"
)

func TestConversionKeys(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(bundled.Factories()...); err != nil {
		t.Fatal(err)
	}
	path := write(t, `
strict_conversion = true

[[model_mappings.echo]]
match = "gpt-4o"
target = "echo-1"
kind = "prefix"
ignore_case = true

[plugins.openai_compat.instances.local]
base_url = "http://localhost:11434/v1"
`)
	f, err := config.Load(&reg, config.Options{Path: path, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]ccproxy.ModelRule{"echo": {{Match: "gpt-4o", Target: "echo-1", Kind: "prefix", IgnoreCase: true}}}
	if diff := cmp.Diff(want, f.Settings.ModelMappings); diff != "" || !f.Settings.StrictConversion {
		t.Errorf("strict %v, mappings (-want +got):\n%s", f.Settings.StrictConversion, diff)
	}
	if _, err := reg.Build(f.Settings); err != nil {
		t.Errorf("Build: %v", err)
	}
}

func TestModelCards(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(bundled.Factories()...); err != nil {
		t.Fatal(err)
	}
	path := write(t, `
[[models.echo]]
id = "echo-1"
display_name = "Echo"
owned_by = "us"
created = 2026-01-02T03:04:05Z
context_window = 200_000
max_output_tokens = 64_000
`)
	f, err := config.Load(&reg, config.Options{Path: path, Environ: []string{`CCPROXY__MODELS__LOCAL=[{"id":"a"}]`}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]ccproxy.Model{
		"echo": {{
			ID: "echo-1", DisplayName: "Echo", OwnedBy: "us", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			ContextWindow: 200_000, MaxOutputTokens: 64_000,
		}},
		"local": {{ID: "a"}},
	}
	if diff := cmp.Diff(want, f.Settings.Models); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	if _, err = reg.Build(f.Settings); err == nil || !strings.Contains(err.Error(), "models.local: no such provider") {
		t.Errorf("Build = %v, want an error that names models.local", err)
	}
}
