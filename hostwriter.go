package ccproxy

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
)

// hostComplaints are what a proxy has said about the writers that its host gives it: once each, since every stream
// would say it again.
type hostComplaints struct{ flush, deadline sync.Once }

// inspectHost finds out what the host's writer lets a stream do, and says what it does not. The writer is locked.
func (t *relay) inspectHost() {
	said := &t.proxy.complaints
	if t.out.blind = !canFlush(t.w); t.out.blind {
		said.flush.Do(func() {
			t.complain("streams arrive only when they are whole: a response writer of the host cannot flush")
		})
	}
	t.out.extend()
	server, ok := t.ex.ctx.Value(http.ServerContextKey).(*http.Server)
	if ok && t.out.fixed && server.WriteTimeout > 0 {
		said.deadline.Do(func() {
			t.complain("streams end with the server's WriteTimeout: a response writer of the host hides its deadlines")
		})
	}
}

func (t *relay) complain(what string) {
	writer := fmt.Sprintf("%T", innermost(t.w))
	//nolint:sloglint // what is one of the two texts above
	t.proxy.logger.Warn(what, slog.String("request_id", t.ex.id), slog.String("writer", writer))
}

// canFlush looks for what http.ResponseController would flush. Writers that have something to flush often pass it on
// to one that has not, or panic then, so all of them have to agree.
func canFlush(w http.ResponseWriter) bool {
	switch innermost(w).(type) {
	case interface{ FlushError() error }, http.Flusher:
		return true
	}
	return false
}

// innermost is the last writer that can be reached.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = outer.Unwrap()
	}
}
