package permissions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// maxIndented is how long an input may be to be laid out in lines: what is nested deeply grows by that.
const maxIndented = 16 << 10

// Plain returns a text with everything in it visible: control characters, which could command a terminal, and those
// that change the direction of text or have no width, which could hide what is really there, become escapes. A line
// end becomes one as well.
func Plain(s string) string { return visible(s, false) }

// InputText returns the input of a tool for people to read: the very bytes, laid out in lines unless they are long,
// and with everything in it visible as with [Plain]. Nothing is decoded, so a key that is there twice is seen twice.
func InputText(input json.RawMessage) string {
	if len(input) <= maxIndented {
		var b bytes.Buffer
		if err := json.Indent(&b, input, "", "  "); err == nil {
			input = b.Bytes()
		}
	}
	return visible(string(input), true)
}

func visible(s string, lines bool) string {
	odd := func(r rune) bool {
		seen := unicode.IsPrint(r) && (r <= unicode.MaxLatin1 || !blank(r))
		return !seen && (!lines || r != '\n') || r == unicode.ReplacementChar
	}
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !odd(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// blank tells of characters that count as printable, but show nothing.
func blank(r rune) bool {
	const emptyBraille = '\u2800'
	return r == emptyBraille || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
