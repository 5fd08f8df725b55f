package hooks_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// TestStallIsNoticedOnTime has calls begin at odd moments, among them two that stall, and looks just before
// and just after each is due.
func TestStallIsNoticedOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		log, text := newLog()
		reg.SetLogger(log)
		began := time.Now()
		register(t, &reg, hooks.Observe("o", func(_ context.Context, hc *hooks.Context) error {
			d, err := time.ParseDuration(hc.RequestID)
			time.Sleep(d)
			return err
		}, hooks.EventRequestStarted), hooks.Options{})
		at := func(offset time.Duration, stalled bool, failed int64) {
			t.Helper()
			time.Sleep(time.Until(began.Add(offset)))
			synctest.Wait()
			lines := int64(strings.Count(text.String(), `error="hook timed out"`))
			if s := stat(t, &reg, "o"); s.Stalled != stalled || s.Failed != failed || lines != failed {
				t.Errorf("after %v: stalled %v, %d failed, %d logged; want %v and %d",
					offset, s.Stalled, s.Failed, lines, stalled, failed)
			}
		}
		started(&reg, "0s")
		started(&reg, "3s")
		started(&reg, "25s") // from 3 s to 28 s
		started(&reg, "9s")  // to 37 s
		at(13*time.Second-1, false, 0)
		at(13*time.Second, true, 1)
		at(28*time.Second-1, true, 1)
		at(28*time.Second, false, 1)
		at(50*time.Second, false, 1)
		started(&reg, "1h")
		at(60*time.Second-1, false, 1)
		at(60*time.Second, true, 2)
		at(2*time.Hour, false, 2)
		if s := stat(t, &reg, "o"); s.Delivered != 3 || s.Pending != 0 {
			t.Errorf("at the end: %+v", s)
		}
	})
}

// TestReturnAtTheDeadlineIsLate has a hook return without an error at the very moment its time is up.
func TestReturnAtTheDeadlineIsLate(t *testing.T) {
	t.Parallel()
	for range 20 { // the watchdog and the hook wake in any order
		synctest.Test(t, func(t *testing.T) {
			var reg hooks.Registry
			register(t, &reg, slow("o", 10*time.Second, false), hooks.Options{})
			started(&reg, "r")
			if err := reg.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := stat(t, &reg, "o")
			if s.Failed != 1 || s.Delivered != 0 || s.Stalled || s.LastError != "hook timed out" {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// slowHandler is a log that takes its time.
type slowHandler struct{ slog.Handler }

func (slowHandler) Handle(context.Context, slog.Record) error {
	time.Sleep(time.Minute)
	return nil
}

func TestSlowLogDoesNotCountAgainstTheNextCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		reg.SetLogger(slog.New(slowHandler{slog.NewTextHandler(io.Discard, nil)}))
		var calls int
		register(t, &reg, hooks.Observe("o", func(ctx context.Context, _ *hooks.Context) error {
			if calls++; calls == 1 {
				return errors.New("no")
			}
			return ctx.Err()
		}, hooks.EventRequestStarted), hooks.Options{})
		started(&reg, "r")
		started(&reg, "r")
		if err := reg.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := stat(t, &reg, "o"); s.Failed != 1 || s.Delivered != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}
