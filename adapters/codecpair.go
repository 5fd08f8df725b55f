package adapters

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// codecPair converts what one codec decodes into what another encodes.
type codecPair struct{ from, to Codec }

var (
	_ FormatAdapter = (*codecPair)(nil)
	_ RawAdapter    = (*codecPair)(nil)
	_ Conversion    = (*codecPair)(nil)
)

func (p *codecPair) pair() FormatPair { return FormatPair{From: p.from.Format(), To: p.to.Format()} }

// String names the pair, for people who list adapters.
func (p *codecPair) String() string { return p.pair().String() }

func (p *codecPair) fail(stage StageKind, err error) error {
	return &StageError{Adapter: p.String(), Stage: stage, Err: err}
}

// ConvertRequestLossy implements Conversion.
func (p *codecPair) ConvertRequestLossy(
	_ context.Context, body []byte,
) (out []byte, req *canonical.Request, lost []canonical.Loss, err error) {
	if req, err = p.from.Requests().DecodeRequest(body); err != nil {
		return nil, nil, nil, p.fail(KindRequest, err)
	}
	var losses canonical.Losses
	if out, err = p.to.Requests().EncodeRequest(req, &losses); err != nil {
		return nil, nil, nil, p.fail(KindRequest, err)
	}
	return out, req, losses.List, nil
}

// AppendRequestLossy is ConvertRequestLossy that appends to dst, which is empty, and keeps nothing of it. doc is a scan
// of body, or nil.
func (p *codecPair) AppendRequestLossy(
	ctx context.Context, dst, body []byte, doc *rawjson.Doc,
) (out []byte, req *canonical.Request, lost []canonical.Loss, err error) {
	enc, ok := p.to.Requests().(interface {
		AppendRequest(dst []byte, req *canonical.Request, lost *canonical.Losses) ([]byte, error)
	})
	if !ok {
		return p.ConvertRequestLossy(ctx, body)
	}
	dec, ok := p.from.Requests().(interface {
		DecodeScanned(doc *rawjson.Doc) (*canonical.Request, error)
	})
	if ok && doc != nil {
		req, err = dec.DecodeScanned(doc)
	} else {
		req, err = p.from.Requests().DecodeRequest(body)
	}
	if err != nil {
		return nil, nil, nil, p.fail(KindRequest, err)
	}
	var losses canonical.Losses
	if out, err = enc.AppendRequest(dst, req, &losses); err != nil {
		return nil, nil, nil, p.fail(KindRequest, err)
	}
	return out, req, losses.List, nil
}

// ConvertResponseFor implements Conversion.
func (p *codecPair) ConvertResponseFor(
	_ context.Context, body []byte, req *canonical.Request,
) ([]byte, []canonical.Loss, error) {
	resp, err := p.from.Responses().DecodeResponse(body)
	if err != nil {
		return nil, nil, p.fail(KindResponse, err)
	}
	var losses canonical.Losses
	out, err := p.to.Responses().EncodeResponse(resp, req, &losses)
	if err != nil {
		return nil, nil, p.fail(KindResponse, err)
	}
	return out, losses.List, nil
}

// ConvertErrorFor implements Conversion.
func (p *codecPair) ConvertErrorFor(status int, body []byte) ([]byte, canonical.Error) {
	e, err := p.from.Responses().DecodeError(body)
	if err != nil || e == nil {
		e = &canonical.Error{}
	}
	if status != 0 {
		e.Status = status
	}
	if says := anthropicErrorType(e.Status); vague(e.Type) && e.Status != 0 && !vague(says) || e.Type == "" {
		e.Type = says
	}
	if e.Message.Empty() {
		msg := "the provider answered with an error"
		if text := http.StatusText(e.Status); text != "" {
			msg = fmt.Sprintf("the provider answered %d %s", e.Status, text)
		}
		e.Message = canonical.NewToken(msg)
	}
	return p.to.Responses().EncodeError(e), *e
}

// vague tells types that APIs use for everything of a class, where the status may say more.
func vague(typ string) bool {
	return typ == "" || typ == "invalid_request_error" || typ == "api_error"
}

// EncodeErrorFor implements Conversion.
func (p *codecPair) EncodeErrorFor(e *canonical.Error) []byte { return p.to.Responses().EncodeError(e) }

