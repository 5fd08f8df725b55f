package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// release is what a checkout becomes under one version.
type release struct {
	root    string // of the checkout
	version string
	modules []released // each after those that it requires
}

// released is one module of a release.
type released struct {
	path     string
	dir      string // slash-separated and relative to the checkout; "." is the root module
	mod      []byte // the go.mod file as it is released
	requires []string
}

// tag is what git calls the module's version.
func (m released) tag(version string) string {
	if m.dir == "." {
		return version
	}
	return m.dir + "/" + version
}

// load finds the modules of the workspace that dir is in, and gives them their go.mod files.
func load(ctx context.Context, dir, version string) (*release, error) {
	work, err := output(ctx, dir, "go", "env", "GOWORK")
	if err != nil {
		return nil, err
	}
	root := filepath.Dir(strings.TrimSpace(string(work)))
	listing, err := output(ctx, root, "go", "list", "-m", "-json=Path,Dir")
	if err != nil {
		return nil, err
	}
	r := &release{root: root, version: version}
	for dec := json.NewDecoder(bytes.NewReader(listing)); ; {
		var listed struct {
			Path string `json:"Path"`
			Dir  string `json:"Dir"`
		}
		if err := dec.Decode(&listed); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(root, listed.Dir)
		if err != nil {
			return nil, err
		}
		if rel = filepath.ToSlash(rel); strings.HasPrefix(rel, "test/") {
			continue
		}
		if err := module.Check(listed.Path, version); err != nil {
			return nil, err
		}
		r.modules = append(r.modules, released{path: listed.Path, dir: rel})
	}
	for i := range r.modules {
		if err := r.rewrite(&r.modules[i]); err != nil {
			return nil, err
		}
	}
	if err := r.sort(); err != nil {
		return nil, err
	}
	return r, nil
}

// rewrite makes the go.mod file that a module is released with.
func (r *release) rewrite(m *released) error {
	name := filepath.Join(r.root, filepath.FromSlash(m.dir), "go.mod")
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	f, err := modfile.Parse(name, src, nil)
	if err != nil {
		return err
	}
	for _, replaced := range slices.Clone(f.Replace) {
		if replaced.New.Version != "" || !r.has(replaced.Old.Path) {
			return fmt.Errorf("%s replaces %s: nobody who installs the module would get that", name, replaced.Old.Path)
		}
		if err := f.DropReplace(replaced.Old.Path, replaced.Old.Version); err != nil {
			return err
		}
	}
	for _, required := range f.Require {
		if !r.has(required.Mod.Path) {
			continue
		}
		m.requires = append(m.requires, required.Mod.Path)
		if err := f.AddRequire(required.Mod.Path, r.version); err != nil {
			return err
		}
	}
	f.Cleanup()
	m.mod = modfile.Format(f.Syntax)
	return nil
}

func (r *release) has(path string) bool {
	return slices.ContainsFunc(r.modules, func(m released) bool { return m.path == path })
}

// sort puts each module behind those that it requires, since that is the order in which they can be fetched.
func (r *release) sort() error {
	var sorted release
	left := r.modules
	for len(left) > 0 {
		before := len(sorted.modules)
		for _, m := range left {
			if !slices.ContainsFunc(m.requires, func(path string) bool { return !sorted.has(path) }) {
				sorted.modules = append(sorted.modules, m)
			}
		}
		if len(sorted.modules) == before {
			return fmt.Errorf("the module %s requires one that requires it", left[0].path)
		}
		left = slices.DeleteFunc(left, func(m released) bool { return sorted.has(m.path) })
	}
	r.modules = sorted.modules
	return nil
}

// files lists what git tracks, or would track, in the order of their names.
func (r *release) files(ctx context.Context) ([]string, error) {
	listing, err := output(ctx, r.root, "git", "-c", "safe.directory=*",
		"ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	if err != nil {
		return nil, err
	}
	names := strings.Split(strings.TrimSuffix(string(listing), "\x00"), "\x00")
	slices.Sort(names)
	return names, nil
}

// committed fails if there is a file that no commit holds as it is.
func (r *release) committed(ctx context.Context) error {
	status, err := output(ctx, r.root, "git", "-c", "safe.directory=*", "status", "--porcelain")
	if err == nil && len(status) > 0 {
		err = fmt.Errorf("not all is committed (-dirty takes it as it is):\n%s", bytes.TrimRight(status, "\n"))
	}
	return err
}

// said fails where the library says that it is another version.
func (r *release) said() error {
	name := filepath.Join(r.root, "ccproxy.go")
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	constant := "const Version = " + strconv.Quote(strings.TrimPrefix(r.version, "v"))
	if !slices.Contains(strings.Split(string(src), "\n"), constant) {
		return fmt.Errorf("%s does not say that this is %s: change the constant Version", name, r.version)
	}
	return nil
}

// time is that of the last commit.
func (r *release) time(ctx context.Context) (time.Time, error) {
	stamp, err := output(ctx, r.root, "git", "-c", "safe.directory=*", "log", "-1", "--format=%cI")
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(string(stamp)))
	return t.UTC(), err
}

func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // go and git, as this file calls them
	cmd.Dir = dir
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, exit.Stderr)
	}
	return out, err
}
