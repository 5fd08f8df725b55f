package config_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// shownConfig has a key of each sort.
type shownConfig struct {
	APIKey   ccproxy.Secret    `toml:"api_key"`
	OldKey   string            `toml:"old_key"`
	Address  string            `toml:"address" validate:"omitempty,http_url"`
	Wait     time.Duration     `toml:"wait" validate:"gte=0"`
	Size     int               `toml:"size" validate:"gte=1,lte=9"`
	Headers  map[string]string `toml:"headers"`
	Tables   []shownTable      `toml:"tables" validate:"max=3,dive"`
	Mode     string            `toml:"mode" validate:"oneof=fast slow"`
	Free     map[string]any    `toml:"free"`
	Optional *shownTable       `toml:"optional"`
}

type shownTable struct {
	Name  string         `toml:"name" validate:"required"`
	Token ccproxy.Secret `toml:"token"`
	Inner []shownTable   `toml:"inner"`
}

func shownRegistry(t *testing.T) *ccproxy.Registry {
	t.Helper()
	reg := new(ccproxy.Registry)
	err := reg.Register(ccproxy.NewFactory(ccproxy.Manifest{
		Name: "shown", Description: "Has keys", DefaultOff: true,
		Config: ccproxy.ConfigFor(func() *shownConfig { return &shownConfig{Wait: time.Minute, Size: 3, Mode: "fast"} }),
	}, nil))
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

// TestEntries shows values and their places, and nothing that is secret.
func TestEntries(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ccproxy.toml")
	const text = `[plugins.shown]
enabled = true
api_key = "hush"
old_key = "hush"
address = "https://somebody:hush@example.com/"
wait = 90
headers = { X-Any = "hush" }
tables = [{ name = "one", token = "hush" }]
free = { password = "hush", "two words" = [1, true] }
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := config.Load(shownRegistry(t), config.Options{
		Path: path, Environ: []string{"PLUGINS__SHOWN__SIZE=5", "SECURITY__AUTH_TOKEN=hush-2f9d71b04c6e"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][3]string)
	for _, e := range f.Entries() {
		if strings.HasPrefix(e.Key, "plugins.shown.") || e.Key == "security.auth_token" {
			got[strings.TrimPrefix(e.Key, "plugins.shown.")] = [3]string{
				e.Value, e.Default, strings.ReplaceAll(e.Origin.String(), path, "FILE"),
			}
		}
		if strings.Contains(e.Value+e.Default, "hush") {
			t.Errorf("%s shows a secret: %s", e.Key, e.Value)
		}
	}
	want := map[string][3]string{
		"security.auth_token": {`"***"`, "", "environment SECURITY__AUTH_TOKEN"},
		"enabled":             {"true", "false", "FILE:2:1"},
		"api_key":             {`"***"`, "", "FILE:3:1"},
		"old_key":             {`"***"`, "", "FILE:4:1"},
		"address":             {`"https://redacted@example.com/"`, `""`, "FILE:5:1"},
		"wait":                {`"1m30s"`, `"1m0s"`, "FILE:6:1"},
		"size":                {"5", "3", "environment PLUGINS__SHOWN__SIZE"},
		"headers":             {`{X-Any = "***"}`, "", "FILE:7:13"},
		"tables":              {`[{name = "one", token = "***"}]`, "", "FILE:8:1"},
		"mode":                {`"fast"`, `"fast"`, "default"},
		"free":                {`{"two words" = [1, true], password = "***"}`, "", "FILE:9:10"},
		"optional":            {"", "", "default"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSchema holds the schema against the rules of the types.
func TestSchema(t *testing.T) {
	t.Parallel()
	raw, err := config.Schema(shownRegistry(t))
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	at := func(path string) any {
		now := schema
		for step := range strings.FieldsSeq(path) {
			table, _ := now.(map[string]any)
			now = table[step]
		}
		return now
	}
	const plugin = "properties plugins properties shown "
	tests := map[string]any{
		"additionalProperties":                                         false,
		"properties plugins additionalProperties":                      false,
		"properties server properties port maximum":                    65535.0,
		"properties server properties port default":                    8000.0,
		"properties server properties public_url format":               "uri",
		"properties security properties auth_token writeOnly":          true,
		"properties security properties api_keys items required":       []any{"name", "key"},
		"properties model_mappings additionalProperties type":          "array",
		plugin + "description":                                         "Has keys",
		plugin + "properties enabled default":                          false,
		plugin + "properties api_key default":                          nil,
		plugin + "properties size minimum":                             1.0,
		plugin + "properties size default":                             3.0,
		plugin + "properties wait default":                             "1m0s",
		plugin + "properties mode enum":                                []any{"fast", "slow"},
		plugin + "properties tables maxItems":                          3.0,
		plugin + "properties tables items required":                    []any{"name"},
		plugin + "properties tables items properties inner items type": "object",
		plugin + "properties headers additionalProperties type":        "string",
		plugin + "properties optional type":                            "object",
		plugin + "required":                                            nil,
	}
	for path, want := range tests {
		if diff := cmp.Diff(want, at(path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}
