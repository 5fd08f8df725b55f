package gates

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// The library is a guest in somebody else's process: these rules keep it from
// having state of its own there, from ending it and from reading its surroundings.

// exception lets one name break one rule in one directory.
type exception struct {
	rule   string // the finding's rule: init, variable, panic, or the call as it is forbidden
	dir    string
	name   string // of the variable, or of the function around the call
	reason string
}

// exceptions is the whole list; one that nothing needs any more is a finding.
var exceptions = []exception{
	{"variable", "internal/rawjson", "classes", "looked up for each byte, and Go has no constant arrays"},
	{"panic", "middleware", "answerPanic", "hands http.ErrAbortHandler on, as net/http asks"},
}

// forbiddenCall is a name of the standard library that shipped code leaves alone.
type forbiddenCall struct {
	pkg      string
	names    []string
	because  string
	programs bool // programs may
	config   bool // package config may
}

var forbiddenCalls = []forbiddenCall{
	{
		pkg: "net/http", names: []string{"DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"},
		because: "the transport is the host's choice: ccproxy.WithTransport",
	},
	{
		pkg: "net/http", names: []string{"DefaultServeMux", "Handle", "HandleFunc"},
		because: "the process-wide mux is the host's",
	},
	{
		pkg: "os", names: []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"},
		because: "only package config reads the environment", programs: true, config: true,
	},
	{
		pkg: "os", names: []string{"Exit"},
		because: "the process is the host's", programs: true,
	},
	{
		pkg: "os/signal", names: []string{"Notify", "NotifyContext", "Ignore", "Reset"},
		because: "signals are the host's", programs: true,
	},
	{
		pkg: "log/slog", names: []string{"SetDefault", "SetLogLoggerLevel"},
		because: "the process-wide logger is the host's", programs: true,
	},
	{
		pkg: "log", names: []string{"Fatal", "Fatalf", "Fatalln", "SetOutput", "SetFlags", "SetPrefix"},
		because: "the process and its logger are the host's", programs: true,
	},
	{
		pkg: "bufio", names: []string{"Scanner", "NewScanner"},
		because: "it fails on lines beyond 64 KiB: bodies have such lines",
	},
}

// breach is a place where shipped code breaks one of these rules.
type breach struct {
	rule, name, message string
}

// breaches lists what one file of shipped code does against the rules.
func breaches(f *file) []breach {
	var found []breach
	for _, decl := range f.ast.Decls {
		name := ""
		switch d := decl.(type) {
		case *ast.FuncDecl:
			name = d.Name.Name
			if name == "init" && d.Recv == nil {
				found = append(found, breach{"init", name, f.at(d) + ": func init: let the caller call something"})
			}
		case *ast.GenDecl:
			found = append(found, variables(f, d)...)
		}
		found = append(found, calls(f, decl, name)...)
	}
	return found
}

// variables finds package-level variables that something could change later on.
func variables(f *file, d *ast.GenDecl) []breach {
	if d.Tok != token.VAR {
		return nil
	}
	var found []breach
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		for i, name := range s.Names {
			if name.Name == "_" || isSentinel(f, s, i) || isEmbedded(d, s) {
				continue
			}
			found = append(found, breach{"variable", name.Name, fmt.Sprintf(
				"%s: package-level variable %s: make it a constant, a field or a function's result", f.at(name), name)})
		}
	}
	return found
}

