// Package errorcode tells which status of HTTP an error within a body or a stream stands for.
package errorcode

import (
	"net/http"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Overloaded is Anthropic's status for overloaded_error.
const Overloaded = 529

// Named is the status that goes with the type of an error, or with a code of OpenAI's, which says more than the type.
// It is 0 for other names. See https://docs.claude.com/en/api/errors and
// https://platform.openai.com/docs/guides/error-codes.
func Named(name string) int {
	switch name {
	case "invalid_request_error", "context_length_exceeded":
		return http.StatusBadRequest
	case "authentication_error", "invalid_api_key":
		return http.StatusUnauthorized
	case "billing_error":
		return http.StatusPaymentRequired
	case "permission_error":
		return http.StatusForbidden
	case "not_found_error", "model_not_found":
		return http.StatusNotFound
	case "request_too_large":
		return http.StatusRequestEntityTooLarge
	case "rate_limit_error", "rate_limit_exceeded", "insufficient_quota":
		return http.StatusTooManyRequests
	case "api_error", "server_error":
		return http.StatusInternalServerError
	case "server_is_overloaded", "slow_down":
		return http.StatusServiceUnavailable
	case "timeout_error":
		return http.StatusGatewayTimeout
	case "overloaded_error":
		return Overloaded
	default:
		return 0
	}
}

// Status is the status that the code of an error, in raw JSON, is: a number or its digits, from 400 to 599, as many
// servers that speak OpenAI's dialects write them into events of streams. It is 0 for other codes.
func Status(raw []byte) int {
	if text, ok := rawjson.String(raw); ok {
		raw = []byte(text)
	}
	n, ok := rawjson.Whole(raw)
	if !ok || n < http.StatusBadRequest || n > 599 {
		return 0
	}
	return int(n)
}
