package codex

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// maxWhole bounds an answer that is not a stream.
const maxWhole = 32 << 20

// sendWhole sends an answer that is not a stream, which is mostly an error.
func (c *connection) sendWhole(ctx context.Context, resp *http.Response, req *create, before *past) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxWhole))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return c.send(ctx, errorFrame(resp.StatusCode, resp.Header, body))
	}
	if id, ok := rawjson.Find(body, "id"); ok {
		var output [][]byte
		list, _ := rawjson.Find(body, "output")
		for item := range rawjson.Elements(list) {
			output = append(output, bytes.Clone(item))
		}
		name, _ := rawjson.String(id)
		c.remember(name, req, before, output)
	}
	event := fmt.Appendf(nil, `{"type":"response.completed","sequence_number":0,"response":%s}`, body)
	if losses := resp.Header[lossHeader]; losses != nil {
		event = withLosses(event, losses)
	}
	return c.send(ctx, event)
}

// errorFrame is the event that ends a turn before it began, as OpenAI's own WebSocket tells it: with the status and the
// headers that say when to try again.
func errorFrame(status int, h http.Header, body []byte) []byte {
	failure, ok := rawjson.Find(body, "error")
	if !ok || !json.Valid(body) {
		body = adapters.EncodeError(adapters.OpenAIResponses, adapters.ErrorInfo{
			Status: status, Message: http.StatusText(status),
		})
		failure, _ = rawjson.Find(body, "error")
	}
	told := make(map[string]string)
	for name := range h {
		if name == "Retry-After" || name == "X-Request-Id" || name == lossHeader ||
			strings.HasPrefix(name, "X-Codex-") || strings.HasPrefix(name, "X-Ratelimit-") {
			told[strings.ToLower(name)] = h.Get(name)
		}
	}
	headers, err := json.Marshal(told)
	if err != nil {
		headers = []byte("{}")
	}
	return fmt.Appendf(nil, `{"type":"error","status":%d,"error":%s,"headers":%s}`, status, failure, headers)
}
