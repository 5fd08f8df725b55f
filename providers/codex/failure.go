package codex

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// maxFailure bounds the body of an error; the toolkit bounds it as well.
const maxFailure = 1 << 20

// failure gives an error of ChatGPT the shape of the API's, and says when to try again. Errors that have that shape
// stay as they are.
func failure(ans *ccproxy.Answer) (*ccproxy.Answer, error) {
	body, err := io.ReadAll(io.LimitReader(ans.Body, maxFailure))
	_ = ans.Body.Close() // what was read is what counts
	if err != nil {
		return nil, err
	}
	if text, ok := detail(body); ok {
		body = adapters.EncodeError(adapters.OpenAIResponses, adapters.ErrorInfo{Status: ans.Status, Message: text})
	}
	limited := ans.Status == http.StatusTooManyRequests && ans.Header.Get("Retry-After") == ""
	if seconds, ok := resetsIn(body); ok && limited {
		ans.Header = ans.Header.Clone()
		ans.Header.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	ans.Body = io.NopCloser(bytes.NewReader(body))
	return ans, nil
}

// detail is the message of an error in the shape {"detail": …}.
func detail(body []byte) (string, bool) {
	if !json.Valid(body) {
		return "", false
	}
	if _, ok := rawjson.Find(body, "error"); ok {
		return "", false
	}
	raw, ok := rawjson.Find(body, "detail")
	if !ok {
		return "", false
	}
	if text, ok := rawjson.String(raw); ok {
		return text, true
	}
	if raw, ok := rawjson.Find(raw, "message"); ok {
		return rawjson.String(raw)
	}
	return string(raw), true
}

// resetsIn is the time until a limit of usage ends.
func resetsIn(body []byte) (int64, bool) {
	raw, ok := rawjson.Find(body, "error", "resets_in_seconds")
	if !ok {
		return 0, false
	}
	seconds, ok := rawjson.Int(raw)
	return seconds, ok && seconds > 0
}