// ConvertRawRequest implements RawAdapter.
func (p *codecPair) ConvertRawRequest(ctx context.Context, in []byte) ([]byte, error) {
	out, _, _, err := p.ConvertRequestLossy(ctx, in)
	return out, err
}

// ConvertRawResponse implements RawAdapter.
func (p *codecPair) ConvertRawResponse(ctx context.Context, in []byte) ([]byte, error) {
	out, _, err := p.ConvertResponseFor(ctx, in, nil)
	return out, err
}

// ConvertRawError implements RawAdapter.
func (p *codecPair) ConvertRawError(_ context.Context, in []byte) ([]byte, error) {
	e, err := p.from.Responses().DecodeError(in)
	if err != nil {
		return nil, p.fail(KindError, err)
	}
	return p.to.Responses().EncodeError(e), nil
}

// ConvertRawStream implements RawAdapter.
func (p *codecPair) ConvertRawStream(ctx context.Context, in Stream) Stream {
	return p.ConvertStreamFor(ctx, in, nil, nil)
}

// ConvertRequest implements FormatAdapter.
func (p *codecPair) ConvertRequest(ctx context.Context, in map[string]any) (map[string]any, error) {
	return p.convertMap(ctx, KindRequest, in, p.ConvertRawRequest)
}

// ConvertResponse implements FormatAdapter.
func (p *codecPair) ConvertResponse(ctx context.Context, in map[string]any) (map[string]any, error) {
	return p.convertMap(ctx, KindResponse, in, p.ConvertRawResponse)
}

// ConvertError implements FormatAdapter.
func (p *codecPair) ConvertError(ctx context.Context, in map[string]any) (map[string]any, error) {
	return p.convertMap(ctx, KindError, in, p.ConvertRawError)
}

func (p *codecPair) convertMap(
	ctx context.Context, stage StageKind, in map[string]any, convert func(context.Context, []byte) ([]byte, error),
) (map[string]any, error) {
	body, err := marshalMap(in)
	if err != nil {
		return nil, p.fail(stage, fmt.Errorf("%w: %w", ErrInvalidInput, err))
	}
	if body, err = convert(ctx, body); err != nil {
		return nil, err
	}
	out, err := unmarshalMap(body)
	if err != nil {
		return nil, p.fail(stage, fmt.Errorf("%w: %w", ErrInvalidOutput, err))
	}
	return out, nil
}

// ConvertStream implements FormatAdapter. The word that ends a chat stream is no object: it is taken to follow the
// last value of in, and left out of the result.
func (p *codecPair) ConvertStream(
	ctx context.Context, in iter.Seq2[map[string]any, error],
) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		for ev, err := range p.ConvertRawStream(ctx, p.encoded(in)) {
			if err == nil && isDone(ev.Data) {
				continue
			}
			var m map[string]any
			if err == nil {
				if m, err = unmarshalMap(ev.Data); err != nil {
					err = p.fail(KindStream, fmt.Errorf("%w: %w", ErrInvalidOutput, err))
				}
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// encoded makes events of values, named by their type where the format names events.
func (p *codecPair) encoded(in iter.Seq2[map[string]any, error]) Stream {
	chat := p.from.Format() == OpenAIChatCompletions
	return func(yield func(Event, error) bool) {
		for m, err := range in {
			var ev Event
			if err == nil {
				if ev.Data, err = marshalMap(m); err != nil {
					err = p.fail(KindStream, fmt.Errorf("%w: %w", ErrInvalidInput, err))
				}
			}
			if !chat {
				ev.Type, _ = m["type"].(string)
			}
			if !yield(ev, err) || err != nil {
				return
			}
		}
		if chat {
			yield(Event{Data: []byte(doneWord)}, nil)
		}
	}
}

// doneWord is the data of the event that ends a chat stream.
const doneWord = "[DONE]"

func isDone(data []byte) bool { return string(bytes.TrimSpace(data)) == doneWord }

// marshalMap leaves HTML characters alone, as providers and clients write them.
func marshalMap(m map[string]any) ([]byte, error) {
	if m == nil {
		m = map[string]any{} // a nil map is empty, and not null
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func unmarshalMap(body []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // token counts and seeds must survive
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, err
	}
	return m, nil
}
