package rawjson

import (
	"encoding/binary"
	"math/bits"
)

// block knows where among 64 bytes of a body the special ones are, inside and outside of strings. Most
// strings are short, and so one block serves several of them: the bytes are looked at once, without a branch
// that depends on them. The zero value knows no bytes. A block is of use only for the body it was made from,
// and from the index on for which it was made.
type block struct {
	end   int    // index after the last of the 64 bytes; past the end of a shorter body
	marks uint64 // bit k is set if byte end-64+k is special
}

// gather collects the high bits of the bytes of a word, as plain leaves them, in the highest byte of the
// product, the first byte's lowest.
const gather = 0x0002040810204081

// blockAt looks at the 64 bytes at b[i], or at the last 64 bytes of b if fewer are left.
func blockAt(b []byte, i int) block {
	if len(b) < 64 {
		return shortBlock(b)
	}
	start := min(i, len(b)-64)
	s := (*[64]byte)(b[start:])
	p := plain(binary.LittleEndian.Uint64(s[0:])) * gather >> 56
	p |= plain(binary.LittleEndian.Uint64(s[8:])) * gather >> 56 << 8
	p |= plain(binary.LittleEndian.Uint64(s[16:])) * gather >> 56 << 16
	p |= plain(binary.LittleEndian.Uint64(s[24:])) * gather >> 56 << 24
	p |= plain(binary.LittleEndian.Uint64(s[32:])) * gather >> 56 << 32
	p |= plain(binary.LittleEndian.Uint64(s[40:])) * gather >> 56 << 40
	p |= plain(binary.LittleEndian.Uint64(s[48:])) * gather >> 56 << 48
	p |= plain(binary.LittleEndian.Uint64(s[56:])) * gather >> 56 << 56
	return block{start + 64, ^p}
}

// shortBlock is blockAt for a body of less than 64 bytes. The zero bytes after it are special: the search for
// the end of a string stops there at the latest.
func shortBlock(b []byte) block {
	var padded [64]byte
	copy(padded[:], b)
	return blockAt(padded[:], 0)
}

// quoteEnd gives the index after the closing quote of the string whose content starts at b[i], if the block
// shows a quote as the next special byte, and otherwise 0: then stringEnd must look. It is the short way for
// the many short strings, small enough to be inlined.
func (k block) quoteEnd(b []byte, i int) int {
	if i >= k.end {
		return 0
	}
	m := k.marks >> (uint(i-k.end) & 63)
	if i += bits.TrailingZeros64(m); m != 0 && i < len(b) && b[i] == '"' {
		return i + 1
	}
	return 0
}

// stringEnd gives the index after the closing quote of the string whose content starts at b[i], or the
// complement of the index of the byte that cannot stand there; and the block that it looked at last, for the
// next string.
func (k block) stringEnd(b []byte, i int) (int, block) {
	for {
		if i >= k.end {
			if i >= len(b) {
				return ^len(b), k
			}
			if k = blockAt(b, i); k.marks == 0 {
				i = plainEnd(b, k.end) // such text tends to be long
				continue
			}
		}
		m := k.marks >> (uint(i-k.end) & 63)
		if m == 0 {
			i = k.end
			continue
		}
		if i += bits.TrailingZeros64(m); i >= len(b) {
			return ^len(b), k
		}
		if b[i] == '"' {
			return i + 1, k
		}
		if b[i] != '\\' {
			return ^i, k
		}
		if i+1 < len(b) && classes[b[i+1]]&classEscape != 0 {
			i += 2
			continue
		}
		if i = escapeEnd(b, i); i < 0 {
			return i, k
		}
	}
}

// plainEnd gives an index up to which b has no special byte from b[i] on. It goes four words at a time, which
// pays in long strings, and leaves the last few words before a special byte to the caller.
func plainEnd(b []byte, i int) int {
	for ; i+32 <= len(b); i += 32 {
		s := (*[32]byte)(b[i:])
		p := plain(binary.LittleEndian.Uint64(s[0:])) & plain(binary.LittleEndian.Uint64(s[8:])) &
			plain(binary.LittleEndian.Uint64(s[16:])) & plain(binary.LittleEndian.Uint64(s[24:]))
		if p != highs {
			break
		}
	}
	return i
}
