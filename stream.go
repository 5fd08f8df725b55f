package ccproxy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// maxHeld is how much of comments before the first event is held back with the headers.
const maxHeld = 64 << 10

var (
	errStreamCut = errors.New("stream ended without its terminal event")
	errTorn      = errors.New("the stream was torn off")
)

// relayStream relays a stream event by event on the handler's goroutine.
func (t *relay) relayStream(ctx context.Context) error {
	t.attend()
	t.feel()
	t.startStream()
	ended := errTorn // if a panic does not let it end
	defer func() { t.endStream(ended) }()
	err := t.relayAll(ctx)
	if t.arrived && errors.Is(err, errClientGone) {
		err = nil // who has all of a stream may leave
	}
	if err == nil && !t.complete {
		err = &Error{Status: http.StatusBadGateway, Message: "the provider's stream broke off", Err: errStreamCut}
	}
	ended = err
	if err != nil {
		ended = cause(ctx, err)
	}
	return err
}

// relayAll relays a stream to its end. A panic of who makes its events is an error, for the client is owed a terminal
// event; one of the host's writer goes on, since half an event may be out.
func (t *relay) relayAll(ctx context.Context) (err error) {
	defer func() {
		if t.out.torn() {
			return
		}
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(http.ErrAbortHandler)
		default:
			err = &Error{Message: internalError, Err: t.ex.panicked(p)}
		}
	}()
	if t.ans.Events == nil && t.from == t.client {
		return t.relayRaw(ctx)
	}
	return t.relayEvents(ctx)
}

// startStream tells hooks that the provider streams; endStream tells them how that ended.
func (t *relay) startStream() {
	if t.ex.enabled(hooks.EventProviderStreamStart) {
		t.ex.emit(&hooks.ProviderStreamStart{
			Endpoint: t.call.Endpoint, Model: t.call.Model, Header: hooks.SnapshotHeader(t.ans.Header),
		})
	}
}

func (t *relay) endStream(err error) {
	if !t.ex.enabled(hooks.EventProviderStreamEnd) {
		return
	}
	end := &hooks.ProviderStreamEnd{
		Chunks: t.chunks, Bytes: t.bytes, Duration: time.Since(t.begun), TimeToFirstEvent: t.firstAt,
		Complete: t.complete && err == nil,
	}
	if u := t.ex.usage; u != nil {
		end.Usage = new(*u) // the event is the hooks' own
	}
	if err != nil {
		end.Err = err.Error()
	}
	t.ex.emit(end)
}

