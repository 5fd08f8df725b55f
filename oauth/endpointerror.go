package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/internal/retryafter"
)

// EndpointError is a request to an authorization server that did not give what was asked for. It wraps
// [ErrNeedsLogin] if the server refused for good; without that it may pass by itself. Its text never holds
// anything of an answer but the error code.
type EndpointError struct {
	// Provider is the name of the provider.
	Provider string
	// Op is "exchange", "refresh", "revoke", "authorize device" or "poll device".
	Op string
	// Status of the answer; zero if there was none.
	Status int
	// Code is the OAuth error code, such as "invalid_grant". Empty if the answer held none.
	Code string
	// RetryAfter is how long the server asked to be left alone; zero if it did not say.
	RetryAfter time.Duration
	// Err is the kind of failure, or what kept the answer away.
	Err error
}

// Error tells operation, status and code.
func (e *EndpointError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Provider, e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.Code != "" {
		fmt.Fprintf(&b, " (%s)", e.Code)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives Err.
func (e *EndpointError) Unwrap() error { return e.Err }

// What is wrong with answers, where no error code says it better.
var (
	errNoAnswer   = errors.New("no answer")
	errTimeout    = errors.New("timed out")
	errRedirect   = errors.New("the token endpoint redirects, which is not followed")
	errTooLarge   = errors.New("the answer is too large")
	errNotJSON    = errors.New("the answer is not JSON")
	errNoToken    = errors.New("the answer holds no access token")
	errTokenShape = errors.New("the answer holds a token that no header can carry")
	errStatus     = errors.New("the server refused or failed")
)

// refusal finds out what an answer that is no success means. Which error codes servers use for what differs;
// the status decides first, since gateways in between say 429 and 5xx with bodies of any kind.
func refusal(status int, code string) error {
	switch code {
	case "authorization_pending":
		return ErrAuthorizationPending
	case "slow_down":
		return ErrSlowDown
	case "expired_token":
		return ErrLoginExpired
	}
	switch {
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return errStatus
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		return errRedirect
	case code == "" || passes(code):
		return errStatus
	case code == "access_denied":
		return fmt.Errorf("%w: %w", ErrDenied, ErrNeedsLogin)
	}
	switch status {
	case http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized:
		return ErrNeedsLogin
	}
	if code == "invalid_grant" || code == "invalid_client" || code == "unauthorized_client" {
		return ErrNeedsLogin
	}
	return errStatus
}

// passes tells whether an error code speaks of the server's state and not of the credentials.
func passes(code string) bool {
	switch code {
	case "temporarily_unavailable", "server_error", "rate_limit_error", "rate_limit_exceeded", "overloaded_error",
		"api_error", "timeout_error", "timeout":
		return true
	}
	return false
}

// errorCode finds the error code in an answer: the member "error" of RFC 6749, or an object there with the
// code or type that vendors' gateways send. Whatever does not look like a code, or holds what was sent, is
// left out, since errors are logged.
func errorCode(body []byte, sent []string) string {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	var code string
	if json.Unmarshal(answer.Error, &code) != nil {
		var nested struct {
			Code any    `json:"code"` // a number with some
			Type string `json:"type"`
		}
		if json.Unmarshal(answer.Error, &nested) != nil {
			return ""
		}
		code, _ = nested.Code.(string)
		if code == "" {
			code = nested.Type
		}
	}
	if !isCode(code) {
		return unnamedCode(code)
	}
	for _, s := range sent {
		if s != "" && strings.Contains(code, s) {
			return unnamedCode(code)
		}
	}
	return code
}

// unnamedCode stands for a code that is not shown: that there is one still means that the server refused.
func unnamedCode(code string) string {
	if code == "" {
		return ""
	}
	return "unnamed_error"
}

// isCode tells whether s looks like the codes of RFC 6749 and unlike a token.
func isCode(s string) bool {
	if s == "" || len(s) > 48 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}

// maxRetryAfter bounds how long one answer can keep us from asking again.
const maxRetryAfter = time.Hour

func retryAfter(h http.Header, now time.Time) time.Duration {
	wait, _ := retryafter.From(h, now)
	return min(wait, maxRetryAfter)
}
