package accesslog

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// appendJSONString writes a JSON string that holds nothing but characters that print. JSON itself would allow
// line separators, terminal sequences that begin with U+009B, and marks that turn the direction of text.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	if printable(s) {
		return append(append(b, s...), '"')
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}

// printable tells that a text is all of ASCII that prints and needs no escape, as most are.
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendQuoted writes a field in quotes, escaped as Apache does: what does not print becomes \xhh for each byte.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s, unicode.IsPrint)
	return append(b, '"')
}

// appendBare writes a field that ends at the next space.
func appendBare(b []byte, s string) []byte {
	return appendEscaped(b, s, func(r rune) bool { return r != ' ' && unicode.IsPrint(r) })
}

func appendEscaped(b []byte, s string, plain func(rune) bool) []byte {
	if s == "" {
		return append(b, '-')
	}
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		invalid := r == utf8.RuneError && size == 1
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case plain(r) && !invalid:
			b = append(b, s[:size]...)
		default:
			for i := range size {
				b = fmt.Appendf(b, `\x%02x`, s[i])
			}
		}
		s = s[size:]
	}
	return b
}
