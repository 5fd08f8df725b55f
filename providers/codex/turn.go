package codex

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// create is a client's frame that asks for a response.
type create struct {
	doc      rawjson.Doc
	previous string
	warmUp   bool
	input    [][]byte
	listed   bool // the input is a list, or became one
}

// parse reads a frame. One that is none of the protocol's ends the connection.
func parse(data []byte) (*create, error) {
	c := &create{}
	if err := c.doc.Scan(data, rawjson.Options{}); err != nil {
		return nil, &closing{websocket.StatusPolicyViolation, "frame: " + err.Error()}
	}
	if kind := c.text("type"); kind != "response.create" {
		return nil, &closing{websocket.StatusPolicyViolation, "type: must be response.create"}
	}
	c.previous = c.text("previous_response_id")
	raw, ok := c.doc.Raw("input")
	switch text, isText := asText(raw); {
	case isText:
		c.input, c.listed = [][]byte{userMessage(text)}, true
	case !ok || raw[0] == '[':
		for item := range rawjson.Elements(raw) {
			c.input = append(c.input, item)
		}
		c.listed = true
	}
	generate, _ := c.doc.Raw("generate")
	c.warmUp = c.listed && (string(generate) == "false" || ok && len(c.input) == 0 && c.previous == "")
	return c, nil
}

func (c *create) text(key string) string {
	raw, _ := c.doc.Raw(key)
	s, _ := rawjson.String(raw)
	return s
}

// userMessage makes an item of a text, given as it stands between its quotes.
func userMessage(text []byte) []byte {
	return fmt.Appendf(nil,
		`{"type":"message","role":"user","content":[{"type":"input_text","text":"%s"}]}`, text)
}

// body is the request over HTTP: the whole conversation, where the connection knows what came before.
func (c *create) body(before *past) []byte {
	out := []byte(`{"stream":true`)
	for key := range c.doc.Keys() {
		raw, _ := c.doc.Raw(key)
		switch key {
		case "type", "generate", "stream", "background":
			continue
		case "previous_response_id":
			if before != nil {
				continue
			}
		case "input":
			if c.listed {
				raw = array(append(before.all(), c.input...))
			}
		}
		out = append(out, ',')
		out = rawjson.AppendString(out, key)
		out = append(out, ':')
		out = append(out, raw...)
	}
	if _, ok := c.doc.Raw("input"); !ok && before != nil {
		out = append(append(out, `,"input":`...), array(before.all())...)
	}
	return append(out, '}')
}

// turn answers one frame. An error ends the connection.
func (c *connection) turn(ctx context.Context, data []byte) error {
	req, err := parse(data)
	if err != nil {
		return err
	}
	before := c.history.find(req.previous)
	switch {
	case req.previous != "" && before == nil && !c.stored, before != nil && !req.listed:
		return c.send(ctx, errorFrame(http.StatusBadRequest, nil, adapters.EncodeError(
			adapters.OpenAIResponses, adapters.ErrorInfo{
				Status: http.StatusBadRequest, Code: "previous_response_not_found", Param: "previous_response_id",
				Message: "the previous response is not known to this connection; send the whole input",
			})))
	case req.warmUp && (before != nil || req.previous == ""):
		return c.warmUp(ctx, req, before)
	}
	resp, err := c.transport.RoundTrip(c.request(ctx, req.body(before)))
	if err != nil {
		return c.broken(ctx, err)
	}
	defer resp.Body.Close() // what was read is what counts
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return c.relay(ctx, resp, req, before)
	}
	return c.sendWhole(ctx, resp, req, before)
}

