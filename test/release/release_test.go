package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// example is a checkout with a module for users, two below it that need each other's order, and one for tests.
var example = map[string]string{
	"go.work":    "go 1.26.0\n\nuse (\n\t.\n\t./a/cmd\n\t./b\n\t./test/x\n)\n",
	".gitignore": "/built/\n",
	"LICENSE":    "free\n",
	"go.mod":     "module example.com/m\n\ngo 1.26.0\n",
	"m.go":       "package m\n",
	"ccproxy.go": "package m\n\nconst Version = \"0.2.0\"\n",
	"a/a.go":     "package a\n",
	"built/big":  "not of the release\n",
	"a/cmd/go.mod": "module example.com/m/a/cmd\n\ngo 1.26.0\n\nreplace example.com/m => ../..\n\n" +
		"replace example.com/m/b => ../../b\n\nrequire (\n\texample.com/m v0.0.0\n\texample.com/m/b v0.0.0 // why\n" +
		"\texample.org/third v1.2.3\n)\n",
	"a/cmd/main.go": "package main\n\nfunc main() {}\n",
	"b/go.mod":      "module example.com/m/b\n\ngo 1.26.0\n\nreplace example.com/m => ..\n\nrequire example.com/m v0.0.0\n",
	"b/b.go":        "package b\n",
	"b/LICENSE":     "freer\n",
	"test/x/go.mod": "module example.com/m/test/x\n\ngo 1.26.0\n",
	"test/x/x.go":   "package x\n",
}

// checkout makes a repository of files.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "."},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "x"},
	} {
		if _, err := output(t.Context(), dir, "git", args...); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// changed is the example with another content of one file.
func changed(name, content string) map[string]string {
	files := maps.Clone(example)
	files[name] = content
	return files
}

func TestProxyHoldsWhatATagWould(t *testing.T) {
	t.Parallel()
	r, err := load(t.Context(), checkout(t, example), "v0.3.0-rc.1")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "proxy")
	if err := r.writeProxy(t.Context(), out, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"example.com/m":       {".gitignore", "LICENSE", "a/a.go", "ccproxy.go", "go.mod", "go.work", "m.go"},
		"example.com/m/b":     {"LICENSE", "b.go", "go.mod"},
		"example.com/m/a/cmd": {"LICENSE", "go.mod", "main.go"},
	}
	for path, names := range want {
		dir := unzipped(t, out, path, r.version)
		if diff := cmp.Diff(names, listed(t, dir)); diff != "" {
			t.Errorf("files of %s (-want +got):\n%s", path, diff)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "example.com", "m", "test")); err == nil {
		t.Error("a module for tests is released")
	}
	if b, err := os.ReadFile(filepath.Join(unzipped(t, out, "example.com/m/b", r.version), "LICENSE")); string(b) != "freer\n" {
		t.Errorf("a license of its own: %q, %v", b, err)
	}
	wantMod := "module example.com/m/a/cmd\n\ngo 1.26.0\n\n" +
		"require (\n\texample.com/m v0.3.0-rc.1\n\texample.com/m/b v0.3.0-rc.1 // why\n\texample.org/third v1.2.3\n)\n"
	for _, name := range []string{
		filepath.Join(out, "example.com", "m", "a", "cmd", "@v", "v0.3.0-rc.1.mod"),
		filepath.Join(unzipped(t, out, "example.com/m/a/cmd", r.version), "go.mod"),
	} {
		b, err := os.ReadFile(name)
		if diff := cmp.Diff(wantMod, string(b)); diff != "" {
			t.Errorf("go.mod (-want +got):\n%s%v", diff, err)
		}
	}
}

func TestTagsInOrder(t *testing.T) {
	t.Parallel()
	r, err := load(t.Context(), checkout(t, example), "v0.3.0")
	if err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	if err := r.writeMods(&stdout); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if diff := cmp.Diff([]string{"v0.3.0", "b/v0.3.0", "a/cmd/v0.3.0"}, lines[1:]); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if err := r.said(); err == nil || !strings.Contains(err.Error(), "v0.3.0") {
		t.Errorf("a library that says v0.2.0: %v", err)
	}
	if err := r.committed(t.Context()); err == nil || !strings.Contains(err.Error(), "a/cmd/go.mod") {
		t.Errorf("after writing the files: %v", err)
	}
	again, err := load(t.Context(), r.root, "v0.3.0")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range again.modules {
		if !bytes.Equal(m.mod, r.modules[i].mod) {
			t.Errorf("%s is changed once more:\n%s", m.path, m.mod)
		}
	}
}

func TestNoRelease(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, content, version, want string
	}{
		{name: "no version", version: "0.1", want: "0.1"},
		{name: "another major version", version: "v2.0.0", want: "v2"},
		{
			name: "fork", version: "v0.1.0", file: "b/go.mod", want: "replaces example.org/third",
			content: "module example.com/m/b\n\ngo 1.26.0\n\nreplace example.org/third => example.org/mine v1.0.0\n",
		},
		{
			name: "circle", version: "v0.1.0", file: "go.mod", want: "requires one that requires it",
			content: "module example.com/m\n\ngo 1.26.0\n\nreplace example.com/m/b => ./b\n\nrequire example.com/m/b v0.0.0\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := example
			if tt.file != "" {
				files = changed(tt.file, tt.content)
			}
			if _, err := load(t.Context(), checkout(t, files), tt.version); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("load = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestThisCheckout makes the release that would be made now.
func TestThisCheckout(t *testing.T) {
	t.Parallel()
	r, err := load(t.Context(), ".", "v0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	const root = "github.com/ccproxy-go/ccproxy"
	if first := r.modules[0].path; first != root {
		t.Errorf("%s comes first", first)
	}
	if last := r.modules[len(r.modules)-1].path; last != root+"/cmd/ccproxy" {
		t.Errorf("%s comes last", last)
	}
	for _, m := range r.modules {
		f, err := modfile.Parse("go.mod", m.mod, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Replace)+len(f.Exclude) > 0 {
			t.Errorf("%s cannot be installed: it replaces or excludes", m.path)
		}
		for _, required := range f.Require {
			if strings.HasPrefix(required.Mod.Path, root) && required.Mod.Version != r.version {
				t.Errorf("%s requires %s", m.path, required.Mod)
			}
		}
	}
}

// unzipped has the module's files as the go command has them.
func unzipped(t *testing.T, proxy, path, version string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "module")
	name := filepath.Join(proxy, filepath.FromSlash(path), "@v", version+".zip")
	if err := zip.Unzip(dir, module.Version{Path: path, Version: version}, name); err != nil {
		t.Fatal(err)
	}
	return dir
}

func listed(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-version", "v0.1.0"}, {"-out", "x"}, {"-version", "v0.1.0", "-out", "x", "-write"}} {
		if err := run(context.Background(), args, new(bytes.Buffer)); err == nil {
			t.Errorf("run(%q) succeeds", args)
		}
	}
}
