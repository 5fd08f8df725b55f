package providertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Part is one step of a streamed answer: it writes bytes, waits or ends the connection. What it wrote
// is flushed before the next part runs. An error ends the answer; ctx ends when the client goes away.
type Part func(ctx context.Context, w io.Writer) error

var (
	errCut   = errors.New("cut")
	errReset = errors.New("reset")
)

// Stream answers 200 with parts as a text/event-stream. The header is flushed before the first part,
// so that a client knows of the answer while a [Gate] holds the first event back.
func Stream(parts ...Part) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		setServiceHeader(w.Header(), r)
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		runParts(w, r, parts)
	}
}

func runParts(w http.ResponseWriter, r *http.Request, parts []Part) {
	w.WriteHeader(http.StatusOK)
	runBody(w, r, http.NewResponseController(w).Flush(), parts)
}

// runBody writes parts unless an earlier error has ended the answer.
func runBody(w http.ResponseWriter, r *http.Request, err error, parts []Part) {
	ex, ctx, flusher := exchangeOf(r), r.Context(), http.NewResponseController(w)
	for i, part := range parts {
		if err != nil || ctx.Err() != nil {
			break
		}
		ex.ended = i == len(parts)-1
		if err = part(ctx, w); err == nil {
			err = flusher.Flush()
		}
	}
	switch {
	case errors.Is(err, errCut):
		ex.ended = true
		panic(http.ErrAbortHandler)
	case errors.Is(err, errReset):
		ex.ended = true
		resetConn(w)
	case err != nil:
		ex.ended = false
	}
}

// Event is a named event. Data with line breaks becomes several data lines; an empty name leaves the
// event line out.
func Event(name, data string) Part {
	var b strings.Builder
	if name != "" {
		fmt.Fprintf(&b, "event: %s\n", name)
	}
	for line := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(&b, "data: %s\n", line)
	}
	b.WriteByte('\n')
	return Bytes(b.String())
}

// Bytes is written as it stands: broken events, comments, other line endings, halves of characters.
func Bytes(s string) Part {
	return func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// Gate waits until open is closed or delivers a value. A nil open holds until the client goes away.
func Gate(open <-chan struct{}) Part {
	return func(ctx context.Context, _ io.Writer) error {
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Cut closes the connection in order but without the end of the body: the client has read what came
// before and then sees an unexpected end.
func Cut() Part {
	return func(context.Context, io.Writer) error { return errCut }
}

// Reset breaks the connection: the client sees "connection reset by peer". Over HTTP/2 it is a [Cut].
func Reset() Part {
	return func(context.Context, io.Writer) error { return errReset }
}

// TextEvents is the whole sequence of a stream that says text, one part per event and one delta per
// word: message_start, content_block_start, ping, content_block_delta…, content_block_stop,
// message_delta, message_stop. Tests insert gates, leave events out or put others in.
func TextEvents(model, text string) []Part {
	return partsOf(model, block{Type: "text", Text: &text})
}

// ToolEvents is [TextEvents] for one call of the tool name; the input arrives in pieces after an empty one.
func ToolEvents(model, name, input string) []Part {
	return partsOf(model, block{Type: "tool_use", ID: (&exchange{}).toolID(), Name: name, Input: []byte(input)})
}

func partsOf(model string, b block) []Part {
	return message{
		ID: (&exchange{}).messageID(), Type: "message", Role: "assistant", Model: model,
		Content: []block{b}, StopReason: b.stopReason(), Usage: usage{Input: 1, Output: b.tokens()},
	}.events()
}

// ErrorEvent is the error event by which the service ends a stream that has begun.
func ErrorEvent(typ, message string) Part {
	data := newErrorBody(typ, message, "")
	return event{Type: data.Type, Error: &data.Error}.part()
}
