package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// writeMods writes the go.mod files of the release into the checkout, and says what to tag.
func (r *release) writeMods(stdout io.Writer) error {
	for _, m := range r.modules {
		name := filepath.Join(r.root, filepath.FromSlash(m.dir), "go.mod")
		if err := os.WriteFile(name, m.mod, 0o644); err != nil { //nolint:gosec // as git has it
			return err
		}
	}
	fmt.Fprintln(stdout, "The go.mod files are written. Commit them, and tag that commit in this order:")
	for _, m := range r.modules {
		fmt.Fprintln(stdout, m.tag(r.version))
	}
	return nil
}

// writeProxy makes a module proxy of a new directory.
func (r *release) writeProxy(ctx context.Context, out string, stdout io.Writer) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(out); err == nil {
		return fmt.Errorf("%s is there already", out)
	}
	names, err := r.files(ctx)
	if err != nil {
		return err
	}
	stamp, err := r.time(ctx)
	if err != nil {
		return err
	}
	for _, m := range r.modules {
		if err := r.writeModule(m, out, names, stamp); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
	}
	fmt.Fprintf(stdout, "%d modules of version %s; to try them:\n\n", len(r.modules), r.version)
	fmt.Fprintf(stdout, "GOPROXY=\"file://%s,$(go env GOPROXY)\" GONOSUMDB=%s GOWORK=off go install %s@%s\n\n",
		filepath.ToSlash(out), r.modules[0].path, path.Join(r.modules[0].path, "cmd", "ccproxy"), r.version)
	return nil
}

// writeModule writes the four files by which the go command knows a version of a module.
func (r *release) writeModule(m released, out string, names []string, stamp time.Time) error {
	escaped, err := module.EscapePath(m.path)
	if err != nil {
		return err
	}
	dir := filepath.Join(out, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // to be served
		return err
	}
	var zipped bytes.Buffer
	if err := zip.Create(&zipped, module.Version{Path: m.path, Version: r.version}, r.content(m, names)); err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string    `json:"Version"`
		Time    time.Time `json:"Time"`
	}{r.version, stamp})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"list":              []byte(r.version + "\n"),
		r.version + ".info": info,
		r.version + ".mod":  m.mod,
		r.version + ".zip":  zipped.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil { //nolint:gosec // to be served
			return err
		}
	}
	return nil
}

// content lists the files of a module: those of its directory without those of modules below it, and the license.
func (r *release) content(m released, names []string) []zip.File {
	files := []zip.File{file{name: "go.mod", data: m.mod}}
	licensed := false
	for _, name := range names {
		rel, inside := name, true
		if m.dir != "." {
			rel, inside = strings.CutPrefix(name, m.dir+"/")
		}
		if !inside || rel == "go.mod" || nested(rel, m.dir, names) {
			continue
		}
		on := filepath.Join(r.root, filepath.FromSlash(name))
		if info, err := os.Lstat(on); err != nil || !info.Mode().IsRegular() {
			continue // deleted, and not yet committed
		}
		licensed = licensed || rel == "LICENSE"
		files = append(files, file{name: rel, on: on})
	}
	if !licensed {
		files = append(files, file{name: "LICENSE", on: filepath.Join(r.root, "LICENSE")})
	}
	return files
}

// nested tells whether a directory between a module's own and a file of it has a go.mod file.
func nested(rel, moduleDir string, names []string) bool {
	for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
		if _, found := slices.BinarySearch(names, path.Join(moduleDir, dir, "go.mod")); found {
			return true
		}
	}
	return false
}

// file is one file of a module, on the disk or else in memory.
type file struct {
	name string
	on   string
	data []byte
}

var _ zip.File = file{}

func (f file) Path() string { return f.name }

func (f file) Lstat() (fs.FileInfo, error) {
	if f.on == "" {
		return memory{f}, nil
	}
	return os.Lstat(f.on)
}

func (f file) Open() (io.ReadCloser, error) {
	if f.on == "" {
		return io.NopCloser(bytes.NewReader(f.data)), nil
	}
	return os.Open(f.on)
}

// memory is the information on a file that is in memory.
type memory struct{ file }

func (m memory) Name() string       { return path.Base(m.name) }
func (m memory) Size() int64        { return int64(len(m.data)) }
func (m memory) Mode() fs.FileMode  { return 0o644 }
func (m memory) ModTime() time.Time { return time.Time{} }
func (m memory) IsDir() bool        { return false }
func (m memory) Sys() any           { return nil }
