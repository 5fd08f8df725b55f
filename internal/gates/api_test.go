package gates

import (
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestAPI compares what the root module exports with testdata/api.txt, one line for
// each package, constant, variable, function, type, field and method.
func TestAPI(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, f := range theTree(t).files {
		if isPublic(f) {
			lines = append(lines, exported(f)...)
		}
	}
	slices.Sort(lines)
	compareGolden(t, "api.txt", slices.Compact(lines),
		"If the exported API shall change, run: make api, and write an entry in CHANGELOG.md.")
}

// isPublic tells whether others can import the file's package from the root module.
func isPublic(f *file) bool {
	return f.module.dir == "." && !f.isTest() && !f.inProgram() && !isInternal(f.importPath()) &&
		f.ast.Name.Name != "main"
}

// exported lists what one file adds to its package's API. Names of parameters and
// struct tags are left out: callers do not depend on them.
func exported(f *file) []string {
	a := apiPrinter{pkg: "pkg " + strings.TrimPrefix(strings.TrimPrefix(f.importPath(), path.Dir(rootModule)), "/")}
	a.lines = append(a.lines, a.pkg)
	for _, decl := range f.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			a.function(d)
		case *ast.GenDecl:
			a.general(d)
		}
	}
	return a.lines
}

type apiPrinter struct {
	pkg   string
	lines []string
}

func (a *apiPrinter) addf(format string, args ...any) {
	a.lines = append(a.lines, a.pkg+", "+fmt.Sprintf(format, args...))
}

func (a *apiPrinter) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	if d.Recv == nil {
		a.addf("func %s%s%s", d.Name, typeParams(d.Type.TypeParams), signature(d.Type))
		return
	}
	if recv := d.Recv.List[0].Type; ast.IsExported(receiverName(recv)) {
		a.addf("method (%s) %s%s", oneLine(recv), d.Name, signature(d.Type))
	}
}

func (a *apiPrinter) general(d *ast.GenDecl) {
	var implied ast.Expr // the type that a constant without one repeats
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				a.typeDecl(s)
			}
		case *ast.ValueSpec:
			if s.Type != nil || len(s.Values) > 0 {
				implied = s.Type
			}
			for _, name := range s.Names {
				if name.IsExported() {
					a.addf("%s", strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Tok, name, oneLine(implied))))
				}
			}
		}
	}
}

func (a *apiPrinter) typeDecl(s *ast.TypeSpec) {
	name := s.Name.Name + typeParams(s.TypeParams)
	switch underlying := s.Type.(type) {
	case *ast.StructType:
		a.addf("type %s struct", name)
		a.fields(s.Name.Name, underlying)
	case *ast.InterfaceType:
		a.addf("type %s interface", name)
		a.methods(s.Name.Name, underlying)
	default:
		if s.Assign.IsValid() {
			name += " ="
		}
		a.addf("type %s %s", name, oneLine(s.Type))
	}
}

func (a *apiPrinter) fields(owner string, s *ast.StructType) {
	for _, field := range s.Fields.List {
		if len(field.Names) == 0 && ast.IsExported(receiverName(field.Type)) {
			a.addf("type %s struct, embedded %s", owner, oneLine(field.Type))
		}
		for _, name := range field.Names {
			if name.IsExported() {
				a.addf("type %s struct, %s %s", owner, name, oneLine(field.Type))
			}
		}
	}
}

func (a *apiPrinter) methods(owner string, i *ast.InterfaceType) {
	for _, m := range i.Methods.List {
		if len(m.Names) == 0 {
			a.addf("type %s interface, embedded %s", owner, oneLine(m.Type))
			continue
		}
		for _, name := range m.Names {
			if !name.IsExported() {
				a.addf("type %s interface, unexported methods", owner)
				continue
			}
			a.addf("type %s interface, %s%s", owner, name, signature(m.Type.(*ast.FuncType)))
		}
	}
}

