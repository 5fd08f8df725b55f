package config

import "fmt"

// Source is one of the places that values come from. A later one wins over an earlier one.
type Source uint8

// The sources, in the order of their precedence.
const (
	SourceDefault     Source = iota // what the code says where nobody else says anything
	SourceFile                      // the configuration file
	SourceEnvironment               // an environment variable
	SourceOverride                  // [Options.Override], which is where flags go
)

// Origin tells where a value comes from; it never holds the value.
type Origin struct {
	Source Source
	// File is the path of the file, Line and Column the place of the key in it, both counted from 1, columns in
	// characters. They are set for SourceFile only.
	File         string
	Line, Column int
	// Variable is the name of the environment variable, as it is spelled there, for SourceEnvironment.
	Variable string
}

// String returns "default", "FILE:LINE:COLUMN", "environment NAME" or "override".
func (o Origin) String() string {
	switch o.Source {
	case SourceFile:
		if o.Line == 0 {
			return o.File
		}
		return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	case SourceEnvironment:
		return "environment " + o.Variable
	case SourceOverride:
		return "override"
	default:
		return "default"
	}
}
