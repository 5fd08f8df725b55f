package gates

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLinkedModules holds what an embedder's binary takes on: the third-party
// modules that the root package and the smallest useful program link.
func TestLinkedModules(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		dir    string
		golden string
		limit  int
	}{
		{name: "root", dir: ".", golden: "linked-root.txt", limit: 16},
		{name: "mount", dir: "examples/mount", golden: "linked-mount.txt", limit: 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := theTree(t)
			if !slices.ContainsFunc(tr.code(), func(f *file) bool { return f.dir() == tt.dir }) {
				t.Skipf("no package in %s yet", tt.dir)
			}
			linked := linkedModules(t, tr.root, path.Join(rootModule, tt.dir))
			if len(linked) > tt.limit {
				t.Errorf("%d modules linked, at most %d are allowed; what needs more belongs in a module of its own",
					len(linked), tt.limit)
			}
			compareGolden(t, tt.golden, linked,
				"An embedder inherits each of these. If it is worth that, run: make api")
		})
	}
}

// linkedModules lists the third-party modules of the packages that importPath is
// built from, for one fixed system, as an embedder gets them: without the workspace.
func linkedModules(t *testing.T, root, importPath string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Module", importPath)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%s: %v\n%s", cmd, err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var linked []string
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct{ Module *struct{ Path string } }
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if pkg.Module != nil && pkg.Module.Path != rootModule {
			linked = append(linked, pkg.Module.Path)
		}
	}
	slices.Sort(linked)
	return slices.Compact(linked)
}

// TestWorkspace holds that go.work names every module but the tools, since a module
// that it leaves out is neither tested nor linted.
func TestWorkspace(t *testing.T) {
	t.Parallel()
	tr := theTree(t)
	src, err := os.ReadFile(filepath.Join(tr.root, "go.work"))
	if err != nil {
		t.Fatal(err)
	}
	used := workspaceDirs(string(src))
	for _, m := range tr.modules {
		if m.dir != "tools" && !slices.Contains(used, m.dir) {
			t.Errorf("go.work does not use %s: add the line: use ./%s", m.path, m.dir)
		}
		if want := path.Join(rootModule, m.dir); m.path != want {
			t.Errorf("%s/go.mod: module %s, want %s", m.dir, m.path, want)
		}
	}
}

// usedDir finds the directories of use lines and of use blocks.
var usedDir = regexp.MustCompile(`(?m)^(?:use[ \t]+|[ \t]+)(\.[^\s()]*)`)

func workspaceDirs(src string) []string {
	var dirs []string
	for _, m := range usedDir.FindAllStringSubmatch(src, -1) {
		dirs = append(dirs, path.Clean(m[1]))
	}
	return dirs
}

func TestWorkspaceDirs(t *testing.T) {
	t.Parallel()
	got := workspaceDirs("go 1.26.0\n\nuse .\nuse ./cmd/x\n\nuse (\n\t./test/y\n\t./z // why\n)\n")
	if want := []string{".", "cmd/x", "test/y", "z"}; !slices.Equal(got, want) {
		t.Errorf("workspaceDirs = %q, want %q", got, want)
	}
}
