// Package canonical is the neutral conversation between the dialects: what a codec decodes a request, an answer or a
// stream into, and encodes it from. It is rich enough that a dialect loses nothing on the way to itself and back.
//
// Text, tool arguments and binary data stay raw JSON tokens from one end to the other: they are copied, not unescaped
// and escaped again. The types that hold them refer to the memory of the body they were decoded from, which therefore
// must not change, and they are read-only.
package canonical

import (
	"slices"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Raw is a JSON value as it stood in its source; nil where there was none.
type Raw []byte

// Token is a JSON string with its quotes and escapes, as it stood in its source; nil where there was none. It prints as
// the text that it stands for: to write the token itself, append it, or convert it to []byte.
type Token []byte

// NewToken returns the token of a string.
func NewToken(s string) Token { return rawjson.AppendString(nil, s) }

// String returns the string itself, or "" for what is not a string.
func (t Token) String() string {
	s, _ := rawjson.String(t)
	return s
}

// Empty reports whether there is no text in it.
func (t Token) Empty() bool { return len(t) <= len(`""`) }

// Join joins tokens with a separator that needs no escape in JSON, other than "\n", without decoding them.
func Join(sep string, tokens ...Token) Token {
	escaped := rawjson.AppendString(nil, sep)
	escaped = escaped[1 : len(escaped)-1]
	out := Token{'"'}
	for i, t := range tokens {
		if i > 0 {
			out = append(out, escaped...)
		}
		if !t.Empty() {
			out = append(out, t[1:len(t)-1]...)
		}
	}
	return append(out, '"')
}

// Field is a member of an object that the neutral model has no place for. A codec keeps it for its own dialect
// and reports it as lost in another, unless it is known to mean the same there.
type Field struct {
	Name string
	Raw  Raw
}

// Loss is something that a dialect cannot express.
type Loss struct {
	// Path is where it stood in the source, such as "messages[2].content[0].cache_control".
	Path string
	// Reason says what became of it, in a few words.
	Reason string
}

// Losses collects what is lost. The zero value is ready; a nil *Losses counts nothing.
type Losses struct {
	List []Loss
}

// maxLosses bounds a list, and recentLosses how far back repetitions are looked for: the pieces of a stream lose the
// same thing again and again.
const (
	maxLosses    = 1000
	recentLosses = 8
)

// Add notes a loss, unless it is among the latest already. After 1,000 of them one entry, whose path is "…", stands for
// all others.
func (l *Losses) Add(path, reason string) {
	if l == nil || len(l.List) > maxLosses {
		return
	}
	loss := Loss{Path: path, Reason: reason}
	switch {
	case slices.Contains(l.List[max(0, len(l.List)-recentLosses):], loss):
		return
	case len(l.List) == maxLosses:
		loss = Loss{Path: "…", Reason: "too many losses to name them all"}
	}
	l.List = append(l.List, loss)
}
