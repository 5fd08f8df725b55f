package ccproxy

import (
	"context"
	"net/http"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// shapes are the codecs of both sides of an answer that does not come in the shape that the client asked for. They are
// false for what is no answer of a model, and where a format has no codec: such an answer is relayed as it comes.
func (t *relay) shapes() (from, to adapters.Codec, ok bool) {
	if t.op != OpGenerate {
		return nil, nil, false
	}
	from, ok = t.proxy.formats.Codec(t.from)
	if !ok {
		return nil, nil, false
	}
	to, ok = t.proxy.formats.Codec(t.client)
	return from, to, ok
}

// collects tells whether the client wants a whole answer of what comes as a stream in another format.
func (t *relay) collects() bool {
	if t.call.Stream || !t.ans.streams() || t.from == t.client {
		return false
	}
	_, _, ok := t.shapes()
	return ok
}

// collect answers with what a stream says, when it has ended well.
func (t *relay) collect(ctx context.Context) error {
	from, to, _ := t.shapes()
	events := t.ans.Events
	if events == nil {
		events = eventsOf(sse.NewReader(t.ans.Body, t.proxy.limits.EventBytes))
	}
	resp, err := adapters.Collect(from.DecodeStream(), t.watched(events))
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		err = t.streamError(to.Responses().EncodeError, err)
		return t.broken(ctx, err)
	}
	body, err := to.Responses().EncodeResponse(resp, t.call.request, &t.lost)
	if err != nil {
		return conversionError(http.StatusBadGateway, "answer", t.from, t.client, err)
	}
	t.logLosses(ctx, t.call, "answer", t.lost.List)
	body, _ = t.named.restore(body)
	t.setBodyHeader()
	t.send(body)
	return nil
}

// replays tells whether the client wants a stream of what comes as a whole answer in another format.
func (t *relay) replays() bool {
	if !t.call.Stream || t.from == t.client {
		return false
	}
	_, _, ok := t.shapes()
	return ok
}

// replay streams a whole answer.
func (t *relay) replay(ctx context.Context, body []byte) error {
	from, to, _ := t.shapes()
	resp, err := from.Responses().DecodeResponse(body)
	if err != nil {
		return conversionError(http.StatusBadGateway, "answer", t.from, t.client, err)
	}
	t.out = t.newStreamWriter()
	enc := to.EncodeStream(t.call.request)
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
