package adapters

import (
	"context"
	"iter"
)

// FormatAdapter converts untyped values of one [FormatPair] from the pair's From into its To, whatever the
// stage. A call from a client speaking C to an upstream speaking A therefore uses the adapter of (C, A) for
// the request and the adapter of (A, C) for the response, the error and the stream. An adapter that knows
// only some stages returns an error wrapping [ErrUnsupportedStage] from the others; see [Funcs].
//
// Methods must be safe for concurrent use. They must not keep the input and may change it.
type FormatAdapter interface {
	// ConvertRequest converts the request of a client.
	ConvertRequest(ctx context.Context, in map[string]any) (map[string]any, error)
	// ConvertResponse converts a whole answer.
	ConvertResponse(ctx context.Context, in map[string]any) (map[string]any, error)
	// ConvertError converts the body of an error.
	ConvertError(ctx context.Context, in map[string]any) (map[string]any, error)

	// ConvertStream converts the data of stream events. The result is lazy: it pulls from in only while it
	// is pulled itself, on the same goroutine. An error of in is passed on and ends the stream.
	ConvertStream(ctx context.Context, in iter.Seq2[map[string]any, error]) iter.Seq2[map[string]any, error]
}

// RawAdapter is an optional upgrade of a [FormatAdapter]: JSON in, JSON out, without maps between. Callers
// that hold bytes ask for it first. Its methods obey the rules of FormatAdapter.
type RawAdapter interface {
	// ConvertRawRequest is ConvertRequest on JSON.
	ConvertRawRequest(ctx context.Context, in []byte) ([]byte, error)
	// ConvertRawResponse is ConvertResponse on JSON.
	ConvertRawResponse(ctx context.Context, in []byte) ([]byte, error)
	// ConvertRawError is ConvertError on JSON.
	ConvertRawError(ctx context.Context, in []byte) ([]byte, error)

	// ConvertRawStream converts whole events, with names and terminal events as the target format has them.
	ConvertRawStream(ctx context.Context, in Stream) Stream
}

// ConvertFunc converts one value; it is a field type of [Funcs].
type ConvertFunc = func(ctx context.Context, in map[string]any) (map[string]any, error)

// ConvertStreamFunc converts a stream; it is a field type of [Funcs].
type ConvertStreamFunc = func(
	ctx context.Context, in iter.Seq2[map[string]any, error],
) iter.Seq2[map[string]any, error]

// Funcs is a [FormatAdapter] made of functions. A stage whose function is nil is unsupported: it returns a
// [*StageError] around [ErrUnsupportedStage]. Errors of the functions come back inside a *StageError too.
type Funcs struct {
	Name     string // for error messages
	Request  ConvertFunc
	Response ConvertFunc
	Error    ConvertFunc
	Stream   ConvertStreamFunc
}

var _ FormatAdapter = Funcs{}

// ConvertRequest calls Request.
func (f Funcs) ConvertRequest(ctx context.Context, in map[string]any) (map[string]any, error) {
	return f.convert(ctx, KindRequest, f.Request, in)
}

// ConvertResponse calls Response.
func (f Funcs) ConvertResponse(ctx context.Context, in map[string]any) (map[string]any, error) {
	return f.convert(ctx, KindResponse, f.Response, in)
}

// ConvertError calls Error.
func (f Funcs) ConvertError(ctx context.Context, in map[string]any) (map[string]any, error) {
	return f.convert(ctx, KindError, f.Error, in)
}

// ConvertStream calls Stream. Errors inside the sequence are the function's own affair.
func (f Funcs) ConvertStream(
	ctx context.Context, in iter.Seq2[map[string]any, error],
) iter.Seq2[map[string]any, error] {
	if f.Stream == nil {
		return failed[map[string]any](&StageError{Adapter: f.Name, Stage: KindStream, Err: ErrUnsupportedStage})
	}
	return f.Stream(ctx, in)
}

func (f Funcs) convert(
	ctx context.Context, kind StageKind, fn ConvertFunc, in map[string]any,
) (map[string]any, error) {
	if fn == nil {
		return nil, &StageError{Adapter: f.Name, Stage: kind, Err: ErrUnsupportedStage}
	}
	out, err := fn(ctx, in)
	if err != nil {
		return nil, &StageError{Adapter: f.Name, Stage: kind, Err: err}
	}
	if out == nil {
		return nil, &StageError{Adapter: f.Name, Stage: kind, Err: errNoResult}
	}
	return out, nil
}

// failed is a stream that consists of one error.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}
