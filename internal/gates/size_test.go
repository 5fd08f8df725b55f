package gates

import (
	"bytes"
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// limits bound what a reader has to hold in mind at once.
type limits struct {
	fileLines, functionLines, nesting, columns int
}

var (
	codeLimits = limits{fileLines: 700, functionLines: 80, nesting: 4, columns: 120}
	// Tables make tests long, and data may not be broken where it is compared.
	testLimits = limits{fileLines: 1000, functionLines: 160, nesting: 6, columns: 200}
)

// tabColumns is the width of a tab when columns are counted, as .golangci.yml has it.
const tabColumns = 4

// measures are the figures of one file.
type measures struct {
	fileLines     int
	functionLines []int
	nesting       []int
	columns       []int
}

// TestSizes holds the limits; with -v it says how the figures are spread.
func TestSizes(t *testing.T) {
	t.Parallel()
	var findings []string
	var files []int
	var all measures
	for _, f := range theTree(t).files {
		if f.isGenerated() {
			continue
		}
		lim := codeLimits
		if f.isTest() {
			lim = testLimits
		}
		m, tooMuch := measure(f, lim)
		findings = append(findings, tooMuch...)
		if !f.isTest() {
			files = append(files, m.fileLines)
			all.functionLines = append(all.functionLines, m.functionLines...)
			all.nesting = append(all.nesting, m.nesting...)
			all.columns = append(all.columns, m.columns...)
		}
	}
	t.Logf("code, p50 p95 max: lines of files %s, of functions %s, nesting %s, columns %s",
		spread(files), spread(all.functionLines), spread(all.nesting), spread(all.columns))
	report(t, findings)
}

// measure takes the figures of a file and lists what is beyond the limits.
func measure(f *file, lim limits) (m measures, tooMuch []string) {
	beyond := func(where string, what string, got, limit int) {
		if got > limit {
			tooMuch = append(tooMuch, fmt.Sprintf("%s: %s is %d, the limit %d", where, what, got, limit))
		}
	}
	for line := range bytes.Lines(f.src) {
		m.fileLines++
		n := columns(string(bytes.TrimRight(line, "\r\n")))
		m.columns = append(m.columns, n)
		if !isLink(line) {
			beyond(fmt.Sprintf("%s:%d", f.name, m.fileLines), "the line's width", n, lim.columns)
		}
	}
	beyond(f.name, "the file's length", m.fileLines, lim.fileLines)
	for _, decl := range f.ast.Decls {
		d, ok := decl.(*ast.FuncDecl)
		if !ok || d.Body == nil {
			continue
		}
		lines, depth := f.line(d.End())-f.line(d.Pos())+1, nesting(d.Body)
		m.functionLines = append(m.functionLines, lines)
		m.nesting = append(m.nesting, depth)
		beyond(f.at(d), "the length of "+d.Name.Name, lines, lim.functionLines)
		beyond(f.at(d), "the nesting of "+d.Name.Name, depth, lim.nesting)
	}
	return m, tooMuch
}

func columns(line string) int {
	return utf8.RuneCountInString(line) + (tabColumns-1)*strings.Count(line, "\t")
}

// isLink tells whether a line is a comment that holds one address, which cannot be broken.
func isLink(line []byte) bool {
	words := bytes.Fields(line)
	return len(words) == 2 && string(words[0]) == "//" && bytes.Contains(words[1], []byte("://"))
}

// nesting is how many control statements are open at the deepest place. An else if
// is not deeper than its if, a case not deeper than its switch, and the body of a
// function literal as deep as the literal.
func nesting(body ast.Node) int {
	deepest := 0
	var walk func(n ast.Node, depth int)
	walk = func(n ast.Node, depth int) {
		deepest = max(deepest, depth)
		ast.Inspect(n, func(c ast.Node) bool {
			if c == n || c == nil {
				return true
			}
			switch x := c.(type) {
			case *ast.IfStmt:
				if outer, ok := n.(*ast.IfStmt); ok && outer.Else == c {
					walk(x, depth)
				} else {
					walk(x, depth+1)
				}
				return false
			case *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
				walk(x, depth+1)
				return false
			}
			return true
		})
	}
	walk(body, 0)
	return deepest
}

// spread prints the median, the 95th percentile and the largest of the figures.
func spread(figures []int) string {
	if len(figures) == 0 {
		return "none"
	}
	slices.Sort(figures)
	at := func(percent int) int { return figures[(len(figures)-1)*percent/100] }
	return fmt.Sprintf("%d %d %d", at(50), at(95), at(100))
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	f := source(t, "a.go", `package p

func short() {}

func deep() {
	if a {
	} else if b {
		for range c {
			func() {
				switch {
				case d:
					wide("wide wide wide")
				}
			}()
		}
	} else {
		select {}
	}
}

// https://example.com/an/address/that/cannot/be/broken
`)
	m, got := measure(f, limits{fileLines: 20, functionLines: 14, nesting: 2, columns: 40})
	want := []string{
		"a.go:12: the line's width is 42, the limit 40",
		"a.go: the file's length is 21, the limit 20",
		"a.go:5: the length of deep is 15, the limit 14",
		"a.go:5: the nesting of deep is 3, the limit 2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("findings = %q, want %q", got, want)
	}
	if want := []int{0, 3}; !slices.Equal(m.nesting, want) {
		t.Errorf("nesting = %d, want %d", m.nesting, want)
	}
}
