package adapters

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// Stage is one typed function with its types erased, ready for [NewShim]. The zero value is ignored there.
type Stage struct {
	kind    StageKind
	fn      any // as passed in, for Unwrap
	convert ConvertFunc
	stream  func(context.Context, mapSeq, func(error) error) mapSeq
}

type mapSeq = iter.Seq2[map[string]any, error]

// Request makes a stage of a typed function that converts requests.
func Request[In, Out any](fn func(context.Context, *In) (*Out, error)) Stage {
	return value(KindRequest, fn)
}

// Response makes a stage of a typed function that converts responses.
func Response[In, Out any](fn func(context.Context, *In) (*Out, error)) Stage {
	return value(KindResponse, fn)
}

// ErrorStage makes a stage of a typed function that converts error bodies.
func ErrorStage[In, Out any](fn func(context.Context, *In) (*Out, error)) Stage {
	return value(KindError, fn)
}

// StreamStage makes a stage of a typed function that converts streams. The function should be lazy: pull a
// value, yield what follows from it, and stop when its yield returns false.
func StreamStage[In, Out any](
	fn func(context.Context, iter.Seq2[*In, error]) iter.Seq2[*Out, error],
) Stage {
	if fn == nil {
		return Stage{}
	}
	return Stage{
		kind: KindStream,
		fn:   fn,
		stream: func(ctx context.Context, in mapSeq, wrap func(error) error) mapSeq {
			return func(yield func(map[string]any, error) bool) {
				run := streamRun[In, Out]{in: in, wrap: wrap, yield: yield}
				run.pump(fn(ctx, run.typed))
			}
		},
	}
}

func value[In, Out any](kind StageKind, fn func(context.Context, *In) (*Out, error)) Stage {
	if fn == nil {
		return Stage{}
	}
	return Stage{
		kind: kind,
		fn:   fn,
		convert: func(ctx context.Context, m map[string]any) (map[string]any, error) {
			in, err := fromMap[In](m)
			if err != nil {
				return nil, err
			}
			out, err := fn(ctx, in)
			if err != nil {
				return nil, err
			}
			return toMap(out)
		},
	}
}

// streamRun is one pass over a stream: typed feeds the function, pump takes what it yields.
type streamRun[In, Out any] struct {
	in    mapSeq
	wrap  func(error) error
	yield func(map[string]any, error) bool
	cut   error // why the input ended early; the output must end with it
}

// typed is the function's input. After an error it ends, even if the function would go on.
func (r *streamRun[In, Out]) typed(yield func(*In, error) bool) {
	for m, err := range r.in {
		var in *In
		if err == nil {
			if in, err = fromMap[In](m); err != nil {
				err = r.wrap(err)
			}
		}
		if err != nil {
			r.cut = err
			yield(nil, err)
			return
		}
		if !yield(in, nil) {
			return
		}
	}
}

// pump passes the function's output on until its end, its first error, or the consumer's stop.
func (r *streamRun[In, Out]) pump(out iter.Seq2[*Out, error]) {
	for v, err := range out {
		if err != nil {
			if r.cut == nil { // else it stems from the input, where the place is named already
				r.cut = r.wrap(err)
			}
			break
		}
		m, err := toMap(v)
		if err != nil {
			r.cut = r.wrap(err)
			break
		}
		if !r.yield(m, nil) {
			return
		}
	}
	if r.cut != nil {
		r.yield(nil, r.cut)
	}
}

// validator is asked by a Shim whether a value is acceptable beyond having the right JSON types.
type validator interface{ Validate() error }

func fromMap[T any](m map[string]any) (*T, error) {
	v := new(T)
	if m == nil {
		m = map[string]any{} // a nil map is empty, and not null
	}
	if err := remarshal(m, v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidInput, err)
	}
	if err := validate(v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidInput, err)
	}
	return v, nil
}

func toMap[T any](v *T) (map[string]any, error) {
	if v == nil {
		return nil, errNoResult
	}
	if err := validate(v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidOutput, err)
	}
	var m map[string]any
	if err := remarshal(v, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidOutput, err)
	}
	if m == nil {
		return nil, errNoResult
	}
	return m, nil
}

func validate(v any) error {
	if c, ok := v.(validator); ok {
		return c.Validate()
	}
	return nil
}

// remarshal copies from into to by way of JSON.
func remarshal(from, to any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // json.RawMessage fields must not come out longer than they went in
	if err := enc.Encode(from); err != nil {
		return err
	}
	dec := json.NewDecoder(&b)
	dec.UseNumber() // seeds and token counts above 2^53 must survive
	return dec.Decode(to)
}
