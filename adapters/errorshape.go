package adapters

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// statusOverloaded is the status of an overloaded upstream that net/http has no name for.
const statusOverloaded = 529

// ErrorInfo is an error independent of the format it will be told in.
type ErrorInfo struct {
	// Status is the HTTP status that goes with the error. It is not written into the body.
	Status int
	// Type is the format's own name for the kind of error. If empty, it follows from Status.
	Type string
	// Message is for people. Claude Code and others show it verbatim.
	Message string
	// Code and Param are what OpenAI formats tell besides; Anthropic's has no place for them.
	Code, Param string
	// RequestID is what to quote to an operator.
	RequestID string
	// ResponseID and Sequence place an error in a stream of OpenAI Responses that has begun: the id of its response,
	// and the number of the event. Without an id one is made of RequestID.
	ResponseID string
	Sequence   int64
}

// EncodeError gives the JSON body of an error response in the format: Anthropic's, OpenAI's (for both of its
// formats), or {"error":{"type","message"}} for any other.
func EncodeError(f Format, e ErrorInfo) []byte {
	switch f {
	case AnthropicMessages:
		return encode(anthropicError{Type: "error", Error: e.short(f), RequestID: e.RequestID})
	case OpenAIChatCompletions, OpenAIResponses:
		return encode(openAIError{Error: e.openAI(f)})
	default:
		return encode(plainError{Error: e.short(f)})
	}
}

// EncodeStreamError gives the event that ends a stream of the format with an error. For OpenAI Responses
// that is response.failed around a minimal response object, because clients read the code there.
func EncodeStreamError(f Format, e ErrorInfo) Event {
	switch f {
	case OpenAIResponses:
		return Event{Type: eventFailed, Data: encode(e.failedEvent())}
	case OpenAIChatCompletions:
		return Event{Data: EncodeError(f, e)}
	default:
		return Event{Type: eventError, Data: EncodeError(f, e)}
	}
}

type (
	anthropicError struct {
		Type      string     `json:"type"`
		Error     shortError `json:"error"`
		RequestID string     `json:"request_id,omitempty"`
	}
	shortError struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	plainError struct {
		Error shortError `json:"error"`
	}
	openAIError struct {
		Error openAIDetail `json:"error"`
	}
	// openAIDetail has null where OpenAI has no value.
	openAIDetail struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	failedEvent struct {
		Type           string         `json:"type"`
		SequenceNumber int64          `json:"sequence_number"`
		Response       failedResponse `json:"response"`
	}
	failedResponse struct {
		ID        string     `json:"id"`
		Object    string     `json:"object"`
		CreatedAt int64      `json:"created_at"`
		Status    string     `json:"status"`
		Error     failedCode `json:"error"`
		Output    []struct{} `json:"output"`
	}
	failedCode struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
)

func (e ErrorInfo) short(f Format) shortError {
	msg := e.Message
	if f == AnthropicMessages && e.Code == "context_length_exceeded" && !strings.Contains(msg, tooLong) {
		msg = tooLong + ": " + msg
	}
	return shortError{Type: cmp.Or(e.Type, errorType(f, e.Status)), Message: msg}
}

// tooLong are the words by which clients of Anthropic's format know what OpenAI's have a code for.
const tooLong = "prompt is too long"

func (e ErrorInfo) openAI(f Format) openAIDetail {
	return openAIDetail{
		Message: e.Message,
		Type:    cmp.Or(e.Type, errorType(f, e.Status)),
		Param:   orNull(e.Param),
		Code:    orNull(cmp.Or(e.Code, openAICode(e.Status))),
	}
}

func (e ErrorInfo) failedEvent() failedEvent {
	return failedEvent{
		Type: eventFailed, SequenceNumber: e.Sequence,
		Response: failedResponse{
			ID:        cmp.Or(e.ResponseID, "resp_"+cmp.Or(e.RequestID, "failed")),
			Object:    "response",
			CreatedAt: time.Now().Unix(),
			Status:    "failed",
			Error:     failedCode{Code: cmp.Or(e.Code, responseCode(e.Status)), Message: e.Message},
			Output:    []struct{}{},
		},
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// encode marshals without HTML escapes, so that messages stay readable in logs.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // the shapes above consist of strings and numbers only
		return []byte(`{"error":{"type":"api_error","message":"internal error"}}`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// errorType names the kind of error that a status means in the format.
func errorType(f Format, status int) string {
	if f == OpenAIChatCompletions || f == OpenAIResponses {
		return openAIErrorType(status)
	}
	return anthropicErrorType(status)
}

func anthropicErrorType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "billing_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "timeout_error"
	case http.StatusConflict:
		return "conflict_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusServiceUnavailable, statusOverloaded:
		return "overloaded_error"
	}
	if status >= 400 && status < 500 {
		return "invalid_request_error"
	}
	return "api_error"
}

func openAIErrorType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "insufficient_quota"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusRequestTimeout:
		return "server_error" // the client did nothing wrong and may try again
	}
	if status >= 400 && status < 500 {
		return "invalid_request_error"
	}
	return "server_error"
}

// openAICode is the code that OpenAI sends with a status, where there is but one.
func openAICode(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "invalid_api_key"
	case http.StatusPaymentRequired:
		return "insufficient_quota"
	case http.StatusTooManyRequests:
		return "rate_limit_exceeded"
	case statusOverloaded:
		return "server_is_overloaded"
	default:
		return ""
	}
}

// responseCode is the code inside a failed response; the Responses API knows few.
func responseCode(status int) string {
	switch status {
	case http.StatusTooManyRequests:
		return "rate_limit_exceeded"
	case statusOverloaded:
		return "server_is_overloaded"
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return "invalid_prompt"
	default:
		return "server_error"
	}
}
