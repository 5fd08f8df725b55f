package anthropic

import (
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// tooLong is how the API says that a conversation does not fit the model, and what clients look for before they make
// it shorter. OpenAI has a code for it instead.
const (
	tooLong     = "prompt is too long"
	tooLongCode = "context_length_exceeded"
)

// DecodeError takes an error of the API, or of a gateway before it that says no more than a text under "error",
// "message" or "detail". The HTTP status is not in the body: it is set by what is known of the type.
func (codec) DecodeError(body []byte) (*canonical.Error, error) {
	var doc rawjson.Doc
	if err := scan(&doc, body); err != nil {
		return nil, err
	}
	return decodeFailure(body)
}

// decodeFailure takes an error whose JSON was checked. The result owns its memory.
func decodeFailure(body []byte) (*canonical.Error, error) {
	out := &canonical.Error{}
	detail, _ := rawjson.Find(body, "error")
	message := detail
	if isObject(detail) {
		message, _ = rawjson.Find(detail, "message")
		typ, _ := rawjson.Find(detail, "type")
		out.Type, _ = rawjson.String(typ)
		out.Code = clone(find(detail, "code"))
		out.Param = clone(find(detail, "param"))
	}
	for _, name := range []string{"message", "detail"} {
		if len(message) == 0 || message[0] != '"' {
			message = find(body, name)
		}
	}
	if len(message) == 0 || message[0] != '"' {
		return nil, invalid("error.message", "a string")
	}
	out.Message = clone(message)
	out.RequestID = clone(find(body, "request_id"))
	out.Type, out.Status = knownType(out.Type)
	if out.Code == nil && strings.HasPrefix(out.Message.String(), tooLong) {
		out.Code = canonical.NewToken(tooLongCode)
	}
	return out, nil
}

func find(raw []byte, name string) []byte {
	v, _ := rawjson.Find(raw, name)
	return v
}

// clone copies a string, or gives nil for anything else.
func clone(v []byte) canonical.Token {
	if len(v) == 0 || v[0] != '"' {
		return nil
	}
	return append(canonical.Token(nil), v...)
}

// knownType is the API's own name of an error and the status that goes with it. Vendors that copy the API have
// names of their own, and the status is 0 for these.
func knownType(typ string) (name string, status int) {
	switch typ {
	case "invalid_request_error":
		return typ, http.StatusBadRequest
	case "authentication_error":
		return typ, http.StatusUnauthorized
	case "billing_error":
		return typ, http.StatusPaymentRequired
	case "permission_error":
		return typ, http.StatusForbidden
	case "not_found_error":
		return typ, http.StatusNotFound
	case "request_too_large":
		return typ, http.StatusRequestEntityTooLarge
	case "rate_limit_error":
		return typ, http.StatusTooManyRequests
	case "api_error":
		return typ, http.StatusInternalServerError
	case "timeout_error":
		return typ, http.StatusGatewayTimeout
	case "overloaded_error":
		return typ, 529
	case "insufficient_quota":
		return "billing_error", 0
	case "server_error", "internal_server_error":
		return "api_error", 0
	default:
		return typ, 0
	}
}

// EncodeError writes an error of the API.
func (codec) EncodeError(e *canonical.Error) []byte {
	return adapters.EncodeError(adapters.AnthropicMessages, errorInfo(e))
}

// errorInfo is an error in the form that is independent of formats, in the API's words.
func errorInfo(e *canonical.Error) adapters.ErrorInfo {
	if e == nil {
		return adapters.ErrorInfo{Message: failureText(nil)}
	}
	info := adapters.ErrorInfo{
		Status: e.Status, Message: failureText(e), RequestID: e.RequestID.String(),
	}
	info.Type, _ = knownType(e.Type)
	if e.Code.String() == tooLongCode {
		info.Type = "invalid_request_error"
		if !strings.Contains(info.Message, tooLong) {
			info.Message = tooLong + ": " + info.Message
		}
	}
	return info
}

// failureText is what to tell people about a failure.
func failureText(e *canonical.Error) string {
	if e == nil || e.Message.Empty() {
		return "the answer of the upstream has failed"
	}
	return e.Message.String()
}
