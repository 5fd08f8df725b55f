package adapters

import (
	"context"
	"iter"
)

// Shim is a [FormatAdapter] made of typed functions. Around each call it turns the map into the function's
// input type and the result into a map again, through encoding/json:
//
//   - Members that the input type has no field for do not reach the function. A type that must keep them
//     declares a map or has an UnmarshalJSON; map[string]any itself is a valid type and gets everything.
//   - Numbers keep their digits: in fields of type any, and in the resulting map, they are [json.Number].
//   - A type with a Validate() error method is asked after decoding the input and before encoding the output.
//   - The result must be a JSON object; members appear as the type's json tags (omitempty, omitzero) say.
//
// Every error is a [*StageError] that names adapter and stage. It wraps [ErrInvalidInput] if the map did not
// fit, [ErrInvalidOutput] if the result did not, [ErrUnsupportedStage] if there is no function, and else the
// function's own error. A Shim is safe for concurrent use if its functions are.
type Shim struct {
	name   string
	stages map[StageKind]Stage
}

var _ FormatAdapter = (*Shim)(nil)

// NewShim makes a Shim of stages. The name is for people: it is part of every error. Of two functions for
// one stage the later is used.
func NewShim(name string, stages ...Stage) *Shim {
	s := &Shim{name: name, stages: make(map[StageKind]Stage, len(stages))}
	for _, st := range stages {
		if st.fn != nil {
			s.stages[st.kind] = st
		}
	}
	return s
}

// Name gives the name with the prefix "shim_", which tells a shim from the adapter it wraps.
func (s *Shim) Name() string { return "shim_" + s.name }

// String gives "Shim(name)".
func (s *Shim) String() string { return "Shim(" + s.name + ")" }

// Unwrap gives the typed function of the stage as it was passed in, or nil if there is none. Calling it
// directly saves the conversions:
//
//	fn, ok := shim.Unwrap(adapters.KindRequest).(func(context.Context, *In) (*Out, error))
func (s *Shim) Unwrap(stage StageKind) any { return s.stages[stage].fn }

// ConvertRequest calls the function made a stage by [Request].
func (s *Shim) ConvertRequest(ctx context.Context, in map[string]any) (map[string]any, error) {
	return s.convert(ctx, KindRequest, in)
}

// ConvertResponse calls the function made a stage by [Response].
func (s *Shim) ConvertResponse(ctx context.Context, in map[string]any) (map[string]any, error) {
	return s.convert(ctx, KindResponse, in)
}

// ConvertError calls the function made a stage by [ErrorStage].
func (s *Shim) ConvertError(ctx context.Context, in map[string]any) (map[string]any, error) {
	return s.convert(ctx, KindError, in)
}

// ConvertStream calls the function made a stage by [StreamStage]. The result may be ranged over once. A
// value that does not fit the input type reaches the function as an error, as an error of in does; whatever
// the function makes of it, the result ends with that error, so that a cut stream never looks complete.
func (s *Shim) ConvertStream(
	ctx context.Context, in iter.Seq2[map[string]any, error],
) iter.Seq2[map[string]any, error] {
	st, ok := s.stages[KindStream]
	if !ok {
		return failed[map[string]any](s.fail(KindStream, ErrUnsupportedStage))
	}
	return st.stream(ctx, in, func(err error) error { return s.fail(KindStream, err) })
}

func (s *Shim) convert(ctx context.Context, kind StageKind, in map[string]any) (map[string]any, error) {
	st, ok := s.stages[kind]
	if !ok {
		return nil, s.fail(kind, ErrUnsupportedStage)
	}
	out, err := st.convert(ctx, in)
	if err != nil {
		return nil, s.fail(kind, err)
	}
	return out, nil
}

func (s *Shim) fail(kind StageKind, err error) error {
	return &StageError{Adapter: s.name, Stage: kind, Err: err}
}
