package gates

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// exampled are the packages whose concepts have to be shown at work.
func exampled() []string {
	return []string{
		".", "hooks", "adapters", "oauth", "oauth/store", "providers", "middleware", "config", "plugintest", "limit",
	}
}

// TestConceptsHaveExamples holds that exported types and functions of the packages that users import are part of an
// example whose output is checked.
func TestConceptsHaveExamples(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, f := range theTree(t).files {
		if f.isTest() {
			for _, name := range shownNames(f) {
				shown[name] = true
			}
		}
	}
	for _, f := range theTree(t).code() {
		if f.module.dir != "." || !slices.Contains(exampled(), f.dir()) {
			continue
		}
		for _, name := range concepts(f) {
			if !shown[f.importPath()+"."+name] {
				t.Errorf("%s is in no example with an output", path.Join(f.dir(), name))
			}
		}
	}
}

// concepts are the exported types and functions of a file.
func concepts(f *file) []string {
	var names []string
	for _, decl := range f.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() {
					names = append(names, s.Name.Name)
				}
			}
		}
	}
	return names
}

// shownNames are what a file with an example uses of other packages: an example is shown with its whole file where
// that has declarations of its own.
func shownNames(f *file) []string {
	if !hasExample(f) {
		return nil
	}
	imports := map[string]string{}
	for _, spec := range f.ast.Imports {
		importPath := strings.Trim(spec.Path.Value, `"`)
		imports[f.importName(importPath)] = importPath
	}
	var names []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && imports[x.Name] != "" {
				names = append(names, imports[x.Name]+"."+s.Sel.Name)
			}
		}
		return true
	})
	return names
}

// hasExample tells whether a file has an example whose output is checked.
func hasExample(f *file) bool {
	if !strings.Contains(string(f.src), "// Output:") && !strings.Contains(string(f.src), "// Unordered output:") {
		return false
	}
	return slices.ContainsFunc(f.ast.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Example")
	})
}

func TestShownNames(t *testing.T) {
	t.Parallel()
	const head = "package a_test\n\nimport h \"net/http\"\n\n"
	tests := []struct {
		name, src string
		want      []string
	}{
		{name: "example", src: "func ExampleA() {\n\th.Get(x.Y)\n\t// Output: 1\n}\n", want: []string{"net/http.Get"}},
		{name: "no output", src: "func ExampleA() { h.Get() }\n"},
		{name: "test", src: "func TestA() {\n\th.Get()\n\t// Output: 1\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := shownNames(source(t, "a/a_test.go", head+tt.src)); !slices.Equal(got, tt.want) {
				t.Errorf("shownNames = %q, want %q", got, tt.want)
			}
		})
	}
}
