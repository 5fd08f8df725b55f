package openai

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// maxPlainError is how much of an error that is no JSON reaches a client.
const maxPlainError = 2000

// decodeError takes what a server says about a failure, in whichever shape: OpenAI's, a bare message or detail, a
// string, a list with one of these, or text that is no JSON. It never fails; what says nothing has no Message.
func decodeError(body []byte) *canonical.Error {
	body = bytes.TrimSpace(body)
	var doc rawjson.Doc
	if isArray(body) { // one error in a list, as Google's compatible endpoint sends it
		for first := range rawjson.Elements(body) {
			body = first
			break
		}
	}
	if doc.Scan(body, rawjson.Options{}) != nil {
		return plainError(body)
	}
	obj, _ := rawjson.Find(body, "error")
	switch {
	case isString(obj):
		e := errorOf(body)
		e.Message = canonical.Token(obj)
		return e
	case isObject(obj):
		e := errorOf(obj)
		if e.RequestID == nil {
			e.RequestID = lenientString(find(body, "request_id"))
		}
		return e
	default:
		return errorOf(body)
	}
}

// errorOf takes the members of an error object.
func errorOf(obj []byte) *canonical.Error {
	e := &canonical.Error{
		Message:   messageOf(obj),
		Param:     lenientString(find(obj, "param")),
		RequestID: lenientString(find(obj, "request_id")),
	}
	code := find(obj, "code")
	if isString(code) {
		e.Code = canonical.Token(code)
	}
	word := lenientString(code).String()
	if n, err := strconv.Atoi(word); err == nil {
		e.Status = n
	} else if n, ok := rawjson.Int(code); ok {
		e.Status = int(n)
	}
	if e.Status < 400 || e.Status > 599 {
		e.Status = 0
	}
	e.Type = errorKind(lenientString(find(obj, "type")).String(), word, e.Status)
	return e
}

// messageOf looks for the words in the places where servers put them.
func messageOf(obj []byte) canonical.Token {
	for _, name := range []string{"message", "detail", "error_description", "msg", "title"} {
		v := find(obj, name)
		switch {
		case isString(v):
			return canonical.Token(v)
		case isObject(v):
			if t := messageOf(v); t != nil {
				return t
			}
		case isArray(v):
			for first := range rawjson.Elements(v) { // the first of a validator's findings
				if isString(first) {
					return canonical.Token(first)
				}
				if t := messageOf(first); t != nil {
					return t
				}
				break
			}
		}
	}
	return nil
}

// plainError takes an error that is no JSON. A gateway's page is not for reading.
func plainError(body []byte) *canonical.Error {
	e := &canonical.Error{}
	if isString(body) {
		e.Message = canonical.Token(body)
		if e.Message.String() != "" {
			return e
		}
		e.Message = nil
	}
	if len(body) == 0 || body[0] == '<' || body[0] == '{' {
		return e
	}
	e.Message = canonical.NewToken(string(body[:min(len(body), maxPlainError)]))
	return e
}

// errorKind gives Anthropic's name for OpenAI's type and code, or "" if they and the status say nothing.
func errorKind(typ, code string, status int) string {
	if kind := kindOfWord(code); kind != "" {
		return kind
	}
	if kind := kindOfWord(typ); kind != "" {
		return kind
	}
	return kindOfStatus(status)
}

func kindOfWord(word string) string {
	switch strings.ToLower(word) {
	case "invalid_api_key", "authentication_error", "token_expired", "unauthorized":
		return "authentication_error"
	case "permission_error", "permission_denied", "usage_not_included", "unsupported_country_region_territory":
		return "permission_error"
	case "model_not_found", "not_found_error", "notfounderror", "deployment_not_found":
		return "not_found_error"
	case "insufficient_quota", "billing_error", "billing_hard_limit_reached":
		return "billing_error"
	case "rate_limit_error", "rate_limit_exceeded", "usage_limit_reached", "requests", "tokens",
		"too_many_requests":
		return "rate_limit_error"
	case "request_too_large":
		return "request_too_large"
	case "timeout", "timeout_error", "request_timeout":
		return "timeout_error"
	case "overloaded_error", "overloaded", "engine_overloaded", "server_is_overloaded", "slow_down",
		"service_unavailable":
		return "overloaded_error"
	case "context_length_exceeded", "invalid_prompt", "invalid_request_error", "badrequesterror":
		return "invalid_request_error"
	case "server_error", "api_error", "internal_error", "internalservererror", "internal_server_error":
		return "api_error"
	default:
		return ""
	}
}

func kindOfStatus(status int) string {
	switch status {
	case 0:
		return ""
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "billing_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "timeout_error"
	case http.StatusServiceUnavailable, 529:
		return "overloaded_error"
	}
	if status < 500 {
		return "invalid_request_error"
	}
	return "api_error"
}

// encodeError gives the body of an error. The request's id, for which OpenAI has only a header, is a member more.
func encodeError(e *canonical.Error) []byte {
	w := writer{buf: make([]byte, 0, len(e.Message)+160)}
	w.open('{')
	w.key("error")
	w.open('{')
	message := e.Message
	if message == nil {
		message = canonical.Token(`"the provider failed"`)
	}
	w.token("message", message)
	w.text("type", openAIErrorType(e))
	w.token("param", e.Param)
	w.token("code", errorCode(e))
	w.member("request_id", e.RequestID)
	w.close('}')
	w.close('}')
	return w.buf
}

func openAIErrorType(e *canonical.Error) string {
	kind := e.Type
	if kind == "" {
		kind = kindOfStatus(e.Status)
	}
	switch kind {
	case "authentication_error", "permission_error", "rate_limit_error", "invalid_request_error":
		return kind
	case "billing_error":
		return "insufficient_quota"
	case "not_found_error", "request_too_large":
		return "invalid_request_error"
	default:
		return "server_error"
	}
}

// errorCode is the error's own code, or the one by which clients of OpenAI know what Anthropic has types and words for.
func errorCode(e *canonical.Error) canonical.Token {
	if e.Code != nil && !is(e.Code, "server_error") { // which a failed response has where others have no code
		return e.Code
	}
	kind := e.Type
	if kind == "" {
		kind = kindOfStatus(e.Status)
	}
	switch kind {
	case "authentication_error":
		return canonical.Token(`"invalid_api_key"`)
	case "billing_error":
		return canonical.Token(`"insufficient_quota"`)
	case "rate_limit_error":
		return canonical.Token(`"rate_limit_exceeded"`)
	case "overloaded_error":
		return canonical.Token(`"server_is_overloaded"`)
	case "not_found_error":
		if bytes.HasPrefix(inner(e.Message), []byte("model:")) { // and not of a file or a path
			return canonical.Token(`"model_not_found"`)
		}
	case "invalid_request_error":
		if bytes.HasPrefix(inner(e.Message), []byte("prompt is too long")) {
			return canonical.Token(`"context_length_exceeded"`)
		}
	}
	return nil
}
