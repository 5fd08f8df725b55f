package hooks

import (
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with a registration or a call of a hook.
var (
	// ErrInvalid refuses a hook that is nil, has no name, names an unknown event, or has nothing to do.
	ErrInvalid = errors.New("invalid hook")
	// ErrDuplicate refuses a second hook of the same plugin and name.
	ErrDuplicate = errors.New("hook already registered")
	// ErrClosed says that the registry has been closed.
	ErrClosed = errors.New("hook registry closed")
	// ErrHookTimeout says that a hook took longer than its timeout.
	ErrHookTimeout = errors.New("hook timed out")
	// ErrHookPanic says that a hook panicked.
	ErrHookPanic = errors.New("hook panicked")
	// ErrHookExit says that a hook ended its goroutine with runtime.Goexit.
	ErrHookExit = errors.New("hook ended its goroutine")
	// ErrHookBusy says that too many calls of a mutator have been given up and still run.
	ErrHookBusy = errors.New("hook still runs calls that were given up")
	// ErrFused says that a hook failed so often that it is left out for a while.
	ErrFused = errors.New("hook fused after repeated failures")
)

// MutatorError says which fail-closed mutator kept a request from being sent. It wraps the mutator's own
// error or one of the errors of this package.
type MutatorError struct {
	Plugin string
	Hook   string
	Err    error
}

func (e *MutatorError) Error() string {
	return "hooks: mutator " + hookID(e.Plugin, e.Hook) + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *MutatorError) Unwrap() error { return e.Err }

// Refuse makes err the error of a [Mutator] that refuses a request on purpose, such as one over its budget. The request
// ends with a [MutatorError] that wraps err, whether the hook fails closed or not, and nothing counts as a failure of
// the hook. A nil err refuses nothing.
func Refuse(err error) error {
	if err == nil {
		return nil
	}
	return &refusal{err}
}

// refusal is the decision of a mutator. It is recognized by its type alone: it is a hook that has made err.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// CloseError says what [Registry.Close] had to leave behind.
type CloseError struct {
	Lost    int64    // events that were never handled
	Running []string // hooks, as plugin/name, that ignored the end of their context
	Err     error    // why Close did not wait longer
}

func (e *CloseError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "hooks: close: %d events lost", e.Lost)
	if len(e.Running) > 0 {
		b.WriteString(", still running: " + strings.Join(e.Running, ", "))
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns why Close did not wait longer.
func (e *CloseError) Unwrap() error { return e.Err }

// hookID is how messages name a hook.
func hookID(plugin, name string) string {
	if plugin == "" {
		return name
	}
	return plugin + "/" + name
}
