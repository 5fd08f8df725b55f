package gates

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// rootModule is the module that users import.
const rootModule = "github.com/ccproxy-go/ccproxy"

// generatedMark is the line that marks generated files, which the rules about
// writing leave alone.
var generatedMark = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// tree is the checkout, parsed.
type tree struct {
	root    string
	fset    *token.FileSet
	modules []module
	files   []*file
}

// module is a directory with a go.mod file.
type module struct {
	path string
	dir  string // slash-separated and relative to the tree; "." is the root module
}

// file is one Go file of a module, outside testdata.
type file struct {
	name   string // slash-separated and relative to the tree
	module module
	src    []byte
	ast    *ast.File
	fset   *token.FileSet
}

// dir is the file's directory relative to the tree, "." for the root package.
func (f *file) dir() string { return path.Dir(f.name) }

// importPath is the import path of the file's package, without the _test of a
// black-box test package.
func (f *file) importPath() string {
	if f.module.dir == "." {
		return path.Join(f.module.path, f.dir())
	}
	return path.Join(f.module.path, strings.TrimPrefix(strings.TrimPrefix(f.dir(), f.module.dir), "/"))
}

func (f *file) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

func (f *file) isGenerated() bool { return generatedMark.Match(f.src) }

// inProgram tells whether the file belongs to a program or to what only programs
// of this tree use; rules for a guest in somebody else's process do not hold there.
func (f *file) inProgram() bool {
	first, _, _ := strings.Cut(f.name, "/")
	return slices.Contains([]string{"cmd", "examples", "bench", "test"}, first)
}

// at says where a node is, as file:line.
func (f *file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.name, f.line(n.Pos()))
}

func (f *file) line(pos token.Pos) int { return f.fset.Position(pos).Line }

// importName is the name by which the file calls an imported package, or "" where
// it does not import it.
func (f *file) importName(importPath string) string {
	for _, spec := range f.ast.Imports {
		if got, _ := strconv.Unquote(spec.Path.Value); got != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

// code keeps the files that ship: no tests, nothing generated.
func (t *tree) code() []*file {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *file) bool {
		return f.isTest() || f.isGenerated()
	})
}

// parsed is the tree, read once for all tests.
var parsed = sync.OnceValues(func() (*tree, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return parseTree(filepath.Join(wd, "..", ".."))
})

func theTree(t *testing.T) *tree {
	t.Helper()
	tr, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func parseTree(root string) (*tree, error) {
	t := &tree{root: root, fset: token.NewFileSet()}
	var names []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir():
			if rel != "." && ignoredDir(d.Name()) {
				return filepath.SkipDir
			}
		case d.Name() == "go.mod":
			m, err := readModule(name, path.Dir(rel))
			if err != nil {
				return err
			}
			t.modules = append(t.modules, m)
		case strings.HasSuffix(rel, ".go"):
			names = append(names, rel)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f, err := t.parse(name)
		if err != nil {
			return nil, err
		}
		t.files = append(t.files, f)
	}
	return t, nil
}

// ignoredDir names what the go command ignores too.
func ignoredDir(name string) bool {
	return name == "testdata" || name == "vendor" || name == "node_modules" ||
		strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func readModule(name, dir string) (module, error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return module{}, err
	}
	for line := range bytes.Lines(src) {
		if after, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("module ")); ok {
			return module{path: string(bytes.TrimSpace(after)), dir: dir}, nil
		}
	}
	return module{}, errors.New(name + ": no module line")
}

func (t *tree) parse(name string) (*file, error) {
	src, err := os.ReadFile(filepath.Join(t.root, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	f, err := parseFile(t.fset, name, src)
	if err != nil {
		return nil, err
	}
	f.module = t.moduleOf(name)
	return f, nil
}

func parseFile(fset *token.FileSet, name string, src []byte) (*file, error) {
	parsed, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{name: name, src: src, ast: parsed, fset: fset}, nil
}

// moduleOf is the module with the longest directory that holds name.
func (t *tree) moduleOf(name string) module {
	var best module
	for _, m := range t.modules {
		if m.dir == "." && best.dir == "" {
			best = m
		}
		if strings.HasPrefix(name, m.dir+"/") && len(m.dir) >= len(best.dir) {
			best = m
		}
	}
	return best
}

// source parses one small file of a rule's own test, as part of the root module.
func source(t *testing.T, name, src string) *file {
	t.Helper()
	f, err := parseFile(token.NewFileSet(), name, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	f.module = module{path: rootModule, dir: "."}
	return f
}

// report fails the test once for each finding.
func report(t *testing.T, findings []string) {
	t.Helper()
	slices.Sort(findings)
	for _, f := range slices.Compact(findings) {
		t.Error(f)
	}
}
