package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
)

// KeyError is one thing that is wrong with the configuration. It wraps [ccproxy.ErrConfig] and never holds a value.
type KeyError struct {
	// Origin is where it is wrong: for an unknown key the key's place, for a wrong value the value's. Where
	// something is missing, it is the table that lacks it, or the file.
	Origin Origin
	// Key is the full key, such as "plugins.claude_api.base_url". It is empty for a file that cannot be read.
	Key string
	// Problem says what is wrong and what is expected.
	Problem string
}

// Error returns "ORIGIN: KEY: PROBLEM".
func (e *KeyError) Error() string {
	var parts []string
	if e.Origin != (Origin{}) {
		parts = append(parts, e.Origin.String())
	}
	if e.Key != "" {
		parts = append(parts, e.Key)
	}
	return strings.Join(append(parts, e.Problem), ": ")
}

// Unwrap returns [ccproxy.ErrConfig].
func (e *KeyError) Unwrap() error { return ccproxy.ErrConfig }

// KeyErrors is all that is wrong with the configuration: what is in the file first, in the file's order.
type KeyErrors []*KeyError

// Error returns the errors, one a line.
func (e KeyErrors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns each of the errors.
func (e KeyErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, one := range e {
		errs[i] = one
	}
	return errs
}

// err returns the errors in order, or nil when there are none.
func (e KeyErrors) err() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *KeyError) int {
		return cmp.Or(
			cmp.Compare(a.Origin.rank(), b.Origin.rank()),
			cmp.Compare(a.Origin.Line, b.Origin.Line), cmp.Compare(a.Origin.Column, b.Origin.Column),
			strings.Compare(a.Origin.Variable, b.Origin.Variable), strings.Compare(a.Key, b.Key),
		)
	})
	return e
}

// rank puts the file's places first, then the file as a whole, then what is in no file.
func (o Origin) rank() int {
	if o.Source == SourceFile && o.Line > 0 {
		return 0
	}
	return 1 + int(o.Source)
}

// about tells whether one of the errors is about the key or what it is part of: then nothing else can be said of it.
func (e KeyErrors) about(key string) bool {
	return slices.ContainsFunc(e, func(one *KeyError) bool { return one.Key == key || isBelow(key, one.Key) })
}

// within tells whether one of the errors is about a table or something in it.
func (e KeyErrors) within(table string) bool {
	return slices.ContainsFunc(e, func(one *KeyError) bool { return one.Key == table || isBelow(one.Key, table) })
}

// isBelow tells whether key is in the table or list that above names.
func isBelow(key, above string) bool {
	rest, ok := strings.CutPrefix(key, above)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}
