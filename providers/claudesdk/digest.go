package claudesdk

import (
	"crypto/sha256"
	"hash"
	"unicode"
)

// digest stands for a conversation. Two are equal where the conversations say the same, though a client may have cut
// its texts into other blocks, changed white space, or left out thinking and what the plugin tells of tools: then a CLI
// that remembers the one can go on with the other.
type digest [sha256.Size]byte

// with is the conversation with one more message.
func (d digest) with(m *chatMessage) digest {
	text := newTextHash()
	rest := sha256.New()
	for _, block := range m.Content {
		if s, ok := textOf(block); ok && typeOf(block) == "text" {
			text.write(s)
			continue
		}
		_, _ = rest.Write(block)
	}
	return d.next(m.Role, text, rest.Sum(nil))
}

// answered is the conversation with an answer that has only text.
func (d digest) answered(text *textHash) digest {
	return d.next(typeAssistant, text, sha256.New().Sum(nil))
}

func (d digest) next(role string, text *textHash, rest []byte) digest {
	h := sha256.New()
	_, _ = h.Write(d[:])
	_, _ = h.Write([]byte(role))
	_, _ = h.Write(text.h.Sum(nil))
	_, _ = h.Write(rest)
	return digest(h.Sum(nil))
}

// textHash hashes texts without their white space.
type textHash struct{ h hash.Hash }

func newTextHash() *textHash { return &textHash{sha256.New()} }

func (t *textHash) write(s string) {
	buf := make([]byte, 0, len(s))
	for _, r := range s {
		if !unicode.IsSpace(r) {
			buf = append(buf, string(r)...)
		}
	}
	_, _ = t.h.Write(buf)
}
