package ccproxy

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// dialectOf tells from a path in which format its client expects errors.
func dialectOf(r *http.Request) adapters.Format {
	path := strings.TrimRight(r.URL.Path, "/")
	switch {
	case strings.HasSuffix(path, "/messages"), strings.HasSuffix(path, "/messages/count_tokens"):
		return adapters.AnthropicMessages
	case strings.HasSuffix(path, "/responses"):
		return adapters.OpenAIResponses
	case strings.HasSuffix(path, "/completions"), strings.HasSuffix(path, "/embeddings"):
		return adapters.OpenAIChatCompletions
	case !strings.Contains(path, "/v1/"):
		return ""
	case r.Header.Get("Anthropic-Version") != "":
		return adapters.AnthropicMessages
	default:
		return adapters.OpenAIChatCompletions
	}
}

// writeError answers with an error in the client's dialect; an empty format means the one of the path.
func writeError(w http.ResponseWriter, r *http.Request, format adapters.Format, err error) {
	e := asError(err)
	if format == "" {
		format = dialectOf(r)
	}
	h := w.Header()
	for name, values := range e.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	id := middleware.RequestIDFrom(r.Context())
	nameRequest(h, format, id)
	body := adapters.EncodeError(format, e.info(id))
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status())
	_, _ = w.Write(body) //nolint:gosec // JSON with its type and nosniff; a client that is gone needs no error
}

// requestIDHeader is where Anthropic's SDKs look for the id of a request.
const requestIDHeader = "Request-Id"

// nameRequest gives an answer to a client of Anthropic's the id by which an operator can find it, unless the upstream
// has named it. Other clients look for the header that all answers have.
func nameRequest(h http.Header, client adapters.Format, id string) {
	if client == adapters.AnthropicMessages && len(h[requestIDHeader]) == 0 && id != "" {
		h[requestIDHeader] = []string{id}
	}
}

// asError makes any error one that a client may see.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if m, ok := errors.AsType[*hooks.MutatorError](err); ok {
		return &Error{
			Status: http.StatusServiceUnavailable, Code: m.Hook, Err: err,
			Message: "a hook of the proxy refused the request",
		}
	}
	switch {
	case errors.Is(err, ErrUnsupported):
		return &Error{Status: http.StatusNotFound, Message: "this provider does not offer the operation", Err: err}
	case errors.Is(err, ErrDraining):
		return unavailable(proxyDraining)
	case errors.Is(err, adapters.ErrInvalidInput):
		return &Error{Status: http.StatusBadRequest, Message: err.Error(), Err: err}
	}
	return &Error{Status: http.StatusBadGateway, Message: "the provider could not be reached", Err: err}
}

// safeTransportError is the text of an error of an HTTP client without the URL, whose query may hold secrets.
func safeTransportError(err error) string {
	if u, ok := errors.AsType[interface {
		error
		Timeout() bool
		Unwrap() error
	}](err); ok && u.Unwrap() != nil {
		return u.Unwrap().Error()
	}
	return err.Error()
}

// errorType finds the type in an error body, for hooks.
func errorType(body []byte) string {
	t, ok := jsonString(body, "error", "type")
	if !ok || len(t) > 64 || strings.ContainsAny(t, "\r\n") {
		return ""
	}
	return t
}
