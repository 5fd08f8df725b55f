package ccproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// convertRequest converts a call's body into the provider's format, if the client's is another.
func (p *pipeline) convertRequest(ctx context.Context, call *Call) error {
	if p.format == p.upstream {
		return nil
	}
	a, err := p.proxy.formats.Lookup(adapters.FormatPair{From: p.format, To: p.upstream})
	if err != nil {
		return err
	}
	var body []byte
	if raw, ok := a.(adapters.RawAdapter); ok {
		body, err = raw.ConvertRawRequest(ctx, call.Body)
	} else {
		body, err = convertMap(ctx, call.Body, a.ConvertRequest)
	}
	if err != nil {
		return conversionError(http.StatusBadRequest, "request", p.format, p.upstream, err)
	}
	call.Body = body
	return nil
}

// backward returns the adapter that brings answers of the provider into the client's format.
func (t *relay) backward() (adapters.FormatAdapter, error) {
	return t.proxy.formats.Lookup(adapters.FormatPair{From: t.from, To: t.client})
}

func (t *relay) convertResponse(ctx context.Context, body []byte) ([]byte, error) {
	a, err := t.backward()
	if err != nil {
		return nil, err
	}
	if raw, ok := a.(adapters.RawAdapter); ok {
		body, err = raw.ConvertRawResponse(ctx, body)
	} else {
		body, err = convertMap(ctx, body, a.ConvertResponse)
	}
	if err != nil {
		return nil, conversionError(http.StatusBadGateway, "answer", t.from, t.client, err)
	}
	return body, nil
}

func (t *relay) convertError(ctx context.Context, body []byte) ([]byte, error) {
	a, err := t.backward()
	if err != nil {
		return nil, err
	}
	if raw, ok := a.(adapters.RawAdapter); ok {
		return raw.ConvertRawError(ctx, body)
	}
	return convertMap(ctx, body, a.ConvertError)
}

func (t *relay) convertStream(ctx context.Context, in adapters.Stream) (adapters.Stream, error) {
	a, err := t.backward()
	if err != nil {
		return nil, err
	}
	if raw, ok := a.(adapters.RawAdapter); ok {
		return raw.ConvertRawStream(ctx, in), nil
	}
	return encodeStream(t.client, a.ConvertStream(ctx, decodeStream(in))), nil
}

func conversionError(status int, what string, from, to adapters.Format, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	msg := fmt.Sprintf("the %s could not be converted from %s to %s", what, from, to)
	if status == http.StatusBadRequest {
		msg += ": " + err.Error() // what is wrong in the client's own words is the client's to know
	}
	return &Error{Status: status, Message: msg, Err: err}
}

func convertMap(
	ctx context.Context, body []byte, convert func(context.Context, map[string]any) (map[string]any, error),
) ([]byte, error) {
	in, err := decodeMap(body)
	if err != nil {
		return nil, err
	}
	out, err := convert(ctx, in)
	if err != nil {
		return nil, err
	}
	return encodeMap(out)
}

func decodeMap(body []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // token counts and seeds must survive
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, err
	}
	return m, nil
}

func encodeMap(m map[string]any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func decodeStream(in adapters.Stream) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		for ev, err := range in {
			if err != nil {
				yield(nil, err)
				return
			}
			if string(bytes.TrimSpace(ev.Data)) == "[DONE]" {
				continue
			}
			m, err := decodeMap(ev.Data)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// encodeStream names the events as the format does, and ends a chat stream that came to its end.
func encodeStream(f adapters.Format, in iter.Seq2[map[string]any, error]) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		for m, err := range in {
			if err != nil {
				yield(adapters.Event{}, err)
				return
			}
			data, err := encodeMap(m)
			if err != nil {
				yield(adapters.Event{}, err)
				return
			}
			ev := adapters.Event{Data: data}
			if f != adapters.OpenAIChatCompletions {
				ev.Type, _ = m["type"].(string)
			}
			if !yield(ev, nil) {
				return
			}
		}
		if f == adapters.OpenAIChatCompletions {
			yield(adapters.Event{Data: []byte("[DONE]")}, nil)
		}
	}
}
