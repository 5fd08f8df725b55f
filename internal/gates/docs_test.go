package gates

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// selfEvident are methods whose contract is that of a well-known interface.
var selfEvident = []string{
	"Error", "Unwrap", "Is", "As", "String", "GoString", "Format", "LogValue", "Read", "Write", "Close", "ServeHTTP",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "Len", "Less", "Swap",
}

// TestDocs holds that every package has a comment and every exported name a doc
// comment; how good they are is left to people.
func TestDocs(t *testing.T) {
	t.Parallel()
	commented := map[string]bool{}
	var findings []string
	for _, f := range theTree(t).code() {
		commented[f.dir()] = commented[f.dir()] || packageComment(f)
		findings = append(findings, undocumented(f)...)
	}
	for dir, ok := range commented {
		if !ok {
			findings = append(findings, dir+": the package has no comment that starts with Package and its name")
		}
	}
	report(t, findings)
}

// packageComment tells whether a file holds its package's comment.
func packageComment(f *file) bool {
	doc := f.ast.Doc.Text()
	if f.ast.Name.Name == "main" {
		return doc != ""
	}
	return strings.HasPrefix(doc, "Package "+f.ast.Name.Name+" ")
}

// undocumented lists the exported names of a file without a comment. Constants,
// variables and methods of interfaces may have theirs at the line's end or, where
// they are a group, above the group; the only method of an interface may have it
// above the interface, and the comment of a method speaks for those that follow it
// without a blank line. Fields may be documented together.
func undocumented(f *file) []string {
	if f.ast.Name.Name == "main" {
		return nil
	}
	var findings []string
	missing := func(name *ast.Ident, what string) {
		findings = append(findings, fmt.Sprintf("%s: %s %s has no doc comment", f.at(name), what, name))
	}
	for _, decl := range f.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && !methodNeedsNone(d) {
				missing(d.Name, "func")
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				undocumentedSpec(f, d, spec, missing)
			}
		}
	}
	return findings
}

func methodNeedsNone(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	return !ast.IsExported(receiverName(d.Recv.List[0].Type)) || slices.Contains(selfEvident, d.Name.Name)
}

func undocumentedSpec(f *file, d *ast.GenDecl, spec ast.Spec, missing func(*ast.Ident, string)) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		if s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			missing(s.Name, "type")
		}
		if i, ok := s.Type.(*ast.InterfaceType); ok && len(i.Methods.List) > 1 {
			undocumentedMethods(f, i, missing)
		}
	case *ast.ValueSpec:
		if s.Doc != nil || s.Comment != nil || d.Doc != nil {
			return
		}
		for _, name := range s.Names {
			if name.IsExported() {
				missing(name, d.Tok.String())
			}
		}
	}
}

func undocumentedMethods(f *file, i *ast.InterfaceType, missing func(*ast.Ident, string)) {
	covered := -1 // the line up to which a comment speaks
	for _, m := range i.Methods.List {
		if m.Doc != nil || m.Comment != nil || f.line(m.Pos()) == covered+1 {
			covered = f.line(m.End())
			continue
		}
		for _, name := range m.Names {
			if name.IsExported() && !slices.Contains(selfEvident, name.Name) {
				missing(name, "method")
			}
		}
	}
}

func TestUndocumented(t *testing.T) {
	t.Parallel()
	f := source(t, "hooks/a.go", `package hooks

// Documented is.
func Documented() {}
func Bare() {}
func (T) Bare2() {}
func (T) String() string { return "" }
func (t) Hidden() {}

// Of a group.
const (
	A = 1
	B = 2
)
var (
	C = 1 // at the end
	// Above.
	D = 2
	E = 3
)
type (
	T struct{}
	// U is.
	U interface {
		// Of both.
		M1()
		M2()

		M4()
		Close() error

		M5() // at the end
	}
	// W is.
	W interface{ M3() }
)
// V is.
type V int
`)
	want := []string{
		"hooks/a.go:5: func Bare has no doc comment",
		"hooks/a.go:6: func Bare2 has no doc comment",
		"hooks/a.go:19: var E has no doc comment",
		"hooks/a.go:22: type T has no doc comment",
		"hooks/a.go:29: method M4 has no doc comment",
	}
	if got := undocumented(f); !slices.Equal(got, want) {
		t.Errorf("undocumented = %q, want %q", got, want)
	}
}

func TestPackageComment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		src  string
		want bool
	}{
		{name: "none", src: "package a\n"},
		{name: "of another name", src: "// Package b is.\npackage a\n"},
		{name: "apart", src: "// Package a is.\n\npackage a\n"},
		{name: "right", src: "// Package a is.\npackage a\n", want: true},
		{name: "program", src: "// Command a does.\npackage main\n", want: true},
		{name: "bare program", src: "package main\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := packageComment(source(t, "a/a.go", tt.src)); got != tt.want {
				t.Errorf("packageComment = %t, want %t", got, tt.want)
			}
		})
	}
}
