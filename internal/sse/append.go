package sse

import "bytes"

// AppendEvent appends an event with the given type and data, as a Reader gives them back. Line ends in data,
// be they LF, CR or CRLF, come back as LF, since each line has its own data field. A type cannot hold CR, LF
// or NUL, with which it could forge other fields: they are left out. An empty type has no event line.
func AppendEvent(dst []byte, typ string, data []byte) []byte {
	if typ != "" {
		dst = append(dst, 'e', 'v', 'e', 'n', 't', ':', ' ')
		dst = appendType(dst, typ)
		dst = append(dst, '\n')
	}
	if bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(data, '\r') >= 0 {
		dst = appendLines(dst, "data: ", data)
		return append(dst, '\n')
	}
	dst = append(dst, 'd', 'a', 't', 'a', ':', ' ')
	dst = append(dst, data...)
	return append(dst, '\n', '\n')
}

// AppendComment appends text as a comment, which readers of events pass over, and the blank line that ends
// it: a keep-alive that stands at any place between events.
func AppendComment(dst []byte, text string) []byte {
	dst = appendLines(dst, ": ", []byte(text))
	return append(dst, '\n')
}

// appendType appends typ without what would end its line.
func appendType(dst []byte, typ string) []byte {
	if !hasControl(typ) {
		return append(dst, typ...)
	}
	for i := range len(typ) {
		if c := typ[i]; c != '\r' && c != '\n' && c != 0 {
			dst = append(dst, c)
		}
	}
	return dst
}

// hasControl tells whether s has a byte below 0x20. It looks at eight bytes at once, the last eight perhaps
// twice.
func hasControl(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	if len(s) < 8 {
		for i := range len(s) {
			if s[i] < 0x20 {
				return true
			}
		}
		return false
	}
	var found uint64
	for i := 0; i < len(s); i += 8 {
		w := s[min(i, len(s)-8):]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		found |= (x - 0x20*ones) & ^x
	}
	return found&highs != 0
}

// appendLines appends each line of text after prefix; a text without line ends, be it empty, is one line.
func appendLines(dst []byte, prefix string, text []byte) []byte {
	var seen seen
	for line := 0; ; {
		stop := seen.lineEnd(text, line)
		dst = append(dst, prefix...)
		dst = append(dst, text[line:stop]...)
		dst = append(dst, '\n')
		if stop == len(text) {
			return dst
		}
		line = stop + 1
		if text[stop] == '\r' && line < len(text) && text[line] == '\n' {
			line++
		}
	}
}
