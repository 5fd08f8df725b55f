package anthropic

import (
	"fmt"
	"strconv"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// invalid says which member is not what it must be.
func invalid(path, must string) error {
	return fmt.Errorf("%w: %s: must be %s", adapters.ErrInvalidInput, path, must)
}

// scan checks a whole body.
func scan(doc *rawjson.Doc, body []byte) error {
	if err := doc.Scan(body, rawjson.Options{}); err != nil {
		return fmt.Errorf("%w: %w", adapters.ErrInvalidInput, err)
	}
	return nil
}

// str takes a string's token.
func str(v []byte, path, name string) (canonical.Token, error) {
	if len(v) == 0 || v[0] != '"' {
		return nil, invalid(member(path, name), "a string")
	}
	return canonical.Token(v), nil
}

// optional takes a string's token, or nil for null.
func optional(v []byte, path, name string) (canonical.Token, error) {
	if isNull(v) {
		return nil, nil
	}
	return str(v, path, name)
}

// number takes a number, or nil for null.
func number(v []byte, path, name string) (canonical.Raw, error) {
	if isNull(v) {
		return nil, nil
	}
	if len(v) == 0 || v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return nil, invalid(member(path, name), "a number")
	}
	return canonical.Raw(v), nil
}

// some takes any value, or nil for null.
func some(v []byte) canonical.Raw {
	if isNull(v) {
		return nil
	}
	return canonical.Raw(v)
}

func isNull(v []byte) bool   { return string(v) == "null" }
func isObject(v []byte) bool { return len(v) > 0 && v[0] == '{' }
func isArray(v []byte) bool  { return len(v) > 0 && v[0] == '[' }

// extra keeps a member that has no place in the neutral model.
func extra(key, value []byte) canonical.Field {
	name, _ := rawjson.String(key)
	return canonical.Field{Name: name, Raw: value}
}

// nested is extra for a member of the object outer.
func nested(outer string, key, value []byte) canonical.Field {
	f := extra(key, value)
	f.Name = outer + "." + f.Name
	return f
}

// member is the path of a member.
func member(path, name string) string {
	switch {
	case path == "":
		return name
	case name == "":
		return path
	}
	return path + "." + name
}

// element is the path of an element of the array at path.
func element(path string, i int) string {
	var scratch [64]byte
	b := append(scratch[:0], path...)
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(i), 10)
	return string(append(b, ']'))
}

// blank tells that a string holds nothing but white space. It looks at the first bytes of most.
func blank(t canonical.Token) bool {
	for i := 1; i+1 < len(t); i++ {
		if t[i] == '\\' {
			i++
			if t[i] != 'n' && t[i] != 't' && t[i] != 'r' {
				return false
			}
		} else if t[i] != ' ' {
			return false
		}
	}
	return true
}
