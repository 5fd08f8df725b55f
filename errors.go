package ccproxy

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// The kinds of errors. Errors of this package wrap one of them, mostly inside a *[PluginError].
var (
	// ErrSkip is returned by Configure or Initialize when the plugin decides by itself not to run.
	ErrSkip = errors.New("plugin opted out")
	// ErrDuplicate tells that a name is taken.
	ErrDuplicate = errors.New("already registered")
	// ErrInvalidManifest tells that a manifest contradicts its own rules.
	ErrInvalidManifest = errors.New("invalid manifest")
	// ErrConfig tells that settings are wrong; the text names the full key.
	ErrConfig = errors.New("invalid configuration")
	// ErrRouteConflict tells that two plugins claim one route; the text names both.
	ErrRouteConflict = errors.New("route conflict")
	// ErrMissingDependency tells that a plugin, service or format pair is not there.
	ErrMissingDependency = errors.New("missing dependency")
	// ErrCycle tells that plugins depend on each other in a circle.
	ErrCycle = errors.New("circular dependency")
	// ErrDisabled tells that the settings keep a plugin off.
	ErrDisabled = errors.New("disabled")
	// ErrPanic tells that a plugin panicked.
	ErrPanic = errors.New("panic")
	// ErrExited tells that a plugin ended its goroutine with runtime.Goexit.
	ErrExited = errors.New("goroutine exited")
	// ErrAbandoned tells that a plugin did not return within its time, and is no longer waited for.
	ErrAbandoned = errors.New("deadline exceeded, abandoned")
	// ErrUnknownService tells that no plugin provides the service.
	ErrUnknownService = errors.New("unknown service")
	// ErrServiceType tells that a service, configuration or runtime is not of the type asked for.
	ErrServiceType = errors.New("wrong type")
	// ErrUnknownPlugin tells that there is no plugin of that name.
	ErrUnknownPlugin = errors.New("unknown plugin")
	// ErrUnknownCommand tells that a plugin has no command of that name.
	ErrUnknownCommand = errors.New("unknown command")
	// ErrState tells that a method was called out of order, such as Start a second time.
	ErrState = errors.New("wrong state")
	// ErrUnsupported is returned by a Provider for an operation that it does not offer.
	ErrUnsupported = errors.New("operation not supported")
	// ErrBegun tells that an upstream had begun to execute a call when that failed. Providers wrap it, such as in an
	// [Error]'s Err, where the events that the client would have seen do not tell so: nobody is asked again.
	ErrBegun = errors.New("the upstream had begun to execute the call")
	// ErrNotAsked tells that a provider failed without asking its upstream, such as for want of credentials. It says
	// nothing of the upstream's health: breakers do not count it.
	ErrNotAsked = errors.New("the upstream was not asked")
)

// PluginError says which plugin failed at what.
type PluginError struct {
	Plugin string // name of the plugin
	Op     string // "register", "resolve", "configure", "initialize", "validate", "hooks", "routes", "shutdown", …
	Err    error
}

// Error returns "plugin NAME: OP: ERR".
func (e *PluginError) Error() string {
	return fmt.Sprintf("plugin %s: %s: %v", e.Plugin, e.Op, e.Err)
}

// Unwrap returns Err.
func (e *PluginError) Unwrap() error { return e.Err }

// Error is a failure that a client gets to see, in its own dialect. Providers return it from Do.
type Error struct {
	// Status is an HTTP status of 400 or more. Zero means 500.
	Status int
	// Type is the error type in the client's dialect. Empty means the usual one of the status.
	Type string
	// Message is shown to people. It must not hold secrets.
	Message string
	// Code and Param are the fields of that name in OpenAI's error objects: a stable identifier, and the field
	// or header that is wrong. May be empty.
	Code, Param string
	// RetryAfter, if positive, becomes the Retry-After header, rounded up to whole seconds.
	RetryAfter time.Duration
	// Header is sent along. May be nil.
	Header http.Header
	// Err is the cause, for logs; the client does not see it.
	Err error
}

// Error returns status, message and cause.
func (e *Error) Error() string {
	s := strconv.Itoa(e.status()) + " " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) status() int {
	if e.Status < 400 || e.Status > 999 {
		return http.StatusInternalServerError
	}
	return e.Status
}

func (e *Error) info(requestID string) adapters.ErrorInfo {
	return adapters.ErrorInfo{
		Status: e.status(), Type: e.Type, Message: e.Message, Code: e.Code, Param: e.Param, RequestID: requestID,
	}
}

// badRequest is an error of the client that names the place.
func badRequest(param, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Param: param, Message: fmt.Sprintf(format, args...)}
}
