package middleware

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"

	"github.com/ccproxy-go/ccproxy/internal/lostbody"
)

// Recover contains panics of the handlers inside. If nothing was written yet, render writes the answer; it
// should send a 500, and headers that described the lost answer are gone by then. If something was written,
// or render panics, the connection is aborted with [http.ErrAbortHandler], so that a truncated body never
// looks whole. A handler's own http.ErrAbortHandler passes through unlogged.
//
// The log has the type of the panic's value, the stack and the id of [RequestID], but nothing else of the
// request and not the value, which may quote it. If logger is nil nothing is logged; if render is nil a
// plain JSON error is sent.
//
// The ResponseWriter passed on supports [http.ResponseController] through Unwrap, besides http.Flusher and
// http.Hijacker, whether or not the one below does.
func Recover(logger *slog.Logger, render func(w http.ResponseWriter, r *http.Request)) Func {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if render == nil {
		render = renderInternalError
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rw := &recoverWriter{ResponseWriter: w}
			defer func() {
				if v := recover(); v != nil {
					rw.answerPanic(v, r, logger, render)
				}
			}()
			next.ServeHTTP(rw, r)
		})
	}
}

// answerPanic runs while the goroutine still has the panicking stack, so that the log shows it.
func (w *recoverWriter) answerPanic(
	v any, r *http.Request, logger *slog.Logger, render func(http.ResponseWriter, *http.Request),
) {
	if v == http.ErrAbortHandler { //nolint:errorlint // compared as net/http compares it
		panic(v)
	}
	logger.ErrorContext(r.Context(), "handler panicked",
		"type", fmt.Sprintf("%T", v),
		"request_id", RequestIDFrom(r.Context()),
		"aborted", w.wrote,
		"stack", string(debug.Stack()))
	if w.wrote {
		panic(http.ErrAbortHandler)
	}
	lostbody.Forget(w.Header())
	defer func() {
		// render may have written a part; nothing better can follow.
		if recover() != nil {
			panic(http.ErrAbortHandler)
		}
	}()
	render(w.ResponseWriter, r)
}

func renderInternalError(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, `{"error":{"type":"api_error","message":"internal server error"}}`)
}

// recoverWriter notes whether an answer has begun.
type recoverWriter struct {
	http.ResponseWriter
	wrote bool
}

// Unwrap lets an [http.ResponseController] reach the writer below.
func (w *recoverWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes final statuses; informational ones begin no answer.
func (w *recoverWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.wrote = true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recoverWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// FlushError sends what is buffered, the header included; it fails if the writer below cannot.
func (w *recoverWriter) FlushError() error {
	w.wrote = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for handlers that look for an http.Flusher.
func (w *recoverWriter) Flush() { _ = w.FlushError() }

// Hijack takes the connection over; after that there is nowhere to send an answer.
func (w *recoverWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.wrote = true
	}
	return conn, rw, err
}
