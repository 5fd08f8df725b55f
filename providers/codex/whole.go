package codex

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// whole makes the answer that the public API would have given of a stream: the response in its terminal event, with
// whatever ChatGPT says in it. The neutral model would not do, since it knows less. A stream that fails is an error,
// and one after which nobody is to be asked again if some of the answer had come.
func whole(ctx context.Context, ans *ccproxy.Answer) (*ccproxy.Answer, error) {
	defer ans.Body.Close() // what was read is what counts
	events := sse.NewReader(ans.Body, 0)
	var output outputItems
	begun := false
	for {
		ev, err := events.Next()
		if err != nil {
			return nil, final(brokenOff(ctx, err), begun)
		}
		if !ev.HasData {
			continue
		}
		kind := eventKind(ev)
		if kind == "response.output_item.done" {
			output.add(ev.Data)
		}
		terminal, failed := adapters.Terminal(adapters.OpenAIResponses, kind, ev.Data)
		switch {
		case failed:
			return nil, final(streamFailure(adapters.Event{Type: kind, Data: ev.Data}, ans.Header), begun)
		case terminal:
			return response(ans, ev.Data, &output)
		}
		begun = begun || !announces(kind)
	}
}

// announces tells of an event that says no more than that an answer is going to come.
func announces(kind string) bool {
	return kind == "response.created" || kind == "response.in_progress" || kind == "response.queued"
}

// final makes an error one after which nobody is asked again, if the answer had begun.
func final(err error, begun bool) error {
	if e, ok := errors.AsType[*ccproxy.Error](err); ok && begun {
		e.Err = errors.Join(ccproxy.ErrBegun, e.Err)
	}
	return err
}

// brokenOff says what became of a stream that cannot be read to its end.
func brokenOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	msg := "the provider's stream broke off"
	if errors.Is(err, sse.ErrTooLarge) {
		msg = "an event of the provider's stream is too large"
	}
	return &ccproxy.Error{Status: http.StatusBadGateway, Message: msg, Err: err}
}

// response is the answer of a terminal event.
func response(ans *ccproxy.Answer, data []byte, output *outputItems) (*ccproxy.Answer, error) {
	if full := output.fill(data); full != nil {
		data = full
	}
	body, ok := rawjson.Find(data, "response")
	if !ok {
		msg := "the provider's stream ended without a response"
		return nil, &ccproxy.Error{Status: http.StatusBadGateway, Message: msg}
	}
	h := ans.Header.Clone()
	h.Set("Content-Type", "application/json")
	h.Del("Content-Length")
	return &ccproxy.Answer{Status: ans.Status, Header: h, Body: io.NopCloser(bytes.NewReader(bytes.Clone(body)))}, nil
}

// streamFailure is the error that an event tells. The header has hints of when to try again.
func streamFailure(ev adapters.Event, h http.Header) error {
	failure := &adapters.StreamError{}
	err := openai.Responses().DecodeStream().Decode(ev, func(ev canonical.Event) error {
		if ev.Kind == canonical.EventError && ev.Error != nil {
			failure.Failure = *ev.Error
		}
		return nil
	})
	info := failure.Info()
	e := &ccproxy.Error{
		Status: info.Status, Type: info.Type, Message: info.Message, Code: info.Code, Param: info.Param,
		Header: h.Clone(), Err: err,
	}
	for _, name := range [...]string{"Content-Type", "Content-Length"} {
		e.Header.Del(name)
	}
	return e
}
