package adapters

import (
	"context"
	"errors"
	"net/http"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// ErrStreamCut means that a stream ended before its answer was whole.
var ErrStreamCut = errors.New("stream ended before the answer was complete")

// errStopped ends a decoder whose consumer wants no more.
var errStopped = errors.New("consumer stopped")

// ConvertStreamFor implements Conversion.
func (p *codecPair) ConvertStreamFor(
	_ context.Context, in Stream, req *canonical.Request, lost *canonical.Losses,
) Stream {
	return func(yield func(Event, error) bool) {
		s := pairStream{pair: p, format: p.to.Format(), enc: p.to.EncodeStream(req), yield: yield}
		s.take, s.give = s.encode, s.send
		s.run(in, p.from.DecodeStream())
		if lost != nil {
			lost.List = append(lost.List, s.enc.Losses()...)
		}
	}
}

// pairStream is one pass of a stream through a pair of codecs.
type pairStream struct {
	pair   *codecPair
	format Format // of the client
	enc    StreamEncoder
	yield  func(Event, error) bool

	// Made once, as they would otherwise be for every event.
	ev   canonical.Event
	take func(canonical.Event) error
	give func(Event) error

	begun   bool // the client has an event
	done    bool // the answer has ended, in one way or the other
	ended   bool // the client has its terminal event, or an error in its place
	stopped bool // the consumer wants no more
}

func (s *pairStream) run(in Stream, dec StreamDecoder) {
	for ev, err := range in {
		if err != nil {
			s.fail(err)
			return
		}
		if s.done {
			continue // what follows means nothing, but only a stream that is read to its end spares its connection
		}
		err := dec.Decode(ev, s.take)
		s.convert(err)
		if s.stopped || err != nil { // the rest of what is wrong is of no use, and no client should wait for its end
			return
		}
	}
	if s.done {
		return
	}
	err := dec.End(s.take)
	if err == nil && !s.done {
		err = ErrStreamCut
	}
	s.convert(err)
}

// convert takes the result of a decoder, or of the encoder that it drives.
func (s *pairStream) convert(err error) {
	if err == nil || s.stopped {
		return
	}
	if _, told := errors.AsType[*StreamError](err); !told {
		err = s.pair.fail(KindStream, err)
	}
	s.fail(err)
}

// encode takes a neutral event of the decoder.
func (s *pairStream) encode(ev canonical.Event) error {
	switch {
	case s.stopped:
		return errStopped
	case s.done:
		return nil
	case ev.Kind == canonical.EventError && !s.begun:
		return &StreamError{Failure: failureOf(ev.Error)}
	case ev.Kind == canonical.EventError || ev.Kind == canonical.EventStop:
		s.done = true
	}
	s.ev = ev
	err := s.enc.Encode(&s.ev, s.give)
	s.ended = s.ended || s.done && err == nil // formats that Terminal does not know end here
	return err
}

// send passes an event on to the client, and nothing after the terminal one.
func (s *pairStream) send(ev Event) error {
	if s.stopped {
		return errStopped
	}
	if s.ended {
		return nil
	}
	s.begun = true
	s.ended, _ = Terminal(s.format, ev.Type, ev.Data)
	if !s.yield(ev, nil) {
		s.stopped = true
		return errStopped
	}
	return nil
}

// fail ends the stream for a reason other than the upstream's own error event.
func (s *pairStream) fail(err error) {
	if s.stopped || s.ended {
		return
	}
	s.done = true
	if !s.begun {
		s.ended = true
		s.yield(Event{}, err)
		return
	}
	info := ErrorInfo{Status: http.StatusBadGateway, Message: "the provider's stream broke off"}
	if told, ok := errors.AsType[*StreamError](err); ok {
		info = told.Info()
	}
	if s.enc.Fail(info, s.give) != nil {
		s.stopped = true // it is the consumer that failed, or an encoder that can say nothing more
	}
	s.ended = true
}
