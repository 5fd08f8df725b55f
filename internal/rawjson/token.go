package rawjson

// Eight bytes are looked at in one word ("SIMD within a register"). ones times b repeats b in each byte.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// Classes of bytes, for tables that replace chains of comparisons.
const (
	classSpace  = 1 << iota // white space between tokens
	classDigit              // 0-9
	classHex                // 0-9 a-f A-F
	classEscape             // what may follow a backslash, but for u
	classFolds              // what makes a key differ from its folded form, or may
)

// classes has the classes of each byte.
var classes = classTable() //nolint:gochecknoglobals // looked up for each byte, and Go has no constant arrays

func classTable() (t [256]uint8) {
	mark := func(chars string, class uint8) {
		for _, c := range []byte(chars) {
			t[c] |= class
		}
	}
	mark(" \t\n\r", classSpace)
	mark("0123456789", classDigit|classHex)
	mark("abcdefABCDEF", classHex)
	mark(`"\/bfnrt`, classEscape)
	mark(`\ABCDEFGHIJKLMNOPQRSTUVWXYZ`, classFolds)
	for c := 0x80; c < len(t); c++ {
		t[c] |= classFolds
	}
	return t
}

// special marks, by their high bits, the bytes of x that a string cannot hold as they are: the quote, the
// backslash and control bytes.
func special(x uint64) uint64 { return plain(x) ^ highs }

// plain marks, by their high bits, the bytes of x that are not special.
//
// It sets all high bits, takes away what leaves them set in the plain bytes only, and puts back those that x
// had: bytes above 0x7f are plain. Flipping bit 1 makes the quote (0x22) the neighbour of the control bytes
// (below 0x20), so that all of them fall below 0x21. What is left of the backslash is then 0x3d; flipping its
// bits gives zero, and only zero loses the high bit to the subtraction of one. No byte ever borrows from the
// next: those that lost the high bit in the first subtraction are between 0x42 and 0x62 by the second.
func plain(x uint64) uint64 {
	y := (x | highs) ^ 0x02*ones - 0x21*ones
	return (y ^ 0x3d*ones - ones | x) & highs
}

// escapeEnd gives the index after the escape whose backslash is b[i], or the complement of the index of the
// byte that cannot stand there.
func escapeEnd(b []byte, i int) int {
	i++
	if i >= len(b) {
		return ^i
	}
	if classes[b[i]]&classEscape != 0 {
		return i + 1
	}
	if b[i] != 'u' {
		return ^i
	}
	for range 4 {
		i++
		if i >= len(b) || classes[b[i]]&classHex == 0 {
			return ^i
		}
	}
	return i + 1
}

// numberEnd gives the index after the number that starts at b[i], which is a digit or a minus sign, or the
// complement of the index of the byte that cannot stand there.
func numberEnd(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	end := digitsEnd(b, i)
	if end < 0 {
		return end
	}
	if b[i] == '0' {
		end = i + 1 // no leading zeros: whatever follows is no part of the number
	}
	i = end
	if i < len(b) && b[i] == '.' {
		if i = digitsEnd(b, i+1); i < 0 {
			return i
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digitsEnd(b, i)
	}
	return i
}

// digitsEnd gives the index after the digits at b[i], of which there must be one at least.
func digitsEnd(b []byte, i int) int {
	start := i
	for i < len(b) && classes[b[i]]&classDigit != 0 {
		i++
	}
	if i == start {
		return ^i
	}
	return i
}

// literalEnd gives the index after the literal that starts at b[i], or the complement of the index of the
// byte that cannot stand there.
func literalEnd(b []byte, i int) int {
	var word string
	switch b[i] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	default:
		word = "null"
	}
	for k := range len(word) {
		if i+k >= len(b) || b[i+k] != word[k] {
			return ^(i + k)
		}
	}
	return i + len(word)
}

// spaceEnd gives the index of the first byte at or after b[i] that is not white space.
func spaceEnd(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && classes[b[i]]&classSpace != 0 {
		i++
	}
	return i
}
