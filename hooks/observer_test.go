package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/hooks"
)

func TestObserverKeepsOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		var got, want []string
		register(t, &reg, hooks.Observe("o", func(_ context.Context, hc *hooks.Context) error {
			got = append(got, hc.RequestID)
			if len(got)%7 == 0 {
				runtime.Goexit() // another worker must go on where this one stopped
			}
			return nil
		}, hooks.EventRequestStarted, hooks.EventProviderStreamChunk), hooks.Options{})
		for i := range 300 {
			id := fmt.Sprint(i)
			want = append(want, id)
			if i%2 == 0 {
				started(&reg, id)
				continue
			}
			reg.Emit(hooks.Context{RequestID: id, Payload: &hooks.ProviderStreamChunk{}})
		}
		synctest.Wait()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// TestObserverThatBlocks holds up one observer for good and looks at everything around it.
func TestObserverThatBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		release := make(chan struct{})
		var cause error
		var others int
		register(t, &reg, hooks.Observe("stuck", func(ctx context.Context, _ *hooks.Context) error {
			<-release
			cause = context.Cause(ctx)
			return nil
		}, hooks.Events()...), hooks.Options{Queue: 4})
		register(t, &reg, hooks.Observe("other", func(context.Context, *hooks.Context) error {
			others++
			return nil
		}, hooks.Events()...), hooks.Options{})

		began := time.Now()
		started(&reg, "r")
		synctest.Wait()
		if time.Since(began) != 0 {
			t.Errorf("emitting took %v", time.Since(began))
		}
		time.Sleep(time.Millisecond) // as long as the other may be kept waiting, once
		synctest.Wait()
		for range 9 {
			started(&reg, "r")
			synctest.Wait()
		}
		if time.Since(began) != time.Millisecond || others != 10 {
			t.Errorf("emitting took %v, the other observer saw %d of 10", time.Since(began), others)
		}
		if s := stat(t, &reg, "stuck"); s.Stalled || s.Pending != 5 || s.Dropped != 5 {
			t.Errorf("before the timeout: %+v", s)
		}
		time.Sleep(10*time.Second - time.Millisecond - 1)
		synctest.Wait()
		if s := stat(t, &reg, "stuck"); s.Stalled {
			t.Error("stalled before its timeout")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		s := stat(t, &reg, "stuck")
		if !s.Stalled || s.Failed != 1 || s.Pending != 4 || s.LastError != "hook timed out" {
			t.Errorf("past the timeout: %+v", s)
		}
		close(release)
		synctest.Wait()
		if !errors.Is(cause, hooks.ErrHookTimeout) && cause != nil { // the last call has a fresh context
			t.Errorf("cause = %v", cause)
		}
		if s = stat(t, &reg, "stuck"); s.Stalled || s.Failed != 1 || s.Delivered != 4 || s.Pending != 0 {
			t.Errorf("after its return: %+v", s)
		}
	})
}

func TestObserverContextEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		began := time.Now()
		var ended time.Duration
		register(t, &reg, hooks.Observe("o", func(ctx context.Context, _ *hooks.Context) error {
			<-ctx.Done()
			ended = time.Since(began)
			return context.Cause(ctx)
		}, hooks.EventRequestStarted), hooks.Options{Timeout: 3 * time.Second})
		started(&reg, "r")
		if err := reg.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := stat(t, &reg, "o")
		if ended != 3*time.Second || s.Failed != 1 || s.Stalled || s.LastError != "hook timed out" {
			t.Errorf("ended after %v, %+v", ended, s)
		}
	})
}

// TestObserverFuse follows a hook through blown, half-open and closed.
func TestObserverFuse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		var calls int
		var emitting sync.Mutex
		fails := true
		register(t, &reg, hooks.Observe("o", func(context.Context, *hooks.Context) error {
			emitting.Lock() // what is emitted at once is all there before the first call returns
			defer emitting.Unlock()
			calls++
			if fails {
				return errors.New("no")
			}
			return nil
		}, hooks.EventRequestStarted), hooks.Options{})
		emit := func(n int) {
			emitting.Lock()
			for range n {
				started(&reg, "r")
			}
			emitting.Unlock()
			synctest.Wait()
		}
		check := func(when string, wantCalls int, fused bool, dropped int64) {
			t.Helper()
			s := stat(t, &reg, "o")
			if calls != wantCalls || s.Fused != fused || s.Dropped != dropped {
				t.Errorf("%s: %d calls, fused %v, dropped %d; want %d, %v, %d",
					when, calls, s.Fused, s.Dropped, wantCalls, fused, dropped)
			}
		}

		emit(4)
		fails = false
		emit(1)
		fails = true
		emit(4)
		check("never five in a row", 9, false, 0)
		emit(3)
		check("blown, what was queued is dropped", 10, true, 2)
		time.Sleep(time.Minute - 1)
		emit(1)
		check("within the minute", 10, true, 3)
		time.Sleep(time.Nanosecond)
		emit(3)
		check("the trial fails", 11, true, 5)
		time.Sleep(time.Minute)
		fails = false
		emit(3)
		check("the trial succeeds", 12, false, 7)
		emit(3)
		check("well again", 15, false, 7)
	})
}

func TestIdleRegistryHasNoGoroutine(t *testing.T) { //nolint:paralleltest // looks at all goroutines
	var reg hooks.Registry
	before := goleak.IgnoreCurrent()
	for i := range 50 {
		register(t, &reg, hooks.Observe(fmt.Sprint(i),
			func(context.Context, *hooks.Context) error { return nil }, hooks.EventRequestStarted), hooks.Options{})
	}
	started(&reg, "r")
	if err := reg.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A worker that has been dismissed still has to end, for which a machine with much to do may take long.
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if err = goleak.Find(before); err == nil {
			return
		}
	}
	t.Error(err)
}

func TestFlushEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		register(t, &reg, hooks.Observe("o", func(ctx context.Context, _ *hooks.Context) error {
			<-ctx.Done()
			return nil
		}, hooks.EventRequestStarted), hooks.Options{})
		if err := reg.Flush(t.Context()); err != nil {
			t.Errorf("Flush of an idle registry: %v", err)
		}
		started(&reg, "r")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := reg.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush = %v, want the context's error", err)
		}
		if err := reg.Flush(t.Context()); err != nil || stat(t, &reg, "o").Pending != 0 {
			t.Errorf("second Flush = %v, %+v", err, stat(t, &reg, "o"))
		}
	})
}
