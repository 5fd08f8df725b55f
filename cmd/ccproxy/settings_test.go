package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/cmd/ccproxy/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "rewrite the files in docs/ that are made of the settings")

// TestSettings holds that the files in docs/ that are made of the settings are what the command makes of them. With
// -update it writes them anew.
func TestSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, dir, "config", "init")
	run(t, dir, "config", "schema", "-o", ".")
	schema, err := os.ReadFile(filepath.Join(dir, "ccproxy.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "ccproxy.toml"))
	if err != nil {
		t.Fatal(err)
	}
	reference, err := settingsPage(schema)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{
		"ccproxy.schema.json": schema, "ccproxy.toml": file, "settings.md": reference,
	} {
		name = filepath.Join("..", "..", "docs", name)
		if *update {
			if err := os.WriteFile(name, want, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the settings are; make settings", name)
		}
	}
}

func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	o := command.Options{
		Factories: factories(), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Environ: []string{"HOME=" + dir}, Dir: dir,
	}
	if code := command.Run(t.Context(), o, args); code != command.ExitOK {
		t.Fatalf("%q: exit code %d\n%s", args, code, errs.String())
	}
}

// TestExampleFile holds that the example file is one: with every key that has a default taken in, it is valid.
func TestExampleFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, dir, "config", "init")
	name := filepath.Join(dir, "ccproxy.toml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	keys := 0
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "#"); ok && rest[0] != ' ' && !strings.Contains(rest, " = … # ") {
			all.WriteString(rest)
			keys++
		}
	}
	if keys < 100 {
		t.Errorf("%d keys", keys)
	}
	if err := os.WriteFile(name, []byte(all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "config", "validate", "ccproxy.toml")
}

// schema is the part of a JSON Schema that the page tells.
type schema struct {
	Type        any                `json:"type"`
	Description string             `json:"description"`
	Default     any                `json:"default"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	More        any                `json:"additionalProperties"`
	AnyOf       []any              `json:"anyOf"`
	WriteOnly   bool               `json:"writeOnly"`
	Enum        []string           `json:"enum"`
	Format      string             `json:"format"`
	Min         *float64           `json:"minimum"`
	Max         *float64           `json:"maximum"`
	Above       *float64           `json:"exclusiveMinimum"`
	Below       *float64           `json:"exclusiveMaximum"`
	MinLength   *float64           `json:"minLength"`
	MaxLength   *float64           `json:"maxLength"`
	MinItems    *float64           `json:"minItems"`
	MaxItems    *float64           `json:"maxItems"`
}

// settingsPage is the reference of all keys.
func settingsPage(document []byte) ([]byte, error) {
	var s schema
	if err := json.Unmarshal(document, &s); err != nil {
		return nil, err
	}
	var p page
	p.WriteString("# Settings\n\n" +
		"Every key of a configuration file, with the plugins that the command has. This page is made of the settings'\n" +
		"own comments and rules by `make settings`, as [ccproxy.toml](ccproxy.toml) and\n" +
		"[ccproxy.schema.json](ccproxy.schema.json) are, which `ccproxy config init` and `ccproxy config schema` write.\n" +
		"How they are used is in [configuration.md](configuration.md).\n\n" +
		"A duration is a number of seconds, or a string such as `\"1m30s\"`. Where the default is zero and the text names\n" +
		"another, zero stands for that. The variable of a key may have `CCPROXY__`\n" +
		"before its name. Keys below a list, or below a name of your choice, shown in capitals, have no variable of\n" +
		"their own: the list or the table does, in JSON.\n")
	p.table("", "Without a table", &s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if one := s.Properties[name]; name != "plugins" && one.Properties != nil {
			p.table(name, "`["+name+"]`", one)
		}
	}
	plugins := s.Properties["plugins"].Properties
	for _, name := range slices.Sorted(maps.Keys(plugins)) {
		p.table("plugins."+name, "`[plugins."+name+"]`", plugins[name])
	}
	return p.Bytes(), nil
}

// page is a page that is being written.
type page struct{ bytes.Buffer }

// table writes the keys of a table.
func (p *page) table(key, title string, s *schema) {
	fmt.Fprintf(p, "\n## %s\n\n", title)
	if s.Description != "" {
		fmt.Fprintf(p, "%s\n\n", sentence(s.Description))
	}
	p.WriteString("| key | type | default | variable | |\n| --- | --- | --- | --- | --- |\n")
	p.rows(key, s, true)
}

// rows writes a row for each key, those of tables within included. named tells that keys have variables.
func (p *page) rows(key string, s *schema, named bool) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		one, path := s.Properties[name], strings.TrimPrefix(key+"."+name, ".")
		if key == "" && one.Properties != nil { // a table with a heading of its own
			continue
		}
		if one.Properties != nil {
			p.rows(path, one, named)
			continue
		}
		variable := "–"
		if named {
			variable = "`" + strings.ToUpper(strings.ReplaceAll(path, ".", "__")) + "`"
		}
		fallback := byDefault(one)
		if slices.Contains(s.Required, name) {
			fallback = "required"
		}
		fmt.Fprintf(p, "| `%s` | %s | %s | %s | %s |\n", path, takes(one), fallback, variable,
			strings.ReplaceAll(one.Description, "|", "\\|"))
		if inner, below := one.elements(path); inner != nil && inner.Properties != nil {
			p.rows(below, inner, false)
		}
	}
}

// elements are what a list or a table of free keys holds, with the key below which they are shown.
func (s *schema) elements(path string) (inner *schema, below string) {
	if s.Items != nil {
		return s.Items.deep(path + "[]")
	}
	more, ok := s.More.(map[string]any)
	if !ok {
		return nil, ""
	}
	inner = new(schema)
	text, err := json.Marshal(more)
	if err != nil || json.Unmarshal(text, inner) != nil {
		return nil, ""
	}
	return inner.deep(path + ".NAME")
}

func (s *schema) deep(path string) (inner *schema, below string) {
	if s.Properties != nil {
		return s, path
	}
	return s.elements(path)
}

// takes says what a key takes, with the rules for it.
func takes(s *schema) string {
	kind, _ := s.Type.(string)
	switch {
	case len(s.Enum) > 0:
		return "`" + strings.Join(s.Enum, "`, `") + "`"
	case len(s.AnyOf) > 0:
		kind = "duration"
	case s.WriteOnly:
		kind = "secret"
	case s.Format == "uri":
		kind = "URL"
	case kind == "array" && s.Items != nil:
		kind = "list of " + takes(s.Items)
	case kind == "object":
		kind = "table"
	case kind == "":
		kind = "anything"
	}
	for _, rule := range []struct {
		text  string
		bound *float64
	}{
		{", at least %v", s.Min},
		{", at most %v", s.Max},
		{", more than %v", s.Above},
		{", less than %v", s.Below},
		{", %v characters or more", s.MinLength},
		{", at most %v characters", s.MaxLength},
		{", %v or more of them", s.MinItems},
		{", at most %v of them", s.MaxItems},
	} {
		if rule.bound != nil {
			kind += fmt.Sprintf(rule.text, *rule.bound)
		}
	}
	return kind
}

func byDefault(s *schema) string {
	if s.Default == nil || s.Default == "" {
		return "none"
	}
	text, err := json.Marshal(s.Default)
	if err != nil {
		return "none"
	}
	return "`" + string(text) + "`"
}

func sentence(s string) string { return strings.TrimSuffix(s, ".") + "." }
