package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
	switch a := a.(type) {
	case adapters.Conversion:
		body, call.request, call.lost, err = a.ConvertRequestLossy(ctx, call.Body)
	case adapters.RawAdapter:
		body, err = a.ConvertRawRequest(ctx, call.Body)
	default:
		body, err = convertMap(ctx, call.Body, a.ConvertRequest)
	}
	if err != nil {
		return conversionError(http.StatusBadRequest, "request", p.format, p.upstream, err)
	}
	call.Body = body
	if p.proxy.settings.StrictConversion && len(call.lost) > 0 {
		return strictError(p.format, p.upstream, call.lost)
	}
	p.logLosses(ctx, call, "request", call.lost)
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
	switch a := a.(type) {
	case adapters.Conversion:
		body, t.lost.List, err = a.ConvertResponseFor(ctx, body, t.call.request)
	case adapters.RawAdapter:
		body, err = a.ConvertRawResponse(ctx, body)
	default:
		body, err = convertMap(ctx, body, a.ConvertResponse)
	}
	if err != nil {
		return nil, conversionError(http.StatusBadGateway, "answer", t.from, t.client, err)
	}
	return body, nil
}

// convertError converts the body of an error, which is a JSON object.
func (t *relay) convertError(ctx context.Context, body []byte) ([]byte, error) {
	a, err := t.backward()
	if err != nil {
		return nil, err
	}
	switch a := a.(type) {
	case adapters.Conversion:
		body, _ = a.ConvertErrorFor(t.ans.Status, body)
		return body, nil
	case adapters.RawAdapter:
		return a.ConvertRawError(ctx, body)
	default:
		return convertMap(ctx, body, a.ConvertError)
	}
}

func (t *relay) convertStream(ctx context.Context, in adapters.Stream) (adapters.Stream, error) {
	a, err := t.backward()
	if err != nil {
		return nil, err
	}
	switch a := a.(type) {
	case adapters.Conversion:
		return t.told(a.EncodeErrorFor, a.ConvertStreamFor(ctx, in, t.call.request, &t.lost)), nil
	case adapters.RawAdapter:
		return a.ConvertRawStream(ctx, in), nil
	default:
		return encodeStream(t.client, a.ConvertStream(ctx, decodeStream(in))), nil
	}
}

// clientStatus is an upstream's status in another dialect, whose clients may not know it.
func clientStatus(client adapters.Format, status int) int {
	if status == statusOverloaded && client != adapters.AnthropicMessages {
		return http.StatusServiceUnavailable
	}
	return status
}

func conversionError(status int, what string, from, to adapters.Format, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{
		Status: status, Message: fmt.Sprintf("the %s could not be converted from %s to %s", what, from, to), Err: err,
	}
	if status != http.StatusBadRequest {
		return e
	}
	// What is wrong in the client's own words is the client's to know.
	text := err.Error()
	if stage, ok := errors.AsType[*adapters.StageError](err); ok {
		text = strings.TrimPrefix(stage.Err.Error(), adapters.ErrInvalidInput.Error()+": ")
	}
	e.Message += ": " + text
	if path, _, found := strings.Cut(text, ": "); found && !strings.Contains(path, " ") {
		e.Param = path
	}
	return e
}
