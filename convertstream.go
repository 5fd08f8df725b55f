package ccproxy

import (
	"errors"
	"net/http"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// watched is the provider's side of a stream that is converted: tokens are counted as its own format counts them, and
// a failure says what the client is told of it.
func (t *relay) watched(in adapters.Stream) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		done := false
		for ev, err := range in {
			if err != nil {
				if !done {
					t.cut = err
				}
				yield(adapters.Event{}, streamFailure(err))
				return
			}
			if t.tap {
				t.ex.usage = usageOfEvent(t.from, ev.Type, ev.Data, t.ex.usage)
			}
			terminal, isError := adapters.Terminal(t.from, ev.Type, ev.Data)
			if !t.heard {
				t.hear(ev.Type, ev.Data, isError)
			}
			done = done || terminal
			if !yield(ev, nil) {
				return
			}
			if terminal {
				t.out.end()
			}
			if t.ans.Events != nil {
				t.out.await(true)
			}
		}
		if !done {
			t.cut = errStreamCut
		}
	}
}

// streamFailure is a broken stream's error for an adapter.
func streamFailure(err error) error {
	if _, told := errors.AsType[*adapters.StreamError](err); told {
		return err
	}
	e, told := errors.AsType[*Error](err)
	if !told {
		e = brokenStream(err)
	}
	return &adapters.StreamError{Err: err, Failure: canonical.Error{
		Status: e.status(), Message: canonical.NewToken(e.Message), Code: token(e.Code), Param: token(e.Param),
	}}
}

func token(s string) canonical.Token {
	if s == "" {
		return nil
	}
	return canonical.NewToken(s)
}

// brokenStream is what a client is told when the provider's stream cannot be read to its end.
func brokenStream(err error) *Error {
	msg := "the provider's stream broke off"
	if errors.Is(err, sse.ErrTooLarge) {
		msg = "an event of the provider's stream is too large"
	}
	return &Error{Status: http.StatusBadGateway, Message: msg, Err: err}
}

// told is the client's side: what fails before anything was sent becomes an answer with a status.
func (t *relay) told(encode func(*canonical.Error) []byte, in adapters.Stream) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		for ev, err := range in {
			if err != nil {
				err = t.streamError(encode, err)
			}
			if !yield(ev, err) || err != nil {
				return
			}
		}
	}
}

// streamError is an upstream's own error, in the client's terms; encode writes errors in its dialect.
func (t *relay) streamError(encode func(*canonical.Error) []byte, err error) error {
	if _, own := errors.AsType[*Error](err); own {
		return err
	}
	told, ok := errors.AsType[*adapters.StreamError](err)
	if !ok {
		return err
	}
	info := told.Info()
	failure := told.Failure
	failure.Status, failure.Message = info.Status, canonical.NewToken(info.Message)
	body := encode(&failure)
	e := &Error{
		Status: clientStatus(t.client, info.Status), Message: info.Message, Code: info.Code, Param: info.Param,
		Header: make(http.Header, len(t.ans.Header)), Err: told.Err,
	}
	e.Type, _ = jsonString(body, "error", "type")
	if code, ok := jsonString(body, "error", "code"); ok {
		e.Code = code
	}
	copyAnswerHeader(e.Header, t.ans.Header) // ids and hints of when to try again
	return e
}
