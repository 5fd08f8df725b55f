package middleware

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
)

// requestIDHeader is in canonical form, so that it can be used as a map key directly.
const requestIDHeader = "X-Request-Id"

// maxRequestID bounds an incoming id: it goes into every log line of the request.
const maxRequestID = 128

// RequestID gives every request an id: the incoming X-Request-Id if it is at most 128 characters of
// [A-Za-z0-9._-], else a new random one of 32 hexadecimal digits. The id is set as X-Request-Id of the
// response, and [RequestIDFrom] finds it in the request's context. The request's own header is left alone.
func RequestID() Func {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := &requestIDContext{Context: r.Context()}
			ctx.id = incomingRequestID(r.Header)
			if ctx.id == "" {
				ctx.id = newRequestID()
			}
			ctx.header[0] = ctx.id
			w.Header()[requestIDHeader] = ctx.header[:]
			next.ServeHTTP(w, r.WithContext(ctx)) //nolint:contextcheck // ctx is one of r.Context's
		})
	}
}

// RequestIDFrom gives the id that [RequestID] put into the context, or "".
func RequestIDFrom(ctx context.Context) string {
	if c, ok := ctx.Value(requestIDKey{}).(*requestIDContext); ok {
		return c.id
	}
	return ""
}

type requestIDKey struct{}

// requestIDContext is a context, its value and the header's slice in one allocation.
type requestIDContext struct {
	context.Context //nolint:containedctx // it is a context

	id     string
	header [1]string
}

// Value gives the context itself for the id's key.
func (c *requestIDContext) Value(key any) any {
	if _, ok := key.(requestIDKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// incomingRequestID gives the client's id if it is safe to repeat. Several headers are no id.
func incomingRequestID(h http.Header) string {
	values := h[requestIDHeader]
	if len(values) != 1 || len(values[0]) > maxRequestID {
		return ""
	}
	for i := range len(values[0]) {
		if !safeIDByte(values[0][i]) {
			return ""
		}
	}
	return values[0]
}

func safeIDByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return c == '.' || c == '_' || c == '-'
	}
}

// newRequestID uses the runtime's generator: ids must differ and need not be secret, and crypto/rand may
// cost a system call.
func newRequestID() string {
	var raw [16]byte
	binary.NativeEndian.PutUint64(raw[:8], rand.Uint64()) //nolint:gosec // see above
	binary.NativeEndian.PutUint64(raw[8:], rand.Uint64()) //nolint:gosec // see above
	var text [32]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}
