package config

import (
	"reflect"
	"slices"
)

// origins tells for every key where its value comes from.
func (l *loader) origins() map[string]Origin {
	found := make(map[string]Origin)
	addSet(found, l.tree, "")
	addDefaults(found, l.tree, l.shape, "", nil)
	return found
}

// addSet adds what a source says.
func addSet(found map[string]Origin, n *node, key string) {
	for _, name := range n.keys() {
		child, path := n.table[name], join(key, name)
		if child.table == nil {
			found[path] = child.origin
		}
		addSet(found, child, path)
	}
	for i, child := range n.list {
		addSet(found, child, element(key, i))
	}
}

// addDefaults adds the keys that no source speaks of. above holds the types around s, since a type may hold itself.
func addDefaults(found map[string]Origin, n *node, s shape, key string, above []reflect.Type) {
	for name, child := range s.children() {
		path, below := join(key, name), n.lookup(name)
		switch {
		case child.typ == nil, child.isStruct() && !slices.Contains(above, deref(child.typ)):
			addDefaults(found, below, child, path, child.around(above))
		case below == nil:
			found[path] = Origin{}
		default:
		}
	}
}

func (s shape) around(above []reflect.Type) []reflect.Type {
	if s.typ == nil {
		return above
	}
	return append(slices.Clip(above), deref(s.typ))
}
