package hooks_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// logText collects what a logger writes.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func newLog() (*slog.Logger, *logText) {
	text := &logText{}
	return slog.New(slog.NewTextHandler(text, nil)), text
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logText) mustContain(t *testing.T, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(l.String(), p) {
			t.Errorf("log lacks %q:\n%s", p, l)
		}
	}
}

type secretError struct{ value string }

func (e secretError) Error() string { return e.value }

func explode(v any) { panic(v) }

// TestPanicIsLoggedWithoutItsValue has hooks panic with secrets of several shapes.
func TestPanicIsLoggedWithoutItsValue(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"string": canary, "error": secretError{canary}, "bytes": []byte(canary),
		"payload": &hooks.HTTPRequest{Body: canary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var reg hooks.Registry
			log, text := newLog()
			reg.SetLogger(log)
			register(t, &reg, hooks.On("bad",
				func(context.Context, *hooks.Context, *hooks.HTTPRequest) error {
					explode(value)
					return nil
				}), hooks.Options{Plugin: "p"})
			reg.Emit(hooks.Context{Payload: &hooks.HTTPRequest{Body: canary}})
			if err := reg.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			text.mustContain(t, "plugin=p", "hook=bad", "hook panicked (", "hooks_test.explode", "log_test.go:")
			if strings.Contains(text.String(), canary) || strings.Contains(text.String(), "0x") {
				t.Errorf("log tells too much:\n%s", text)
			}
		})
	}
}

// nastyError panics when it is asked for its text.
type nastyError struct{ text *string }

func (e *nastyError) Error() string { return *e.text }

func TestErrorThatPanicsWhenPrinted(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	register(t, &reg, hooks.Observe("bad", func(context.Context, *hooks.Context) error {
		var e *nastyError
		return e
	}, hooks.EventRequestStarted), hooks.Options{})
	started(&reg, "r")
	if err := reg.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := stat(t, &reg, "bad"); s.Failed != 1 || !strings.HasPrefix(s.LastError, "hook panicked") {
		t.Errorf("stats %+v", s)
	}
}

// TestLogStaysShort has a hook fail every other event, so that it never fuses, and another drop most of its
// own.
func TestLogStaysShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		log, text := newLog()
		reg.SetLogger(log)
		var n int
		register(t, &reg, hooks.Observe("bad", func(context.Context, *hooks.Context) error {
			if n++; n%2 == 0 {
				return errors.New(strings.Repeat("long ", 1000))
			}
			return nil
		}, hooks.EventRequestStarted), hooks.Options{Queue: 2})
		for range 1000 {
			for range 5 {
				started(&reg, "r")
			}
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		s := stat(t, &reg, "bad")
		if s.Failed < 1000 || s.Dropped < 2000 || s.Delivered+s.Failed+s.Dropped != 5000 {
			t.Errorf("stats %+v", s)
		}
		text.mustContain(t, "events dropped", "hook failed")
		if lines := strings.Count(text.String(), "\n"); lines > 5 || len(text.String()) > 2000 {
			t.Errorf("%d lines, %d bytes of log in a second", lines, len(text.String()))
		}
	})
}
