package adapters_test

import (
	"fmt"
	"io"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// plain is a small dialect of its own, as an application might have one:
//
//	request   {"model":"m","talk":["question","answer","question"],"live":true}
//	answer    {"by":"m","text":"answer"}
//	error     {"wrong":"message"}
//	stream    begin {"by":"m"}, text {"t":"fragment"}…, end {}   or   wrong {"wrong":"message"}
type plain struct{ format adapters.Format }

var _ adapters.Codec = plain{}

func (p plain) Format() adapters.Format                                { return p.format }
func (p plain) Requests() adapters.RequestCodec                        { return p }
func (p plain) Responses() adapters.ResponseCodec                      { return p }
func (p plain) DecodeStream() adapters.StreamDecoder                   { return &plainDecoder{} }
func (p plain) EncodeStream(*canonical.Request) adapters.StreamEncoder { return &plainEncoder{} }

func (p plain) DecodeRequest(body []byte) (*canonical.Request, error) {
	req := &canonical.Request{Source: string(p.format)}
	for key, value := range rawjson.Members(body) {
		switch string(key) {
		case `"model"`:
			req.Model, _ = rawjson.String(value)
		case `"live"`:
			req.Stream, _ = rawjson.Bool(value)
		case `"talk"`:
			for text := range rawjson.Elements(value) {
				role := canonical.RoleUser
				if len(req.Messages)%2 == 1 {
					role = canonical.RoleAssistant
				}
				if text[0] != '"' {
					path := fmt.Sprintf("talk[%d]", len(req.Messages))
					return nil, fmt.Errorf("%w: %s: must be a string", adapters.ErrInvalidInput, path)
				}
				req.Messages = append(req.Messages, canonical.Message{
					Role: role, Plain: true, Parts: []canonical.Part{{Text: text}},
				})
			}
		default:
			name, _ := rawjson.String(key)
			req.Extra = append(req.Extra, canonical.Field{Name: name, Raw: value})
		}
	}
	return req, nil
}

func (p plain) EncodeRequest(req *canonical.Request, lost *canonical.Losses) ([]byte, error) {
	out := append([]byte(`{"model":`), rawjson.AppendString(nil, req.Model)...)
	out = append(out, `,"talk":[`...)
	for i, m := range req.Messages {
		if i > 0 {
			out = append(out, ',')
		}
		var texts []canonical.Token
		for _, part := range m.Parts {
			texts = append(texts, part.Text)
		}
		out = append(out, canonical.Join("", texts...)...)
	}
	for _, f := range req.Extra {
		lost.Add(f.Name, "plain has no place for it")
	}
	if req.MaxTokens != nil {
		lost.Add("max_tokens", "plain has no place for it")
	}
	return fmt.Appendf(out, `],"live":%t}`, req.Stream), nil
}

func (p plain) DecodeResponse(body []byte) (*canonical.Response, error) {
	text, ok := rawjson.Find(body, "text")
	if !ok {
		return nil, fmt.Errorf("%w: text: must be there", adapters.ErrInvalidInput)
	}
	by, _ := rawjson.Find(body, "by")
	return &canonical.Response{Model: by, Choices: []canonical.Choice{{
		Parts: []canonical.Part{{Text: text}}, Stop: canonical.Stop{Reason: canonical.StopEnd},
	}}}, nil
}

func (p plain) EncodeResponse(
	resp *canonical.Response, _ *canonical.Request, lost *canonical.Losses,
) ([]byte, error) {
	var texts []canonical.Token
	for _, part := range resp.Choices[0].Parts {
		if part.Kind != canonical.PartText {
			lost.Add("content", "plain has text only")
			continue
		}
		texts = append(texts, part.Text)
	}
	return fmt.Appendf(nil, `{"by":%s,"text":%s}`, []byte(resp.Model), []byte(canonical.Join("", texts...))), nil
}

func (p plain) DecodeError(body []byte) (*canonical.Error, error) {
	wrong, ok := rawjson.Find(body, "wrong")
	if !ok {
		return nil, adapters.ErrInvalidInput
	}
	return &canonical.Error{Message: wrong}, nil
}

func (p plain) EncodeError(e *canonical.Error) []byte {
	return fmt.Appendf(nil, `{"wrong":%s,"kind":%q}`, []byte(e.Message), e.Type)
}

type plainDecoder struct{ ended bool }

func (d *plainDecoder) Decode(ev adapters.Event, yield func(canonical.Event) error) error {
	event := func(k canonical.EventKind) canonical.Event {
		return canonical.Event{Kind: k, Part: &canonical.Part{Kind: canonical.PartText}}
	}
	switch ev.Type {
	case "begin":
		start := event(canonical.EventStart)
		start.Model, _ = rawjson.Find(ev.Data, "by")
		if err := yield(start); err != nil {
			return err
		}
		return yield(event(canonical.EventBlockStart))
	case "text":
		delta := event(canonical.EventDelta)
		delta.Delta, _ = rawjson.Find(ev.Data, "t")
		return yield(delta)
	case "end":
		d.ended = true
		if err := yield(event(canonical.EventBlockStop)); err != nil {
			return err
		}
		stop := event(canonical.EventStop)
		stop.Stop.Reason = canonical.StopEnd
		return yield(stop)
	case "wrong":
		failed := event(canonical.EventError)
		msg, _ := rawjson.Find(ev.Data, "wrong")
		failed.Error = &canonical.Error{Type: "overloaded_error", Message: msg}
		return yield(failed)
	default:
		return fmt.Errorf("%w: event %q", adapters.ErrInvalidInput, ev.Type)
	}
}

func (d *plainDecoder) End(func(canonical.Event) error) error {
	if !d.ended {
		return io.ErrUnexpectedEOF
	}
	return nil
}

type plainEncoder struct{ lost canonical.Losses }

func (e *plainEncoder) Encode(ev *canonical.Event, yield func(adapters.Event) error) error {
	switch ev.Kind {
	case canonical.EventStart:
		return yield(adapters.Event{Type: "begin", Data: fmt.Appendf(nil, `{"by":%s}`, []byte(ev.Model))})
	case canonical.EventDelta:
		if ev.Part.Kind != canonical.PartText {
			e.lost.Add("content", "plain has text only")
			return nil
		}
		if ev.Delta.Empty() {
			return nil
		}
		return yield(adapters.Event{Type: "text", Data: fmt.Appendf(nil, `{"t":%s}`, []byte(ev.Delta))})
	case canonical.EventStop:
		return yield(adapters.Event{Type: "end", Data: []byte(`{}`)})
	case canonical.EventError:
		return yield(adapters.Event{Type: "wrong", Data: fmt.Appendf(nil, `{"wrong":%s}`, []byte(ev.Error.Message))})
	default:
		return nil
	}
}

func (e *plainEncoder) Fail(info adapters.ErrorInfo, yield func(adapters.Event) error) error {
	return yield(adapters.Event{Type: "wrong", Data: fmt.Appendf(nil, `{"wrong":%q}`, info.Message)})
}

func (e *plainEncoder) Losses() []canonical.Loss { return e.lost.List }
