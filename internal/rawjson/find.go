package rawjson

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math/bits"
)

// Find gives the raw value at a path of object keys inside raw; without a path it gives raw without the space
// around it. Of equal keys the first counts. raw should be valid JSON, which is not checked: of anything else
// Find gives some part or nothing. Find allocates nothing.
func Find(raw []byte, path ...string) ([]byte, bool) {
	raw = trim(raw)
	for _, key := range path {
		v, ok := child(raw, key)
		if !ok {
			return nil, false
		}
		raw = v
	}
	return raw, len(raw) > 0
}

// child gives the value of the first member key of the object raw.
func child(raw []byte, key string) ([]byte, bool) {
	for i := firstItem(raw, '{'); i < len(raw); {
		token, start, end := memberAt(raw, i)
		if end < 0 {
			break
		}
		if keyIs(token, key) {
			return raw[start:end:end], true
		}
		i = nextItem(raw, end)
	}
	return nil, false
}

// Wanted is a member that is looked for.
type Wanted struct {
	Key   string
	Value []byte // raw; nil unless it was found
}

// FindEach is Find for several members of the object raw, which it goes through once. It sets the values of those that
// have none yet.
func FindEach(raw []byte, all []Wanted) {
	raw = trim(raw)
	left := len(all)
	for i := firstItem(raw, '{'); i < len(raw) && left > 0; {
		token, start, end := memberAt(raw, i)
		if end < 0 {
			return
		}
		for j := range all {
			if all[j].Value == nil && keyIs(token, all[j].Key) {
				all[j].Value = raw[start:end:end]
				left--
				break
			}
		}
		i = nextItem(raw, end)
	}
}

// keyIs tells whether a key token, quotes included, stands for key.
func keyIs(token []byte, key string) bool {
	token = token[1 : len(token)-1]
	if string(token) == key {
		return bytes.IndexByte(token, '\\') < 0
	}
	return len(token) > len(key) && bytes.IndexByte(token, '\\') >= 0 && equalUnescaped(token, key)
}

// Elements yields the raw elements of an array. Of anything but a valid array it yields some parts or none.
func Elements(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := firstItem(raw, '['); i < len(raw); {
			end := skip(raw, i)
			if end == i || !yield(raw[i:end:end]) {
				return
			}
			i = nextItem(raw, end)
		}
	}
}

// Members yields the members of an object: the raw key, quotes included, and the raw value. Of anything but a
// valid object it yields some parts or none.
func Members(raw []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for i := firstItem(raw, '{'); i < len(raw); {
			token, start, end := memberAt(raw, i)
			if end < 0 || !yield(token, raw[start:end:end]) {
				return
			}
			i = nextItem(raw, end)
		}
	}
}

// firstItem gives the index of the first item of the container raw, which must open with open, or the length
// of raw if there is none.
func firstItem(raw []byte, open byte) int {
	i := spaceEnd(raw, 0)
	if i >= len(raw) || raw[i] != open {
		return len(raw)
	}
	return spaceEnd(raw, i+1)
}

// nextItem gives the index of the item after the one that ends at raw[i], or the length of raw.
func nextItem(raw []byte, i int) int {
	if i = spaceEnd(raw, i); i >= len(raw) || raw[i] != ',' {
		return len(raw)
	}
	return spaceEnd(raw, i+1)
}

// memberAt gives the key token at raw[i] and the bounds of its value; end is negative if there is no member.
func memberAt(raw []byte, i int) (token []byte, start, end int) {
	if raw[i] != '"' {
		return nil, 0, -1
	}
	keyEnd := skipString(raw, i+1)
	if keyEnd-i < 2 || raw[keyEnd-1] != '"' {
		return nil, 0, -1
	}
	start = spaceEnd(raw, keyEnd)
	if start >= len(raw) || raw[start] != ':' {
		return nil, 0, -1
	}
	start = spaceEnd(raw, start+1)
	if end = skip(raw, start); end == start {
		return nil, 0, -1
	}
	return raw[i:keyEnd:keyEnd], start, end
}

// skip gives the index after the value at raw[i], at most the length of raw; i itself if no value is there.
func skip(raw []byte, i int) int {
	if i >= len(raw) {
		return i
	}
	switch raw[i] {
	case '"':
		return skipString(raw, i+1)
	case '{', '[':
		return skipContainer(raw, i)
	}
	for i < len(raw) && raw[i] > ' ' && raw[i] != ',' && raw[i] != ']' && raw[i] != '}' {
		i++
	}
	return i
}

// skipString gives the index after the quote that ends the string whose content starts at raw[i], or the
// length of raw.
//
// Most strings end within a word. In the others the quote is looked for alone, which is the fastest way through a
// long text whatever else is escaped in it: one that is escaped has an odd number of backslashes before it.
func skipString(raw []byte, i int) int {
	start := i
	if i+8 <= len(raw) {
		m := special(binary.LittleEndian.Uint64(raw[i:]))
		if m == 0 {
			i += 8
		} else if end := i + bits.TrailingZeros64(m)>>3; raw[end] == '"' {
			return end + 1
		}
	}
	for {
		n := bytes.IndexByte(raw[i:], '"')
		if n < 0 {
			return len(raw)
		}
		i += n + 1
		k := i - 2
		for k >= start && raw[k] == '\\' {
			k--
		}
		if (i-k)%2 == 0 {
			return i
		}
	}
}

// skipContainer gives the index after the bracket that matches the one at raw[i], or the length of raw. It
// counts brackets of both shapes alike, which is enough in valid JSON.
func skipContainer(raw []byte, i int) int {
	for depth := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			i = skipString(raw, i+1)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(raw)
}
