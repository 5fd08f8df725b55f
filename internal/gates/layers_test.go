package gates

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The layers of the root module and of the modules below it. A package imports
// packages of lower layers, and of its own layer only where the table says so.
const (
	layerInternal  = 1 // no knowledge of ccproxy
	layerContracts = 2 // hooks, formats, OAuth, limits, middleware: know nothing of plugins
	layerRoot      = 3 // contracts of plugins, registry and proxy
	layerToolkit   = 4 // what plugins are made with, and what sets a proxy up
	layerPlugins   = 5 // never each other
	layerBundled   = 6 // the list of plugins
	layerPrograms  = 7
)

// place is where a package stands: its layer, and the unit inside which packages
// may import each other whatever the layer says.
type place struct {
	layer int
	unit  string
}

// placeOf finds the place of a directory of the tree, "." for the root package. ok
// is false for a directory that has none yet.
func placeOf(dir string) (p place, ok bool) {
	segments := strings.Split(dir, "/")
	first, second := segments[0], ""
	if len(segments) > 1 {
		second = segments[1]
	}
	switch first {
	case ".":
		return place{layerRoot, "."}, true
	case "internal":
		return place{layerInternal, "internal"}, true
	case "hooks", "adapters", "limit", "middleware":
		return place{layerContracts, "contracts"}, true
	case "oauth":
		if second == "claude" || second == "codex" {
			return place{layerPlugins, path.Join(first, second)}, true
		}
		return place{layerContracts, "contracts"}, true
	case "providers":
		if second == "" || second == "providertest" || second == "internal" {
			return place{layerToolkit, first}, true
		}
		return place{layerPlugins, path.Join(first, second)}, true
	case "system":
		if second == "" {
			return place{}, false
		}
		return place{layerPlugins, path.Join(first, second)}, true
	case "config", "plugintest":
		return place{layerToolkit, first}, true
	case "bundled":
		return place{layerBundled, first}, true
	case "cmd", "examples", "bench", "test":
		return place{layerPrograms, path.Join(first, second)}, true
	}
	return place{}, false
}

// isTestHelper tells whether a directory holds doubles or suites for tests, by the
// ending that net/http/httptest has given such packages.
func isTestHelper(dir string) bool {
	return strings.HasSuffix(dir, "test") && dir != "test"
}

// layerFindings lists the imports of f that break the order. Tests may import
// upwards, since nothing imports them; no module may reach into another's internal.
func layerFindings(f *file, modules []module) []string {
	from, ok := placeOf(f.dir())
	if !ok {
		return []string{fmt.Sprintf("%s: the directory has no layer: give it one in placeOf", f.dir())}
	}
	var findings []string
	for _, spec := range f.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the compiler says it better
		}
		dir, owner, ours := locate(imported, modules)
		if !ours {
			continue
		}
		if owner != f.module && isInternal(imported) {
			findings = append(findings, fmt.Sprintf("%s: %s imports the internal package %s of another module",
				f.at(spec), f.importPath(), imported))
		}
		if f.isTest() {
			continue
		}
		if problem := crossing(from, f.dir(), dir); problem != "" {
			findings = append(findings, fmt.Sprintf("%s: %s imports %s: %s", f.at(spec), f.dir(), dir, problem))
		}
	}
	return findings
}

// crossing says what is wrong with an import from one directory to another, or "".
func crossing(from place, fromDir, toDir string) string {
	to, ok := placeOf(toDir)
	switch {
	case !ok:
		return "the directory has no layer: give it one in placeOf"
	case isTestHelper(toDir) && !isTestHelper(fromDir) && from.layer != layerPrograms:
		return "a package for tests"
	case from.unit == to.unit:
		return ""
	case from.layer == layerPlugins && to.layer == layerPlugins:
		return "plugins never import each other; meet through a service, a hook or a registry"
	case to.layer >= from.layer:
		return fmt.Sprintf("layer %d may not import layer %d", from.layer, to.layer)
	}
	return ""
}

