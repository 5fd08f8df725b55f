package providertest

import (
	"net/http"
	"time"
)

// Host is what an application may put around a handler that streams.
type Host struct {
	Name string
	// Wrap returns next as the host serves it.
	Wrap func(next http.Handler) http.Handler
	// Whole tells that the host passes an answer on only when it has ended.
	Whole bool
}

// Hosts returns what hosts do to a handler's writer with nothing but net/http: hide its flusher and its deadlines,
// behind Unwrap or for good, hold answers back, or write in small pieces. A handler works in each, and streams where it
// can. Servers with deadlines, HTTP/2 and routers are more hosts, which a test makes itself.
func Hosts() []Host {
	return []Host{
		{Name: "bare", Wrap: func(next http.Handler) http.Handler { return next }},
		{Name: "unwrap", Wrap: wrapping(func(w http.ResponseWriter) http.ResponseWriter {
			return &unwrapWriter{&plainWriter{w}, w}
		})},
		{Name: "flusher", Wrap: wrapping(func(w http.ResponseWriter) http.ResponseWriter {
			return &flushWriter{plainWriter{w}}
		})},
		{Name: "piecemeal", Wrap: wrapping(func(w http.ResponseWriter) http.ResponseWriter {
			return &pieceWriter{w}
		})},
		{Name: "plain", Whole: true, Wrap: wrapping(func(w http.ResponseWriter) http.ResponseWriter {
			return &plainWriter{w}
		})},
		{Name: "timeout", Whole: true, Wrap: func(next http.Handler) http.Handler {
			return http.TimeoutHandler(next, time.Hour, "too slow")
		}},
	}
}

func wrapping(writer func(http.ResponseWriter) http.ResponseWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(writer(w), r) })
	}
}

// plainWriter hides everything but the three methods.
type plainWriter struct{ inner http.ResponseWriter }

func (w *plainWriter) Header() http.Header         { return w.inner.Header() }
func (w *plainWriter) WriteHeader(status int)      { w.inner.WriteHeader(status) }
func (w *plainWriter) Write(b []byte) (int, error) { return w.inner.Write(b) }

// unwrapWriter shows what it hides to those who ask.
type unwrapWriter struct {
	*plainWriter
	inner http.ResponseWriter
}

func (w *unwrapWriter) Unwrap() http.ResponseWriter { return w.inner }

// flushWriter flushes, and hides that this can fail.
type flushWriter struct{ plainWriter }

func (w *flushWriter) Flush() { _ = http.NewResponseController(w.inner).Flush() }

// pieceWriter sends what it is given in pieces of seven bytes, as a network does that cuts anywhere.
type pieceWriter struct{ http.ResponseWriter }

func (w *pieceWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pieceWriter) Write(b []byte) (int, error) {
	const size = 7
	written := 0
	for len(b) > 0 {
		n, err := w.ResponseWriter.Write(b[:min(size, len(b))])
		written += n
		if err != nil {
			return written, err
		}
		if err := http.NewResponseController(w.ResponseWriter).Flush(); err != nil {
			return written, err
		}
		b = b[n:]
	}
	return written, nil
}
