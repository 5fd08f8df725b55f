package ccproxy

import (
	"context"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// shapes are the codecs of both sides of an answer that does not come in the shape that the client asked for, be it in
// the client's own format or in another. They are false for what is no answer of a model, where a format has no codec,
// and for what an upstream that speaks the client's own format makes of it: such an answer is relayed as it comes.
func (t *relay) shapes() (from, to adapters.Codec, ok bool) {
	if t.op != OpGenerate || t.from == t.client && !t.ans.Reshape && t.ans.Events == nil && t.promised == 0 {
		return nil, nil, false
	}
	from, ok = t.proxy.formats.Codec(t.from)
	if !ok {
		return nil, nil, false
	}
	to, ok = t.proxy.formats.Codec(t.client)
	return from, to, ok
}

// collects tells whether the client wants a whole answer of what comes as a stream.
func (t *relay) collects() bool {
	if t.call.Stream || !t.ans.streams() {
		return false
	}
	_, _, ok := t.shapes()
	return ok
}

// collect answers with what a stream says, when it has ended well.
func (t *relay) collect(ctx context.Context) error {
	from, to, _ := t.shapes()
	t.feel()
	events := t.ans.Events
	if events == nil {
		events = t.eventsOf(sse.NewReader(t.ans.Body, t.proxy.limits.EventBytes))
	}
	t.attend()
	t.startStream()
	resp, err := adapters.Collect(from.DecodeStream(), t.counted(t.watched(events)))
	if err != nil {
		if ctx.Err() == nil {
			err = t.broken(ctx, t.streamError(to.Responses().EncodeError, err))
		}
		t.endStream(cause(ctx, err))
		return err
	}
	t.complete = true
	t.endStream(nil)
	body, err := to.Responses().EncodeResponse(resp, t.request(to), &t.lost)
	if err != nil {
		return conversionError(http.StatusBadGateway, "answer", t.from, t.client, err)
	}
	t.logLosses(ctx, t.call, "answer", t.lost.List)
	body, _ = t.named.restore(body)
	t.setBodyHeader()
	t.send(body)
	return nil
}

// counted tells hooks of a stream's events that the client never sees as such.
func (t *relay) counted(in adapters.Stream) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		var raw []byte
		for ev, err := range in {
			if err == nil {
				if t.chunks == 0 {
					t.firstAt = time.Since(t.begun)
				}
				raw = sse.AppendEvent(raw[:0], ev.Type, ev.Data)
				t.noteChunk(ev.Type, raw)
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// request is the client's request, for members of an answer that repeat it.
func (t *relay) request(to adapters.Codec) *canonical.Request {
	if t.call.request != nil || t.from != t.client {
		return t.call.request
	}
	req, err := to.Requests().DecodeRequest(t.call.Body)
	if err != nil {
		return nil // the provider took it, so this says nothing about the answer
	}
	return req
}

// replays tells whether the client wants a stream of what comes as a whole answer.
func (t *relay) replays() bool {
	if !t.call.Stream {
		return false
	}
	_, _, ok := t.shapes()
	return ok
}

// replay streams a whole answer. There is no stream of the provider that hooks could be told of.
func (t *relay) replay(ctx context.Context, body []byte) error {
	from, to, _ := t.shapes()
	resp, err := from.Responses().DecodeResponse(body)
	if err != nil {
		return conversionError(http.StatusBadGateway, "answer", t.from, t.client, err)
	}
	t.replayed = true
	t.attend()
	enc := to.EncodeStream(t.request(to))
	var buf []byte
	err = adapters.Replay(resp, enc, func(ev adapters.Event) error {
		buf = sse.AppendEvent(buf[:0], ev.Type, ev.Data)
		return t.event(ev.Type, ev.Data, buf, true)
	})
	t.lost = canonical.Losses{List: enc.Losses()}
	t.logLosses(ctx, t.call, "answer", t.lost.List)
	if err != nil {
		return err
	}
	return t.out.flush()
}
