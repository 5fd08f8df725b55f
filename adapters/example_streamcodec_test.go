package adapters_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// memoDecoder makes one block of text of all pieces.
type memoDecoder struct{ begun bool }

func (d *memoDecoder) Decode(ev adapters.Event, yield func(canonical.Event) error) error {
	var in struct {
		Piece json.RawMessage `json:"piece"`
		End   bool            `json:"end"`
	}
	if err := json.Unmarshal(ev.Data, &in); err != nil {
		return fmt.Errorf("%w: %w", adapters.ErrInvalidInput, err)
	}
	text := &canonical.Part{Kind: canonical.PartText}
	var events []canonical.Event
	if !d.begun {
		d.begun = true
		events = append(events, canonical.Event{Kind: canonical.EventStart, ID: canonical.NewToken("memo")},
			canonical.Event{Kind: canonical.EventBlockStart, Part: text})
	}
	if in.Piece != nil {
		events = append(events,
			canonical.Event{Kind: canonical.EventDelta, Part: text, Delta: canonical.Token(in.Piece)})
	}
	if in.End {
		events = append(events, canonical.Event{Kind: canonical.EventBlockStop},
			canonical.Event{Kind: canonical.EventStop, Stop: canonical.Stop{Reason: canonical.StopEnd}})
	}
	for _, e := range events {
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

// End is only called where there was no end.
func (d *memoDecoder) End(func(canonical.Event) error) error { return adapters.ErrStreamCut }

type memoEncoder struct {
	lost  canonical.Losses
	ended bool
}

func (e *memoEncoder) Encode(ev *canonical.Event, yield func(adapters.Event) error) error {
	switch {
	case ev.Kind == canonical.EventDelta && ev.Part.Kind == canonical.PartText:
		return yield(adapters.Event{Data: fmt.Appendf(nil, `{"piece":%s}`, []byte(ev.Delta))})
	case ev.Kind == canonical.EventDelta:
		e.lost.Add("stream", "not text")
	case ev.Kind == canonical.EventError:
		e.ended = true
		return yield(adapters.Event{Data: memoAnswers{}.EncodeError(ev.Error)})
	case ev.Kind == canonical.EventStop:
		e.ended = true
		return yield(adapters.Event{Data: []byte(`{"end":true}`)})
	}
	return nil
}

func (e *memoEncoder) Fail(info adapters.ErrorInfo, yield func(adapters.Event) error) error {
	if e.ended {
		return nil
	}
	e.ended = true
	failure := canonical.Error{Message: canonical.NewToken(info.Message)}
	return yield(adapters.Event{Data: memoAnswers{}.EncodeError(&failure)})
}

func (e *memoEncoder) Losses() []canonical.Loss { return e.lost.List }

// A client who speaks memo gets what it can express of an upstream's stream. One that breaks off ends with an
// error of the client's format.
func ExampleStreamEncoder() {
	var reg adapters.Registry
	for _, codec := range []adapters.Codec{memo{}, anthropic.Codec()} {
		if err := reg.RegisterCodec(codec); err != nil {
			log.Fatal(err)
		}
	}
	upstream := events(`{"type":"message_start","message":{"id":"msg_1","model":"m","content":[]}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"A map"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Two"}}`) // and nothing more
	back := conversion(&reg, adapters.AnthropicMessages, "acme.memo")
	var lost canonical.Losses
	for ev, err := range back.ConvertStreamFor(context.Background(), upstream, nil, &lost) {
		fmt.Println(string(ev.Data), err)
	}
	fmt.Println("lost:", lost.List)
	// Output:
	// {"piece":"Two"} <nil>
	// {"problem":"the provider's stream broke off"} <nil>
	// lost: [{stream not text}]
}
