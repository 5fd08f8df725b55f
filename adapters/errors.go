package adapters

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of failure. They come wrapped in a [*PairError] or [*StageError], which say where.
var (
	// ErrInvalid is returned by Register for a registration that can never be used.
	ErrInvalid = errors.New("invalid adapter registration")
	// ErrNoAdapter means that nobody converts the pair asked for.
	ErrNoAdapter = errors.New("no format adapter")
	// ErrUnsupportedStage means that the adapter has no function for the stage.
	ErrUnsupportedStage = errors.New("stage not supported")
	// ErrInvalidInput means that the value does not fit the type that the typed function takes.
	ErrInvalidInput = errors.New("invalid input")
	// ErrInvalidOutput means that the function's result is missing or is no JSON object.
	ErrInvalidOutput = errors.New("invalid output")
)

var errNoResult = fmt.Errorf("%w: no value", ErrInvalidOutput)

// StageKind names a stage of conversion.
type StageKind string

// The stages of conversion.
const (
	KindRequest  StageKind = "request"
	KindResponse StageKind = "response"
	KindError    StageKind = "error"
	KindStream   StageKind = "stream"
)

// StageError says which stage of which adapter failed. Err wraps [ErrUnsupportedStage], [ErrInvalidInput] or
// [ErrInvalidOutput], or is the conversion function's own error.
type StageError struct {
	Adapter string
	Stage   StageKind
	Err     error
}

// Error gives "request of adapter X: …".
func (e *StageError) Error() string {
	return fmt.Sprintf("%s of adapter %s: %v", e.Stage, e.Adapter, e.Err)
}

// Unwrap gives Err.
func (e *StageError) Unwrap() error { return e.Err }

// PairError is returned for a pair that nobody converts. It wraps [ErrNoAdapter].
type PairError struct {
	Pair      FormatPair
	Available []FormatPair // sorted
}

// Error names the pair and lists the pairs that there are.
func (e *PairError) Error() string {
	if len(e.Available) == 0 {
		return fmt.Sprintf("%v for %v: none registered", ErrNoAdapter, e.Pair)
	}
	names := make([]string, len(e.Available))
	for i, p := range e.Available {
		names[i] = p.String()
	}
	return fmt.Sprintf("%v for %v (available: %s)", ErrNoAdapter, e.Pair, strings.Join(names, ", "))
}

// Unwrap gives [ErrNoAdapter].
func (e *PairError) Unwrap() error { return ErrNoAdapter }
