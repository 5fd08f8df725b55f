package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// StreamingHandler starts event streams to clients, for routes of plugins.
type StreamingHandler interface {
	// Open sends the headers of an event stream. It fails when w cannot stream, before anything is sent.
	Open(w http.ResponseWriter, r *http.Request) (*EventWriter, error)
}

// EventWriter writes an event stream to one client. It may be used from one goroutine at a time.
type EventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	ctx     context.Context //nolint:containedctx // of the one request that the writer belongs to
	timeout time.Duration
	strict  bool // see streamWriter
	buf     []byte
}

type streaming struct{ timeout time.Duration }

// Open implements [StreamingHandler].
func (s streaming) Open(w http.ResponseWriter, r *http.Request) (*EventWriter, error) {
	if !canFlush(w) {
		return nil, fmt.Errorf("open event stream: %w", http.ErrNotSupported)
	}
	control := http.NewResponseController(w)
	setStreamHeaders(w.Header())
	w.WriteHeader(http.StatusOK)
	if err := control.Flush(); err != nil {
		return nil, fmt.Errorf("open event stream: %w", err)
	}
	return &EventWriter{w: w, control: control, ctx: r.Context(), timeout: s.timeout, strict: r.ProtoMajor > 1}, nil
}

func setStreamHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
}

// Send writes one event and flushes it. It fails when the client is gone or takes nothing for too long.
func (e *EventWriter) Send(ev adapters.Event) error {
	e.buf = sse.AppendEvent(e.buf[:0], ev.Type, ev.Data)
	return e.write()
}

// Comment writes a comment, which keeps the connection alive.
func (e *EventWriter) Comment(text string) error {
	e.buf = sse.AppendComment(e.buf[:0], text)
	return e.write()
}

func (e *EventWriter) write() error {
	if err := e.ctx.Err(); err != nil {
		return context.Cause(e.ctx)
	}
	next := func() error { return e.deadline(time.Now().Add(e.timeout)) }
	if err := next(); err != nil {
		return err
	}
	if _, err := writePieces(e.w, e.buf, piece, next); err != nil {
		return err
	}
	if err := e.control.Flush(); err != nil || !e.strict {
		return err
	}
	return e.deadline(time.Time{})
}

// deadline sets that of writing, where the host's writer has any.
func (e *EventWriter) deadline(at time.Time) error {
	if err := e.control.SetWriteDeadline(at); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// debugTracer is the default Tracer: one debug line at the end of each piece of work.
type debugTracer struct{ logger *slog.Logger }

func (t debugTracer) Start(ctx context.Context, name string, attrs ...slog.Attr) (context.Context, func(error)) {
	if !t.logger.Enabled(ctx, slog.LevelDebug) {
		return ctx, func(error) {}
	}
	start := time.Now()
	return ctx, func(err error) {
		attrs := append(cloneSlice(attrs), slog.Duration("duration", time.Since(start)))
		if err != nil {
			attrs = append(attrs, slog.String("error", err.Error()))
		}
		t.logger.LogAttrs(ctx, slog.LevelDebug, "traced", append(attrs, slog.String("name", name))...)
	}
}
