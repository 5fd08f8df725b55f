package rawjson

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// String decodes a JSON string token; white space around it does not matter. ok is false if raw is anything
// else or no valid string. Invalid UTF-8 and lone surrogates become U+FFFD, as in encoding/json.
func String(raw []byte) (s string, ok bool) {
	raw = trim(raw)
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if end, _ := (block{}).stringEnd(raw, 1); end != len(raw) {
		return "", false
	}
	token := raw[1 : len(raw)-1]
	if bytes.IndexByte(token, '\\') < 0 && utf8.Valid(token) {
		return string(token), true
	}
	return string(appendUnescaped(make([]byte, 0, len(token)), token)), true
}

// AppendText appends what [String] gives, and tells as it does whether raw is a string at all.
func AppendText(dst, raw []byte) (text []byte, ok bool) {
	raw = trim(raw)
	if len(raw) < 2 || raw[0] != '"' {
		return dst, false
	}
	if end, _ := (block{}).stringEnd(raw, 1); end != len(raw) {
		return dst, false
	}
	token := raw[1 : len(raw)-1]
	if bytes.IndexByte(token, '\\') < 0 && utf8.Valid(token) {
		return append(dst, token...), true
	}
	return appendUnescaped(dst, token), true
}

// Int decodes a JSON number that is written as an integer and fits; ok is false for anything else, 1.0 and
// 1e3 included.
func Int(raw []byte) (n int64, ok bool) {
	raw = trim(raw)
	if len(raw) == 0 || raw[0] != '-' && classes[raw[0]]&classDigit == 0 || numberEnd(raw, 0) != len(raw) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}

// Whole is [Int] for whole numbers however they are written, such as 64000.0 and 6.4e4, which many servers take for the
// same. Those beyond an int64 become the largest or least.
func Whole(raw []byte) (n int64, ok bool) {
	if n, ok := Int(raw); ok {
		return n, true
	}
	raw = trim(raw)
	if len(raw) == 0 || raw[0] != '-' && classes[raw[0]]&classDigit == 0 || numberEnd(raw, 0) != len(raw) {
		return 0, false
	}
	f, _ := strconv.ParseFloat(string(raw), 64) // infinite where it is too large
	switch {
	case f != math.Trunc(f):
		return 0, false
	case f >= math.MaxInt64:
		return math.MaxInt64, true
	case f <= math.MinInt64:
		return math.MinInt64, true
	}
	return int64(f), true
}

// Bool decodes true and false; ok is false for anything else.
func Bool(raw []byte) (val, ok bool) {
	switch string(trim(raw)) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// trim takes the white space of JSON off both ends.
func trim(raw []byte) []byte {
	i, j := spaceEnd(raw, 0), len(raw)
	for j > i && classes[raw[j-1]]&classSpace != 0 {
		j--
	}
	return raw[i:j]
}

// AppendString appends s as a JSON string token. Only what JSON wants escaped is escaped: no HTML characters.
// Each byte of invalid UTF-8 becomes \ufffd.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	valid := utf8.ValidString(s)
	start := 0
	for i := 0; i < len(s); {
		if i += plainRun(s[i:], valid); i >= len(s) {
			break
		}
		c := s[i]
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + 1
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// plainRun counts the bytes at the start of s that go into a token as they are. Unless s is known to be valid
// UTF-8 it stops at the first byte that is not ASCII.
func plainRun(s string, valid bool) int {
	var refuse uint64
	if !valid {
		refuse = highs
	}
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if m := special(x) | x&refuse; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(s) && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' && (valid || s[i] < utf8.RuneSelf) {
		i++
	}
	return i
}

// appendEscape appends the escape of a quote, a backslash or a control byte.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
