package hooks

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
)

const (
	maxErrorText  = 300 // bytes of a hook's error kept in its Stats and written to the log
	maxStackDepth = 32
)

// outcome is how a call of a hook ended. The zero value is success.
type outcome struct {
	err   error
	text  string   // of err, made where a panic of its Error method does no harm
	stack []string // of a panic or a Goexit
}

// guard runs fn, which is a hook's code, and hands done how it ended, exactly once and on this goroutine. A
// panic ends here. A Goexit cannot be stopped: done still runs, then the goroutine ends, and its owner has
// to notice that guard did not return.
func guard(fn func() error, done func(outcome)) {
	// Not from within attempt: the stack of a worker that handles one event after the other need not grow.
	if out, returned := attempt(fn, done); returned {
		done(out)
	}
}

// attempt runs fn and reports whether it returned. If it did not, failed is told why.
func attempt(fn func() error, failed func(outcome)) (out outcome, returned bool) {
	defer func() {
		if returned {
			return
		}
		out := outcome{err: ErrHookExit, text: ErrHookExit.Error()}
		if v := recover(); v != nil {
			// The value may hold anything, a request or a key included: only its type is told.
			out.err = fmt.Errorf("%w (%T)", ErrHookPanic, v)
			out.text = out.err.Error()
		}
		out.stack = stack()
		failed(out)
	}()
	if out.err = fn(); out.err != nil {
		out.text = shorten(out.err.Error())
	}
	return out, true
}

// stack lists the frames of a hook that is panicking or exiting as "function file:line". Unlike debug.Stack
// it shows no arguments, whose words might be pointers into, or bytes of, a payload.
func stack() []string {
	pcs := make([]uintptr, maxStackDepth)
	n := runtime.Callers(3, pcs) // without Callers, stack and the deferred call
	frames := runtime.CallersFrames(pcs[:n])
	var list []string
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, "/hooks.attempt") {
			return list
		}
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			list = append(list, f.Function+" "+f.File+":"+strconv.Itoa(f.Line))
		}
		if !more {
			return list
		}
	}
}

func shorten(s string) string {
	if len(s) <= maxErrorText {
		return s
	}
	return strings.ToValidUTF8(s[:maxErrorText], "") + "…"
}