// locate maps an import path to a directory of the tree and the module that owns it.
func locate(imported string, modules []module) (dir string, owner module, ours bool) {
	for _, m := range modules {
		if imported != m.path && !strings.HasPrefix(imported, m.path+"/") {
			continue
		}
		if ours && len(m.path) <= len(owner.path) {
			continue
		}
		dir = path.Join(m.dir, strings.TrimPrefix(imported, m.path))
		owner, ours = m, true
	}
	return dir, owner, ours
}

func isInternal(importPath string) bool {
	return strings.Contains(importPath+"/", "/internal/")
}

func TestImportLayers(t *testing.T) {
	t.Parallel()
	tr := theTree(t)
	var findings []string
	for _, f := range tr.files {
		if strings.HasPrefix(f.name, "tools/") {
			continue
		}
		findings = append(findings, layerFindings(f, tr.modules)...)
	}
	report(t, findings)
}

func TestLayerFindings(t *testing.T) {
	t.Parallel()
	root := module{path: rootModule, dir: "."}
	nested := module{path: rootModule + "/cmd/ccproxy", dir: "cmd/ccproxy"}
	tests := []struct {
		name    string
		file    string
		module  module
		imports string
		want    []string
	}{
		{name: "down", file: "system/a/a.go", module: root, imports: "hooks"},
		{name: "inside a plugin", file: "system/a/a.go", module: root, imports: "system/a/page"},
		{name: "beside among contracts", file: "hooks/a.go", module: root, imports: "adapters"},
		{name: "test upwards", file: "hooks/a_test.go", module: root, imports: "bundled"},
		{name: "third party", file: "hooks/a.go", module: root, imports: "/golang.org/x/sync/errgroup"},
		{
			name: "up", file: "hooks/a.go", module: root, imports: "providers",
			want: []string{"hooks/a.go:3: hooks imports providers: layer 2 may not import layer 4"},
		},
		{
			name: "internal knows root", file: "internal/sse/a.go", module: root, imports: "",
			want: []string{"internal/sse/a.go:3: internal/sse imports .: layer 1 may not import layer 3"},
		},
		{
			name: "root wires no plugin", file: "a.go", module: root, imports: "bundled",
			want: []string{"a.go:3: . imports bundled: layer 3 may not import layer 6"},
		},
		{
			name: "toolkit beside toolkit", file: "providers/a.go", module: root, imports: "config",
			want: []string{"providers/a.go:3: providers imports config: layer 4 may not import layer 4"},
		},
		{
			name: "plugin to plugin", file: "oauth/claude/a.go", module: root, imports: "providers/echo",
			want: []string{"oauth/claude/a.go:3: oauth/claude imports providers/echo: plugins never import each " +
				"other; meet through a service, a hook or a registry"},
		},
		{
			name: "package for tests", file: "providers/echo/a.go", module: root, imports: "providers/providertest",
			want: []string{"providers/echo/a.go:3: providers/echo imports providers/providertest: a package for tests"},
		},
		{
			name: "internal of another module", file: "cmd/ccproxy/a_test.go", module: nested, imports: "internal/sse",
			want: []string{"cmd/ccproxy/a_test.go:3: " + rootModule + "/cmd/ccproxy imports the internal package " +
				rootModule + "/internal/sse of another module"},
		},
		{name: "internal of its own module", file: "cmd/ccproxy/a.go", module: nested, imports: "cmd/ccproxy/internal/x"},
		{
			name: "unknown directory", file: "helpers/a.go", module: root, imports: "hooks",
			want: []string{"helpers: the directory has no layer: give it one in placeOf"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			imported := path.Join(rootModule, tt.imports)
			if after, ok := strings.CutPrefix(tt.imports, "/"); ok {
				imported = after
			}
			f := source(t, tt.file, fmt.Sprintf("package p\n\nimport _ %q\n", imported))
			f.module = tt.module
			got := layerFindings(f, []module{root, nested})
			if !slices.Equal(tt.want, got) {
				t.Errorf("findings = %q, want %q", got, tt.want)
			}
		})
	}
}
