package config_test

import (
	"testing"

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
