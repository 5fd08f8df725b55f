package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// convertRequest converts a call's body into the provider's format, if the client's is another.
func (p *pipeline) convertRequest(ctx context.Context, doc *rawjson.Doc, call *Call) error {
	if p.format == p.upstream {
		call.Body, call.lost = adapters.Withhold(p.format, call.Body)
		p.logLosses(ctx, call, "request", call.lost)
		return nil
	}
	a, err := p.proxy.adapter(adapters.FormatPair{From: p.format, To: p.upstream})
	if err != nil {
		return err
	}
	var body []byte
	switch a := a.(type) {
	case appendingConversion:
		body, err = p.convertInto(ctx, a, doc, call)
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

// appendingConversion is what adapters made of codecs can do besides: they write a request into memory on loan, and
// keep nothing of what they are given.
type appendingConversion interface {
	adapters.Conversion
	AppendRequestLossy(ctx context.Context, dst, body []byte, doc *rawjson.Doc) (
		out []byte, req *canonical.Request, lost []canonical.Loss, err error,
	)
}

// doc returns what a body can be scanned into.
func (p *Proxy) doc() *rawjson.Doc {
	if d, ok := p.docs.Get().(*rawjson.Doc); ok {
		return d
	}
	return new(rawjson.Doc)
}

// convertInto converts a body into a buffer on loan, which the call holds until its end. doc is of the client's body,
// in which the model may have been replaced since.
func (p *pipeline) convertInto(
	ctx context.Context, a appendingConversion, doc *rawjson.Doc, call *Call,
) ([]byte, error) {
	if !doc.Describes(call.Body) {
		doc = nil
	}
	buf := p.proxy.bodies.Get(len(call.Body) + len(call.Body)/4 + firstConverted)
	body, req, lost, err := a.AppendRequestLossy(ctx, buf.B, call.Body, doc)
	if err != nil {
		buf.Claim()
		buf.Release()
		return nil, err
	}
	buf.Adopt(body)
	call.request, call.lost, call.buf = req, lost, buf
	return body, nil
}

// firstConverted is what a converted body may be longer than the client's, besides a part of that.
const firstConverted = 1 << 10

// backward returns the adapter that brings answers of the provider into the client's format.
func (t *relay) backward() (adapters.FormatAdapter, error) {
	return t.proxy.adapter(adapters.FormatPair{From: t.from, To: t.client})
}

// adapter returns the one in charge of a pair, in the form that the settings want.
func (p *Proxy) adapter(pair adapters.FormatPair) (adapters.FormatAdapter, error) {
	a, err := p.formats.Lookup(pair)
	if err != nil || !p.settings.Features.UntypedAdapters {
		return a, err
	}
	return untyped{a}, nil
}

// untyped hides what an adapter can do besides converting maps.
type untyped struct{ adapters.FormatAdapter }

func (t *relay) convertResponse(ctx context.Context, body []byte) ([]byte, error) {
	a, err := t.backward()
	if err != nil {
		return nil, err
	}
	switch a := a.(type) {
	case adapters.Conversion:
		_, t.copied = a.(appendingConversion)
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

// convertError converts the body of an error, which is a JSON object. Anthropic's clients find the request's id in it.
func (t *relay) convertError(ctx context.Context, body []byte) ([]byte, error) {
	a, err := t.backward()
	if err != nil {
		return nil, err
	}
	switch a := a.(type) {
	case adapters.Conversion:
		body, e := a.ConvertErrorFor(t.ans.Status, body)
		if t.client == adapters.AnthropicMessages && e.RequestID.Empty() {
			e.RequestID = token(t.call.ID)
			body = a.EncodeErrorFor(&e)
		}
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
		_, t.lazy = a.(appendingConversion)
		return t.told(a.EncodeErrorFor, a.ConvertStreamFor(ctx, in, t.call.request, &t.lost)), nil
	case adapters.RawAdapter:
		return a.ConvertRawStream(ctx, in), nil
	default:
		out := encodeStream(t.client, a.ConvertStream(ctx, decodeStream(in)))
		if codec, ok := t.proxy.formats.Codec(t.client); ok {
			out = t.told(codec.Responses().EncodeError, out)
		}
		return out, nil
	}
}

// clientStatus is an upstream's status in another dialect, whose clients know overload by another one.
func clientStatus(client adapters.Format, status int) int {
	switch {
	case status == statusOverloaded && client != adapters.AnthropicMessages:
		return http.StatusServiceUnavailable
	case status == http.StatusServiceUnavailable && client == adapters.AnthropicMessages:
		return statusOverloaded
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