// receiverName is the name of a receiver's or an embedded field's type, without
// pointer, package and type arguments.
func receiverName(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StarExpr:
		return receiverName(x.X)
	case *ast.IndexExpr:
		return receiverName(x.X)
	case *ast.IndexListExpr:
		return receiverName(x.X)
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.Ident:
		return x.Name
	}
	return ""
}

func typeParams(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var parts []string
	for _, p := range list.List {
		for _, name := range p.Names {
			parts = append(parts, name.Name+" "+oneLine(p.Type))
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// signature prints parameters and results by their types alone.
func signature(f *ast.FuncType) string {
	results := types(f.Results)
	switch len(results) {
	case 0:
		return "(" + strings.Join(types(f.Params), ", ") + ")"
	case 1:
		return "(" + strings.Join(types(f.Params), ", ") + ") " + results[0]
	}
	return "(" + strings.Join(types(f.Params), ", ") + ") (" + strings.Join(results, ", ") + ")"
}

func types(list *ast.FieldList) []string {
	if list == nil {
		return nil
	}
	var parts []string
	for _, field := range list.List {
		for range max(1, len(field.Names)) {
			parts = append(parts, oneLine(field.Type))
		}
	}
	return parts
}

// oneLine prints an expression on one line; nil prints nothing.
func oneLine(e ast.Expr) string {
	switch x := e.(type) {
	case nil:
		return ""
	case *ast.FuncType:
		return "func" + signature(x)
	case *ast.Ellipsis:
		return "..." + oneLine(x.Elt)
	}
	var b strings.Builder
	if err := printer.Fprint(&b, token.NewFileSet(), e); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestExported(t *testing.T) {
	t.Parallel()
	f := source(t, "hooks/a.go", `package hooks

const A, b = 1, 2

const (
	C Kind = iota
	D
)

var ErrX = errors.New("x")

type (
	Kind  int
	Alias = func(next http.Handler) http.Handler
	Box[T any] struct {
		*Kind
		io.Reader
		Value T
		f     int
		Do    func(ctx context.Context, n, m int) (string, error)
	}
	Doer interface {
		fmt.Stringer
		Do(ctx context.Context, args ...string) error
		do()
	}
	hidden struct{ Field int }
)

func On[P, Q any](p P, q ...Q) (n int, err error) { return 0, nil }
func (b *Box[T]) Get() T                          { return b.Value }
func (b *Box[T]) get() T                          { return b.Value }
func (hidden) Shown()                             {}
`)
	want := []string{
		"pkg ccproxy/hooks",
		"pkg ccproxy/hooks, const A",
		"pkg ccproxy/hooks, const C Kind",
		"pkg ccproxy/hooks, const D Kind",
		"pkg ccproxy/hooks, var ErrX",
		"pkg ccproxy/hooks, type Kind int",
		"pkg ccproxy/hooks, type Alias = func(http.Handler) http.Handler",
		"pkg ccproxy/hooks, type Box[T any] struct",
		"pkg ccproxy/hooks, type Box struct, embedded *Kind",
		"pkg ccproxy/hooks, type Box struct, embedded io.Reader",
		"pkg ccproxy/hooks, type Box struct, Value T",
		"pkg ccproxy/hooks, type Box struct, Do func(context.Context, int, int) (string, error)",
		"pkg ccproxy/hooks, type Doer interface",
		"pkg ccproxy/hooks, type Doer interface, embedded fmt.Stringer",
		"pkg ccproxy/hooks, type Doer interface, Do(context.Context, ...string) error",
		"pkg ccproxy/hooks, type Doer interface, unexported methods",
		"pkg ccproxy/hooks, func On[P any, Q any](P, ...Q) (int, error)",
		"pkg ccproxy/hooks, method (*Box[T]) Get() T",
	}
	got := exported(f)
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("line %d = %q, want %q", i, g, w)
		}
	}
}
