package rawjson

import (
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// nextRune decodes the character at the start of token, the inside of a JSON string, and gives its length
// there, at least 1. Invalid UTF-8, lone surrogates and broken escapes decode as U+FFFD, as in encoding/json.
func nextRune(token []byte) (rune, int) {
	c := token[0]
	if c >= utf8.RuneSelf {
		return utf8.DecodeRune(token)
	}
	if c != '\\' {
		return rune(c), 1
	}
	if len(token) < 2 {
		return utf8.RuneError, 1
	}
	switch c = token[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return nextUnicode(token)
	}
	return rune(c), 2
}

// nextUnicode decodes the \u escape at the start of token, with the second half of a surrogate pair if it
// starts one.
func nextUnicode(token []byte) (rune, int) {
	r := hex4(token)
	if r < 0 {
		return utf8.RuneError, min(len(token), 6)
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if pair := utf16.DecodeRune(r, hex4(token[6:])); pair != utf8.RuneError {
		return pair, 12
	}
	return utf8.RuneError, 6
}

// hex4 gives the number in the \u escape at the start of b, or -1 if there is none.
func hex4(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case classes[c]&classHex == 0:
			return -1
		case c <= '9':
			c -= '0'
		default:
			c = c&^0x20 - 'A' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendUnescaped appends what token, the inside of a JSON string, stands for. What it appends is valid
// UTF-8.
func appendUnescaped(dst, token []byte) []byte {
	for len(token) > 0 {
		if run := standsForItself(token); run > 0 {
			dst = append(dst, token[:run]...)
			token = token[run:]
			continue
		}
		r, n := nextRune(token)
		dst = utf8.AppendRune(dst, r)
		token = token[n:]
	}
	return dst
}

// standsForItself gives how much of token stands for itself. It looks no further than that: to look ahead to the next
// escape or fault from each rune again would take time quadratic in the text.
func standsForItself(token []byte) int {
	for i, c := range token {
		if c == '\\' || c >= utf8.RuneSelf {
			return i
		}
	}
	return len(token)
}

// appendFolded appends the form of a key that all its case variants share. ASCII letters become lower case.
func appendFolded(dst, token []byte) []byte {
	for len(token) > 0 {
		r, n := nextRune(token)
		dst = utf8.AppendRune(dst, foldRune(r))
		token = token[n:]
	}
	return dst
}

// foldRune gives one rune for all that Unicode simple case folding holds equal: the lowest of them, or the
// lower-case ASCII letter if there is one.
func foldRune(r rune) rune {
	low := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		low = min(low, next)
	}
	if 'A' <= low && low <= 'Z' {
		low += 'a' - 'A'
	}
	return low
}

// equalUnescaped tells whether token, the inside of a JSON string, stands for s.
func equalUnescaped(token []byte, s string) bool {
	for len(token) > 0 && len(s) > 0 {
		r, n := nextRune(token)
		want, size := utf8.DecodeRuneInString(s)
		if r != want {
			return false
		}
		token, s = token[n:], s[size:]
	}
	return len(token) == 0 && len(s) == 0
}
