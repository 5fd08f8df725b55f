package envelope

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// Pattern tells which bytes an id may consist of. Lower-case letters and digits must be among them.
type Pattern func(c byte) bool

// IDChar is the pattern of Anthropic's and OpenAI's ids: letters, digits, "_" and "-".
func IDChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// hashLen is how many hexadecimal digits of a hash an id ends with: 96 bits of it.
const hashLen = 24

// ClampID makes an id fit: at most limit characters, all of the pattern. One that fits, or is empty, is returned as
// it is. Another keeps its first characters and ends with a hash of the whole, so that equal ids stay equal and
// different ones different, in this turn and the next, whichever process it meets. There is no way back from it.
//
// A nil pattern is [IDChar]; a limit below 1 is none.
func ClampID(t canonical.Token, limit int, pattern Pattern) canonical.Token {
	if t.Empty() {
		return t
	}
	if pattern == nil {
		pattern = IDChar
	}
	id := t.String()
	start := 0
	for start < len(id) && pattern(id[start]) {
		start++
	}
	if start == len(id) && (limit < 1 || len(id) <= limit) {
		return t
	}
	sum := sha256.Sum256([]byte(id))
	hash := hex.EncodeToString(sum[:])[:hashLen]
	if limit > 0 {
		hash = hash[:min(hashLen, limit)]
		start = min(start, limit-len(hash))
	}
	return canonical.NewToken(id[:min(start, 16)] + hash)
}
