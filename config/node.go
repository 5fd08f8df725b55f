package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// node is a value of any source, with the place that it comes from. A table has a non-nil table, a list a non-nil
// list; anything else is a value as TOML gives it.
type node struct {
	origin Origin // of the key
	at     Origin // of the value, which is where messages about it point
	value  any
	table  map[string]*node
	list   []*node
}

// newNode makes a tree of plain values that all come from one place.
func newNode(value any, from Origin) *node {
	n := &node{origin: from, at: from}
	switch v := value.(type) {
	case map[string]any:
		n.table = make(map[string]*node, len(v))
		for key, child := range v {
			n.table[key] = newNode(child, from)
		}
	case []any:
		n.list = make([]*node, len(v))
		for i, child := range v {
			n.list[i] = newNode(child, from)
		}
	default:
		n.value = value
	}
	return n
}

// plain is the reverse of newNode.
func (n *node) plain() any {
	switch {
	case n.table != nil:
		return n.plainTable()
	case n.list != nil:
		list := make([]any, len(n.list))
		for i, child := range n.list {
			list[i] = child.plain()
		}
		return list
	default:
		return n.value
	}
}

func (n *node) plainTable() map[string]any {
	table := make(map[string]any, len(n.table))
	for key, child := range n.table {
		table[key] = child.plain()
	}
	return table
}

// keys returns the keys of a table in order.
func (n *node) keys() []string { return slices.Sorted(maps.Keys(n.table)) }

// set puts a value at a path below n. Tables are merged key by key, anything else takes the old value's place.
func (n *node) set(path []string, value *node) {
	if len(path) == 0 {
		n.merge(value)
		return
	}
	if n.table == nil {
		*n = node{origin: value.origin, at: value.at, table: make(map[string]*node)}
	}
	child := n.table[path[0]]
	if child == nil {
		child = &node{origin: value.origin, at: value.at, table: make(map[string]*node)}
		n.table[path[0]] = child
	}
	child.set(path[1:], value)
}

func (n *node) merge(value *node) {
	if n.table == nil || value.table == nil {
		*n = *value
		return
	}
	for key, child := range value.table {
		if old := n.table[key]; old != nil {
			old.merge(child)
		} else {
			n.table[key] = child
		}
	}
}

// lookup returns what is at a path, or nil.
func (n *node) lookup(path ...string) *node {
	for _, key := range path {
		if n == nil {
			return nil
		}
		n = n.table[key]
	}
	return n
}

// child returns what a step of a path leads to: a key of a table, or an index of a list.
func (n *node) child(step string) *node {
	if n.table != nil {
		return n.table[step]
	}
	if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.list) {
		return n.list[i]
	}
	return nil
}

// join adds a key to a path as TOML writes it: what is not a bare key gets quotes.
func join(prefix, key string) string {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return !isBare(r) }) {
		key = strconv.Quote(key)
	}
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

func isBare(r rune) bool {
	return r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func element(prefix string, i int) string { return prefix + "[" + strconv.Itoa(i) + "]" }
