package middleware

import (
	"errors"
	"fmt"
	"net/http"
)

// Why [Limits] refuses a request.
var (
	ErrURLTooLong      = errors.New("request URL too long")
	ErrHeadersTooLarge = errors.New("request headers too large")
)

// LimitOptions bounds what stands before a request's body. Fields that are zero or less mean the defaults.
type LimitOptions struct {
	// MaxURLBytes bounds path and query as the client sent them. Defaults to 16 KiB.
	MaxURLBytes int
	// MaxHeaderBytes bounds the sum of all header names and values; a name counts once for each of its
	// values. Defaults to 64 KiB.
	MaxHeaderBytes int
	// MaxHeaders bounds the number of header values. Defaults to 256.
	MaxHeaders int
	// Reject answers a request beyond a limit: [ErrURLTooLong] is status 414, [ErrHeadersTooLarge] 431.
	Reject RejectFunc
}

// Limits refuses requests whose URL or headers are too large. A server reads headers before any middleware
// runs, so http.Server.MaxHeaderBytes bounds what it holds; Limits keeps what is smaller than that, and is still
// out of proportion, from everything inside, whatever server the handler runs in.
func Limits(o LimitOptions) Func {
	o.MaxURLBytes = orDefault(o.MaxURLBytes, 16<<10)
	o.MaxHeaderBytes = orDefault(o.MaxHeaderBytes, 64<<10)
	o.MaxHeaders = orDefault(o.MaxHeaders, 256)
	reject := orJSON(o.Reject)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := o.check(r); err != nil {
				reject(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func orDefault(n, fallback int) int {
	if n <= 0 {
		return fallback
	}
	return n
}

// check gives a *RejectError for a request beyond a limit.
func (o *LimitOptions) check(r *http.Request) error {
	if urlBytes(r) > o.MaxURLBytes {
		return &RejectError{
			Status: http.StatusRequestURITooLong, Type: "invalid_request_error",
			Err: fmt.Errorf("%w: at most %d bytes", ErrURLTooLong, o.MaxURLBytes),
		}
	}
	size, count := headerSize(r)
	if size > o.MaxHeaderBytes || count > o.MaxHeaders {
		return &RejectError{
			Status: http.StatusRequestHeaderFieldsTooLarge, Type: "invalid_request_error",
			Err: fmt.Errorf("%w: at most %d bytes in %d headers", ErrHeadersTooLarge, o.MaxHeaderBytes, o.MaxHeaders),
		}
	}
	return nil
}

// urlBytes is the length of the request target. A request that came over no connection has none, and counts by
// its parts.
func urlBytes(r *http.Request) int {
	if r.RequestURI != "" {
		return len(r.RequestURI)
	}
	return max(len(r.URL.Path), len(r.URL.RawPath)) + len(r.URL.RawQuery)
}

// headerSize counts the Host header too, which net/http keeps apart.
func headerSize(r *http.Request) (size, count int) {
	size, count = len("Host")+len(r.Host), 1
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v)
		}
		count += len(values)
	}
	return size, count
}
