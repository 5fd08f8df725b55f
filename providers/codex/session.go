package codex

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// maxSession is the length of ids that ChatGPT takes as a cache key.
const maxSession = 64

// sessionID makes an id of a conversation of whatever a client calls it, always the same one. Clients call it by
// anything, such as a JSON object of Claude Code's.
func sessionID(session string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("-_.:", r)
	}
	if len(session) <= maxSession && strings.IndexFunc(session, func(r rune) bool { return !plain(r) }) < 0 {
		return session
	}
	sum := sha256.Sum256([]byte(session))
	return hex.EncodeToString(sum[:16])
}

// newID makes a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// header returns what of a client's header ChatGPT is to see, and which conversation it is about.
func header(call *ccproxy.Call, session string) http.Header {
	h := make(http.Header, len(call.Header)+3)
	for name, values := range call.Header {
		if call.ClientFormat == adapters.OpenAIResponses || !strings.HasPrefix(name, "Anthropic-") &&
			!strings.HasPrefix(name, "X-Claude-") && name != "X-App" {
			h[name] = values
		}
	}
	if session == "" {
		session = newID()
	}
	h["Session_id"], h["Conversation_id"] = []string{session}, []string{session}
	h["Accept"] = []string{"text/event-stream"}
	if strings.HasPrefix(h.Get("Openai-Beta"), "responses_websockets=") { // this is plain HTTP
		delete(h, "Openai-Beta")
	}
	return h
}