// relayRaw relays the bytes of whole events as they came.
func (t *relay) relayRaw(ctx context.Context) error {
	in := sse.NewReader(t.ans.Body, t.proxy.limits.EventBytes)
	for {
		ev, err := in.Next()
		if data := bareError(in, ev, err); data != nil {
			return t.tail(data)
		}
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return t.flush()
		}
		if err != nil {
			return t.broken(ctx, err)
		}
		raw := ev.Raw
		if !t.open && t.sent() { // a mark is one at the very beginning alone
			raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
		}
		if err := t.event(eventName(ev.Type), ev.Data, raw, ev.HasData); err != nil {
			return err
		}
		if !in.Buffered() { // a flush for each event would cost more than all the rest
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
}

// flush sends what is written.
func (t *relay) flush() error {
	err := t.out.flush()
	t.arrived = t.arrived || t.complete && err == nil
	return err
}

// broken says what went wrong with an upstream's stream.
func (t *relay) broken(ctx context.Context, err error) error {
	_ = t.out.flush() // what is whole reaches the client
	if t.complete {
		return nil // nothing was missing, and a client that has all of it may leave
	}
	if ctx.Err() != nil {
		return err
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return brokenStream(err)
}

// relayEvents relays a stream that the provider makes itself, or that has to be converted.
func (t *relay) relayEvents(ctx context.Context) error {
	events := t.ans.Events
	if events == nil {
		events = t.eventsOf(sse.NewReader(t.ans.Body, t.proxy.limits.EventBytes))
	}
	if t.from != t.client {
		var err error
		if events, err = t.convertStream(ctx, t.watched(events)); err != nil {
			return err
		}
		t.lazy = t.lazy && t.ans.Events == nil // nobody else flushes before a provider's own events
		defer func() { t.logLosses(ctx, t.call, "answer", t.lost.List) }()
	}
	var buf []byte
	for ev, err := range events {
		if t.gone {
			return errClientGone
		}
		if err != nil {
			return t.broken(ctx, err)
		}
		if err := t.left(ctx); err != nil {
			return err
		}
		buf = sse.AppendEvent(buf[:0], ev.Type, ev.Data)
		if err := t.event(ev.Type, ev.Data, buf, true); err != nil {
			return err
		}
		if t.lazy {
			continue // the client is flushed before the provider is waited for
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if t.erred && t.cut != nil {
		return brokenStream(t.cut) // which the client knows
	}
	return nil
}

// left tells that the client has gone before it had all of its stream.
func (t *relay) left(ctx context.Context) error {
	if t.complete {
		return nil
	}
	return ctx.Err()
}

// eventsOf reads events one by one; their data is valid until the next. What was written to a client is flushed before
// the provider has to be waited for.
func (t *relay) eventsOf(in *sse.Reader) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		some := false
		for {
			if !in.Buffered() {
				t.out.await(some)
				some = false
				if t.lazy && t.flush() != nil {
					t.gone = true
					return
				}
			}
			ev, err := in.Next()
			if data := bareError(in, ev, err); data != nil {
				yield(adapters.Event{Data: data}, nil)
				return
			}
			if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return
			}
			if err != nil {
				yield(adapters.Event{}, err)
				return
			}
			some = some || ev.HasData
			if ev.HasData && !yield(adapters.Event{Type: eventName(ev.Type), Data: ev.Data}, nil) {
				return
			}
		}
	}
}

// event relays one event. Until the first one nothing is sent, so that an error that comes first is still an
// answer with a status of its own.
func (t *relay) event(typ string, data, raw []byte, hasData bool) error {
	var terminal, isError bool
	if hasData {
		terminal, isError = t.classify(typ, data)
	}
	if terminal && t.complete && !t.failsAfter(typ) {
		return nil // a stream ends once
	}
	if !t.open {
		if held, err := t.first(typ, data, raw, hasData, isError); held || err != nil {
			return err
		}
	}
	if isError {
		t.noteError(data)
		if typ == "" && t.client == adapters.AnthropicMessages { // whose SDKs pass over events without a name
			typ = "error"
			raw = sse.AppendEvent(nil, typ, data)
		}
	}
	if terminal && !t.complete {
		t.complete = true
		defer t.out.end()
	}
	return t.pass(typ, data, raw, hasData)
}

// failsAfter tells of the event that ends a stream of Responses behind its error event.
func (t *relay) failsAfter(typ string) bool {
	return t.erred && t.client == adapters.OpenAIResponses && typ == "response.failed"
}

// classify tells what an event means for its stream.
func (t *relay) classify(typ string, data []byte) (terminal, isError bool) {
	terminal, isError = adapters.Terminal(t.client, typ, data)
	if !t.heard && t.from == t.client {
		t.hear(typ, data, isError)
	}
	return terminal, isError
}

// first relays what comes before the headers are sent, or sends them.
func (t *relay) first(typ string, data, raw []byte, hasData, isError bool) (held bool, err error) {
	if hasData && !isError && t.hold(typ, data, raw) {
		return true, nil
	}
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	if !hasData && !t.committed && len(t.out.held)+len(raw) <= maxHeld {
		t.out.held = append(t.out.held, raw...)
		return true, nil
	}
	if isError && !t.committed {
		e := firstError(t.client, data)
		if e == nil && (t.movable() || t.ans.Again != nil) {
			e = firstResponsesError(t.client, data)
		}
		if e != nil {
			t.complete = true
			t.out.settle()
			e.Header = make(http.Header, len(t.ans.Header))
			copyAnswerHeader(e.Header, t.ans.Header) // ids and hints of when to try again
			return false, e
		}
	}
	if !t.committed {
		t.commit()
	}
	t.open, t.firstAt = true, time.Since(t.begun)
	return false, nil
}

// pass writes an event to the client, and tells hooks of it.
func (t *relay) pass(typ string, data, raw []byte, hasData bool) error {
	raw = t.note(typ, data, raw, hasData)
	if !hasData {
		return t.out.writeComment(raw)
	}
	if t.ex.firstEvent == 0 {
		t.ex.firstEvent = time.Since(t.ex.begun)
	}
	err := t.out.write(raw)
	if t.complete && err == nil && t.ex.r.Context().Value(inProcessKey{}) != nil {
		t.arrived = true // nothing is buffered on the way
	}
	return err
}

// note tells hooks of an event, and returns what the client is to see of it.
func (t *relay) note(typ string, data, raw []byte, hasData bool) []byte {
	if hasData {
		if restored, changed := t.named.restore(data); changed {
			raw = sse.AppendEvent(nil, typ, restored)
		}
	}
	if hasData && t.client == adapters.OpenAIResponses {
		t.place.note(data)
	}
	if !t.replayed {
		if t.tap && hasData && t.from == t.client {
			t.ex.usage = usageOfEvent(t.client, typ, data, t.ex.usage)
		}
		t.noteChunk(typ, raw)
	}
	return raw
}

func (t *relay) noteChunk(typ string, raw []byte) {
	t.chunks++
	t.bytes += int64(len(raw))
	if t.ex.enabled(hooks.EventProviderStreamChunk) {
		t.ex.emit(&hooks.ProviderStreamChunk{Number: t.chunks, EventType: typ, Chunk: string(raw)})
	}
}

// noteError records that the upstream itself ended the stream with an error, which the client is sent as it came.
func (t *relay) noteError(data []byte) {
	known := t.erred // response.failed follows the error event that it repeats
	t.erred = true
	if e := cmp.Or(firstError(t.client, data), firstResponsesError(t.client, data)); e != nil {
		t.blamed = e.Status
	}
	t.ex.failure = errors.New("the provider ended its stream with an error")
	t.ex.errType = errorType(data)
	if !known && t.ex.enabled(hooks.EventProviderError) {
		t.ex.emit(&hooks.ProviderError{
			Status: t.ans.Status, Type: t.ex.errType, Err: "error event", Latency: time.Since(t.begun),
			Attempt: t.ex.attempts,
		})
	}
}

// commit sends the headers: those of the provider's answer if there is one yet. The writer is locked.
func (t *relay) commit() {
	h, status := t.w.Header(), http.StatusOK
	if t.ans != nil {
		copyAnswerHeader(h, t.ans.Header)
		noteLosses(h, t.call.lost, nil)
		status = t.ans.Status
	}
	nameRequest(h, t.client, t.call.ID)
	setStreamHeaders(h)
	if t.ans != nil && t.from == t.client {
		if ct := t.ans.Header.Get("Content-Type"); strings.HasPrefix(ct, "text/event-stream") {
			h.Set("Content-Type", ct)
		}
	}
	t.committed, t.ex.streamed = true, true
	t.inspectHost()
	t.out.writing = true
	t.w.WriteHeader(status)
	t.out.writing, t.out.pending = false, true
	t.keepAlive()
}