// request makes the request of a turn, in the client's name.
func (c *connection) request(ctx context.Context, body []byte) *http.Request {
	r := c.handshake.Clone(ctx)
	r.Method, r.Body, r.ContentLength = http.MethodPost, http.NoBody, int64(len(body))
	r.Body = readCloser{bytes.NewReader(body)}
	for name := range r.Header {
		if strings.HasPrefix(name, "Sec-Websocket-") {
			delete(r.Header, name)
		}
	}
	for _, names := range c.handshake.Header["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			r.Header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range [...]string{ // which are the handshake's
		"Upgrade", "Connection", "Content-Length", "Content-Encoding", "Origin", "X-Request-Id",
	} {
		delete(r.Header, name)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	return r
}

// readCloser is a body with nothing to close.
type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// relay sends the events of a stream, each in a frame, and remembers what the turn added to the conversation. The proxy
// sees to it that a stream ends with a terminal event.
func (c *connection) relay(ctx context.Context, resp *http.Response, req *create, before *past) error {
	events := sse.NewReader(resp.Body, 0)
	told := resp.Header[lossHeader]
	var output outputItems
	for {
		ev, err := events.Next()
		if err != nil {
			return c.broken(ctx, err)
		}
		if !ev.HasData || len(ev.Data) == 0 || ev.Data[0] != '{' {
			continue
		}
		kind := eventKind(ev)
		if kind == "response.output_item.done" {
			output.add(ev.Data)
		}
		terminal, failed := adapters.Terminal(adapters.OpenAIResponses, kind, ev.Data)
		if terminal && !failed {
			id, _ := rawjson.Find(ev.Data, "response", "id")
			name, _ := rawjson.String(id)
			c.remember(name, req, before, output.list())
		}
		data := ev.Data
		if told != nil { // in the first event, since there are no other headers over a WebSocket
			data, told = withLosses(data, told), nil
		}
		if err := c.send(ctx, data); err != nil {
			return err
		}
		if terminal {
			break
		}
	}
	// To its end, which comes when the proxy is done with it: the next turn must not meet this one.
	_, _ = io.Copy(io.Discard, resp.Body) // the client has all of it
	return nil
}

// remember keeps what a turn added to a conversation, unless only the upstream has all that came before.
func (c *connection) remember(id string, req *create, before *past, output [][]byte) {
	if before != nil || req.previous == "" {
		c.history.add(id, before, append(req.kept(), output...))
	}
}

// lossHeader tells what of a request had no place upstream.
const lossHeader = "X-Ccproxy-Loss"

// withLosses adds the header to an event, where OpenAI's own WebSocket has those of a response.
func withLosses(event []byte, losses []string) []byte {
	text := rawjson.AppendString(nil, strings.Join(losses, ","))
	return replace(event, "headers", fmt.Appendf(nil, `{"x-ccproxy-loss":%s}`, text))
}

// broken ends a turn that the proxy did not end by itself.
func (c *connection) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err // nobody is left to tell
	}
	c.pc.Logger.WarnContext(ctx, "turn broke off", "error", err)
	return c.send(ctx, adapters.EncodeStreamError(adapters.OpenAIResponses, adapters.ErrorInfo{
		Status: http.StatusBadGateway, Message: "the stream ended before response.completed",
	}).Data)
}

// kept is the input, in memory of its own.
func (c *create) kept() [][]byte {
	items := make([][]byte, 0, len(c.input))
	for _, item := range c.input {
		items = append(items, bytes.Clone(item))
	}
	return items
}

// warmUp answers what asks for nothing yet: the input becomes the beginning of what follows.
func (c *connection) warmUp(ctx context.Context, req *create, before *past) error {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	id := "resp_ws_" + hex.EncodeToString(random[:])
	c.history.add(id, before, req.kept())
	model, ok := req.doc.Raw("model")
	if !ok {
		model = []byte(`""`)
	}
	for i, event := range [...]struct{ name, status string }{{"created", "in_progress"}, {"completed", "completed"}} {
		data := fmt.Appendf(nil, `{"type":"response.%s","sequence_number":%d,"response":{"id":"%s",`+
			`"object":"response","created_at":%d,"status":"%s","model":%s,"output":[],"usage":{"input_tokens":0,`+
			`"input_tokens_details":{"cached_tokens":0},"output_tokens":0,`+
			`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":0}}}`,
			event.name, i, id, time.Now().Unix(), event.status, model)
		if err := c.send(ctx, data); err != nil {
			return err
		}
	}
	return nil
}
