package providertest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// Reply writes one answer. The request's body is there to be read, although the upstream has read it
// before; its context ends when the client goes away. Any handler function is a Reply.
type Reply func(w http.ResponseWriter, r *http.Request)

// Message answers with text, whole or as a stream as the request asks.
func Message(text string) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, block{Type: "text", Text: &text})
	}
}

// ToolUse answers with one call of the tool name, whole or as a stream as the request asks. The input
// is a JSON object; its bytes are kept.
func ToolUse(name, input string) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, block{Type: "tool_use", ID: exchangeOf(r).toolID(), Name: name, Input: json.RawMessage(input)})
	}
}

// answer sends b as the only content of a message.
func answer(w http.ResponseWriter, r *http.Request, b block) {
	req := decodeRequest(r)
	m := message{
		ID: exchangeOf(r).messageID(), Type: "message", Role: "assistant", Model: req.Model,
		Content: []block{b}, StopReason: b.stopReason(),
		Usage: usage{Input: req.tokens(), Output: b.tokens()},
	}
	if req.Stream {
		Stream(m.events()...)(w, r)
		return
	}
	writeJSON(w, r, http.StatusOK, nil, m)
}

// Error answers with status and Anthropic's error body. The header is added to the usual ones and
// wins over them; it may be nil. A request-id in it is the body's request_id, too.
func Error(status int, typ, message string, header http.Header) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		own := http.Header{"Request-Id": {exchangeOf(r).requestID()}}
		addHeader(own, header)
		writeJSON(w, r, status, own, newErrorBody(typ, message, own.Get("Request-Id")))
	}
}

// Raw answers with exactly this header and body, as a gateway that knows nothing of the API might.
func Raw(status int, header http.Header, body string) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		addHeader(w.Header(), header)
		w.WriteHeader(status)
		exchangeOf(r).finish(w, []byte(body))
	}
}

// Stall sends nothing, not even a header, until release is closed or delivers, then goes on with next.
// A nil release holds until the client goes away; a nil next is the default message. To stall after
// the header, put a [Gate] into a [Stream].
func Stall(release <-chan struct{}, next Reply) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
			return
		}
		if next == nil {
			next = Message(DefaultText)
		}
		next(w, r)
	}
}

// finish writes the last bytes of an answer.
func (ex *exchange) finish(w io.Writer, b []byte) {
	ex.ended = true
	if _, err := w.Write(b); err != nil {
		ex.ended = false
	}
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, header http.Header, v any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(v); err != nil { // the test's tool input is no JSON
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	setServiceHeader(w.Header(), r)
	w.Header().Set("Content-Type", "application/json")
	addHeader(w.Header(), header)
	w.WriteHeader(status)
	exchangeOf(r).finish(w, bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

// addHeader copies header over h; names in it may be spelled as a literal spells them.
func addHeader(h, header http.Header) {
	for name, values := range header {
		h[http.CanonicalHeaderKey(name)] = values
	}
}

// setServiceHeader sets what every answer of the service carries. The values never change, so that
// tests may compare them.
func setServiceHeader(h http.Header, r *http.Request) {
	h.Set("Request-Id", exchangeOf(r).requestID())
	h.Set("Anthropic-Organization-Id", "00000000-0000-4000-8000-000000000000")
	for _, kind := range []string{"Requests", "Tokens", "Input-Tokens", "Output-Tokens"} {
		h.Set("Anthropic-Ratelimit-"+kind+"-Limit", "1000")
		h.Set("Anthropic-Ratelimit-"+kind+"-Remaining", "999")
		h.Set("Anthropic-Ratelimit-"+kind+"-Reset", "2030-01-01T00:00:00Z")
	}
}
