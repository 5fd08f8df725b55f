package config

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML reads a file's content into a tree whose nodes know their places.
func parseTOML(file string, src []byte) (*node, *KeyError) {
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // some editors begin every file with it
	var values map[string]any
	if err := toml.Unmarshal(src, &values); err != nil {
		return nil, syntaxError(file, src, err)
	}
	lines := newLineIndex(src)
	b := treeBuilder{file: file, lines: lines, places: findPlaces(src)}
	if values == nil {
		values = make(map[string]any)
	}
	root := b.build("", values, Origin{Source: SourceFile, File: file})
	return root, nil
}

// syntaxError keeps the parser's message where that cannot quote a value.
func syntaxError(file string, src []byte, err error) *KeyError {
	e := &KeyError{Origin: Origin{Source: SourceFile, File: file}}
	e.Problem, _, _ = strings.Cut(strings.TrimPrefix(err.Error(), "toml: "), ": strconv.")
	if d, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, column := d.Position()
		lines := newLineIndex(src)
		offset := len(src)
		if row >= 1 && row <= len(lines.starts) {
			offset = min(lines.starts[row-1]+max(column, 1)-1, len(src))
		}
		e.Origin.Line, e.Origin.Column = lines.position(offset)
	}
	return e
}

// lineIndex turns offsets into lines and columns.
type lineIndex struct {
	src    []byte
	starts []int
}

func newLineIndex(src []byte) lineIndex {
	starts := []int{0}
	for i, c := range src {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return lineIndex{src: src, starts: starts}
}

// position counts from 1, columns in characters, as editors do.
func (l lineIndex) position(offset int) (line, column int) {
	low, high := 0, len(l.starts)
	for high-low > 1 {
		if middle := (low + high) / 2; l.starts[middle] <= offset {
			low = middle
		} else {
			high = middle
		}
	}
	return low + 1, 1 + utf8.RuneCount(l.src[l.starts[low]:offset])
}

// place is where a key and its value begin.
type place struct{ key, value int }

// treeBuilder puts the values of a document and the places of its keys together.
type treeBuilder struct {
	file   string
	lines  lineIndex
	places map[string]place
}

func (b treeBuilder) build(path string, value any, above Origin) *node {
	n := &node{origin: above, at: above}
	if p, ok := b.places[path]; ok {
		n.origin, n.at = b.origin(p.key), b.origin(p.value)
	}
	switch v := value.(type) {
	case map[string]any:
		n.table = make(map[string]*node, len(v))
		for key, child := range v {
			n.table[key] = b.build(keyPath(path, key), child, n.origin)
		}
	case []any:
		n.list = make([]*node, len(v))
		for i, child := range v {
			n.list[i] = b.build(indexPath(path, i), child, n.at)
		}
	default:
		n.value = value
	}
	return n
}

func (b treeBuilder) origin(offset int) Origin {
	line, column := b.lines.position(offset)
	return Origin{Source: SourceFile, File: b.file, Line: line, Column: column}
}

// Paths of places cannot be confused, whatever is in a key: TOML has no NUL.
func keyPath(path, key string) string { return path + "\x00." + key }

func indexPath(path string, i int) string { return path + "\x00[" + strconv.Itoa(i) }

// findPlaces finds where each key of a document stands. The document has to be right.
func findPlaces(src []byte) map[string]place {
	f := placeFinder{src: src, places: make(map[string]place), tables: make(map[string]int)}
	f.parser.Reset(src)
	header := ""
	for f.parser.NextExpression() {
		e := f.parser.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			header = f.header(e)
		case unstable.KeyValue:
			f.keyValue(header, e)
		default:
		}
	}
	return f.places
}

type placeFinder struct {
	parser unstable.Parser
	src    []byte
	places map[string]place
	tables map[string]int // how many tables each list of tables has so far
}

// note keeps the first place of a key: a table may be opened in several.
func (f *placeFinder) note(path string, p place) {
	if _, ok := f.places[path]; !ok {
		f.places[path] = p
	}
}

func (f *placeFinder) header(e *unstable.Node) string {
	path := ""
	for keys := e.Key(); keys.Next(); {
		key := keys.Node()
		at := int(key.Raw.Offset)
		path = keyPath(path, string(key.Data))
		f.note(path, place{at, at})
		if keys.IsLast() && e.Kind == unstable.ArrayTable {
			f.tables[path]++
		}
		if n := f.tables[path]; n > 0 {
			path = indexPath(path, n-1)
			f.note(path, place{at, at})
		}
	}
	return path
}

func (f *placeFinder) keyValue(path string, e *unstable.Node) {
	end := 0
	var last place
	for keys := e.Key(); keys.Next(); {
		key := keys.Node()
		at := int(key.Raw.Offset)
		end = at + int(key.Raw.Length)
		path = keyPath(path, string(key.Data))
		last = place{at, at}
		if !keys.IsLast() {
			f.note(path, last)
		}
	}
	last.value = f.afterEquals(end)
	f.note(path, last)
	f.value(path, e.Value())
}

// afterEquals returns where the value of a key begins that ends at the offset.
func (f *placeFinder) afterEquals(offset int) int {
	rest := f.src[offset:]
	value := bytes.TrimLeft(rest, " \t=")
	return offset + len(rest) - len(value)
}

// value finds the places inside of a value.
func (f *placeFinder) value(path string, v *unstable.Node) {
	i := 0
	for children := v.Children(); children.Next(); {
		child := children.Node()
		switch {
		case v.Kind == unstable.InlineTable && child.Kind == unstable.KeyValue:
			f.keyValue(path, child)
		case v.Kind == unstable.Array:
			at := indexPath(path, i)
			if child.Raw.Length > 0 {
				f.note(at, place{int(child.Raw.Offset), int(child.Raw.Offset)})
			}
			f.value(at, child)
			i++
		default:
		}
	}
}
