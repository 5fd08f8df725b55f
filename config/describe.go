package config

import (
	"reflect"
	"strings"
)

// describer knows what the comments of structs say of their fields, by type and field.
type describer map[string]string

// newDescriber reads the list that is made of the comments.
func newDescriber() describer {
	d := make(describer, strings.Count(descriptions, "\n"))
	for line := range strings.SplitSeq(strings.TrimSuffix(descriptions, "\n"), "\n") {
		field, text, _ := strings.Cut(line, "\t")
		d[field] = text
	}
	return d
}

// of returns the comment of a struct's field, "" for a struct of somebody else's.
func (d describer) of(t reflect.Type, index []int) string {
	for _, i := range index[:len(index)-1] {
		t = deref(deref(t).Field(i).Type)
	}
	t = deref(t)
	return d[t.PkgPath()+"."+t.Name()+"."+t.Field(index[len(index)-1]).Name]
}

// enabledDescription is that of the key that every plugin has.
const enabledDescription = "enabled runs the plugin; false is the same as an entry in disabled_plugins."
