package ccproxy

import (
	"context"
	"math"
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
	dec := &bounded{StreamDecoder: from.DecodeStream(), left: t.proxy.limits.AnswerBytes}
	dec.left = min(dec.left, math.MaxInt64/collectedTimes) * collectedTimes
	resp, err := adapters.Collect(dec, t.counted(t.watched(events)))
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
	if int64(len(body)) > t.proxy.limits.AnswerBytes {
		return tooLargeAnswer()
	}
	t.logLosses(ctx, t.call, "answer", t.lost.List)
	body, _ = t.named.restore(body)
	t.setBodyHeader()
	t.send(body)
	return nil
}

// collectedTimes is how often a stream may say what is in its answer: Responses has each text in its fragments, at the
// end of its block, and in the last event.
const collectedTimes = 4

// bounded is a decoder of a stream whose answer is collected in memory.
type bounded struct {
	adapters.StreamDecoder

	left int64 // bytes
}

// Decode implements adapters.StreamDecoder.
func (b *bounded) Decode(ev adapters.Event, emit func(canonical.Event) error) error {
	return b.StreamDecoder.Decode(ev, func(c canonical.Event) error {
		switch {
		case c.Kind == canonical.EventPing || c.Kind == canonical.EventUsage: // nothing of them adds up
		case c.Kind == canonical.EventDelta && c.Part == nil:
			b.left -= int64(len(c.Delta) + len(c.Signature) + len(c.Citation))
		default:
			b.left -= int64(len(ev.Data))
		}
		if b.left < 0 {
			return tooLargeAnswer()
		}
		return emit(c)
	})
}

func tooLargeAnswer() *Error {
	return &Error{Status: http.StatusBadGateway, Message: "the provider's answer is too large to convert"}
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