// isSentinel tells whether a variable is an error made by errors.New or, around
// another one, by fmt.Errorf.
func isSentinel(f *file, s *ast.ValueSpec, i int) bool {
	if i >= len(s.Values) {
		return false
	}
	call, ok := s.Values[i].(*ast.CallExpr)
	if !ok {
		return false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (selects(f, fun, "errors", "New") || selects(f, fun, "fmt", "Errorf"))
}

// isEmbedded tells whether go:embed fills a variable, which has to be at package level.
func isEmbedded(d *ast.GenDecl, s *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{d.Doc, s.Doc} {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// calls finds panics and forbidden names below n, which belongs to the named function.
func calls(f *file, n ast.Node, function string) []breach {
	var found []breach
	ast.Inspect(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.CallExpr:
			if id, ok := x.Fun.(*ast.Ident); ok && id.Name == "panic" && !isAbort(f, x) {
				found = append(found, breach{"panic", function, f.at(x) + ": panic: return an error"})
			}
		case *ast.SelectorExpr:
			for _, c := range forbiddenCalls {
				if c.programs && f.inProgram() || c.config && f.dir() == "config" {
					continue
				}
				for _, name := range c.names {
					if selects(f, x, c.pkg, name) {
						rule := c.pkg + "." + name
						found = append(found, breach{rule, function, fmt.Sprintf("%s: %s: %s", f.at(x), rule, c.because)})
					}
				}
			}
		}
		return true
	})
	return found
}

// isAbort tells whether a panic is the one by which net/http lets a handler give up
// its connection.
func isAbort(f *file, panicking *ast.CallExpr) bool {
	value, ok := panicking.Args[0].(*ast.SelectorExpr)
	return ok && selects(f, value, "net/http", "ErrAbortHandler")
}

// selects tells whether an expression is a name of an imported package.
func selects(f *file, x *ast.SelectorExpr, pkg, name string) bool {
	id, ok := x.X.(*ast.Ident)
	return ok && x.Sel.Name == name && id.Name == f.importName(pkg)
}

func TestGuestRules(t *testing.T) {
	t.Parallel()
	used := make([]bool, len(exceptions))
	var findings []string
	for _, f := range theTree(t).code() {
		for _, b := range breaches(f) {
			i := slices.IndexFunc(exceptions, func(e exception) bool {
				return e.rule == b.rule && e.dir == f.dir() && e.name == b.name
			})
			if i < 0 {
				findings = append(findings, b.message)
				continue
			}
			used[i] = true
		}
	}
	for i, e := range exceptions {
		switch {
		case !used[i]:
			findings = append(findings, fmt.Sprintf("exceptions: nothing needs {%q, %q, %q} any more", e.rule, e.dir, e.name))
		case e.reason == "":
			findings = append(findings, fmt.Sprintf("exceptions: {%q, %q, %q} has no reason", e.rule, e.dir, e.name))
		}
	}
	report(t, findings)
}

func TestBreaches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file string
		src  string
		want []string // rule name
	}{
		{name: "sentinel", src: `import "errors"; var ErrX = errors.New("x")`},
		{name: "wrapping sentinel", src: `import "fmt"; var errY = fmt.Errorf("%w: y", ErrX)`},
		{name: "guard", src: `var _ error = (*E)(nil)`},
		{name: "embedded", src: "//go:embed a.html\nvar page string"},
		{name: "local", src: `func f() { var x int; _ = x }`},
		{name: "method init", src: `func (t T) init() {}`},
		{name: "own panic method", src: `func f() { t.panic() }`},
		{name: "other package of that name", src: `import http "example.com/http"; func f() { http.Get() }`},
		{name: "abort", src: `import "net/http"; func f() { panic(http.ErrAbortHandler) }`},
		{name: "variable", src: `var a, b = 1, 2`, want: []string{"variable a", "variable b"}},
		{name: "error by another function", src: `var ErrX = newError("x")`, want: []string{"variable ErrX"}},
		{name: "init", src: `func init() {}`, want: []string{"init init"}},
		{name: "panic", src: `func f() { func() { panic(1) }() }`, want: []string{"panic f"}},
		{
			name: "renamed import", src: `import web "net/http"; func f() { web.DefaultClient.Do(nil) }`,
			want: []string{"net/http.DefaultClient f"},
		},
		{
			name: "in a variable", src: `import "os"; var _ = os.Getenv("A")`,
			want: []string{"os.Getenv "},
		},
		{name: "environment in config", file: "config/a.go", src: `import "os"; func f() { os.Getenv("A") }`},
		{name: "exit in a program", file: "cmd/x/main.go", src: `import "os"; func f() { os.Exit(1) }`},
		{name: "exit", src: `import "os"; func f() { os.Exit(1) }`, want: []string{"os.Exit f"}},
		{
			name: "scanner", src: `import "bufio"; func f() { var s *bufio.Scanner; s = bufio.NewScanner(nil) }`,
			want: []string{"bufio.Scanner f", "bufio.NewScanner f"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name := tt.file
			if name == "" {
				name = "hooks/a.go"
			}
			var got []string
			for _, b := range breaches(source(t, name, "package p\n"+tt.src+"\n")) {
				got = append(got, b.rule+" "+b.name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("breaches = %q, want %q", got, tt.want)
			}
		})
	}
}
