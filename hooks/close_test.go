package hooks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// slow returns an observer of request.started that takes d, or less if it heeds its context.
func slow(name string, d time.Duration, heeds bool) hooks.Hook {
	return hooks.Observe(name, func(ctx context.Context, _ *hooks.Context) error {
		if !heeds {
			time.Sleep(d)
			return nil
		}
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, hooks.EventRequestStarted)
}

func TestCloseDeliversWhatIsQueued(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		register(t, &reg, slow("o", time.Millisecond, true), hooks.Options{})
		for range 500 {
			started(&reg, "r")
		}
		if err := reg.Close(t.Context()); err != nil {
			t.Errorf("Close = %v", err)
		}
		if s := stat(t, &reg, "o"); s.Delivered != 500 {
			t.Errorf("stats %+v", s)
		}
		started(&reg, "late")
		synctest.Wait()
		if s := stat(t, &reg, "o"); s.Delivered != 500 || reg.Enabled(hooks.EventRequestStarted) {
			t.Errorf("after Close an event was taken: %+v", s)
		}
		if _, err := reg.Register(slow("x", 0, true), hooks.Options{}); !errors.Is(err, hooks.ErrClosed) {
			t.Errorf("Register = %v, want ErrClosed", err)
		}
		if err := reg.Close(t.Context()); err != nil {
			t.Errorf("second Close = %v", err)
		}
	})
}

func TestCloseCountsWhatIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		log, text := newLog()
		reg.SetLogger(log)
		register(t, &reg, slow("heeds", 3*time.Second, true), hooks.Options{Plugin: "p"})
		register(t, &reg, slow("ignores", time.Hour, false), hooks.Options{Plugin: "p"})
		unregister := register(t, &reg, slow("gone", time.Hour, false), hooks.Options{Plugin: "q"})
		for range 10 {
			started(&reg, "r")
		}
		time.Sleep(10 * time.Millisecond) // each of them keeps a goroutine
		unregister()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		err := reg.Close(ctx)
		e, ok := errors.AsType[*hooks.CloseError](err)
		if !ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Close = %v, want a CloseError", err)
		}
		// One event is with each hook and one was handled within the five seconds.
		if diff := cmp.Diff([]string{"p/ignores", "q/gone"}, e.Running); diff != "" || e.Lost != 8+9 {
			t.Errorf("lost %d, want 17; running (-want +got):\n%s", e.Lost, diff)
		}
		want := "hooks: close: 17 events lost, still running: p/ignores, q/gone: context deadline exceeded"
		if err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		if d := time.Since(began); d > 6*time.Second {
			t.Errorf("Close took %v", d)
		}
		text.mustContain(t, "events lost at close", "lost=8", "lost=9", "ignores the end of its context")
		if s := stat(t, &reg, "heeds"); s.Delivered+s.Dropped+s.Failed != 10 || s.Pending != 0 {
			t.Errorf("stats do not add up: %+v", s)
		}
		time.Sleep(2 * time.Hour)
		if err := reg.Close(t.Context()); err != nil {
			t.Errorf("Close once they have returned = %v", err)
		}
	})
}

func TestCloseOfAnUnusedRegistry(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	if err := reg.Close(t.Context()); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func TestPrepareAfterClose(t *testing.T) {
	t.Parallel()
	for name, failClosed := range map[string]bool{"open": false, "closed": true} {
		t.Run("fail "+name, func(t *testing.T) {
			t.Parallel()
			var reg hooks.Registry
			register(t, &reg, hooks.Mutate("m", appendTo("x")), hooks.Options{FailClosed: failClosed})
			if err := reg.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := newRequest()
			err := reg.Prepare(t.Context(), r)
			if errors.Is(err, hooks.ErrClosed) != failClosed || r.Model != "m" {
				t.Errorf("Prepare = %v, Model %q", err, r.Model)
			}
		})
	}
}

// TestCloseEndsMutators closes the registry below a request that waits for a mutator.
func TestCloseEndsMutators(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		register(t, &reg, hooks.Mutate("m", func(ctx context.Context, _ *hooks.PreparedRequest) error {
			<-ctx.Done()
			return ctx.Err()
		}), hooks.Options{Timeout: time.Hour})
		result := make(chan error, 1)
		go func() { result <- reg.Prepare(t.Context(), newRequest()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := reg.Close(ctx); err != nil {
			t.Errorf("Close = %v", err)
		}
		if err := <-result; err != nil {
			t.Errorf("Prepare = %v, want the mutator passed over", err)
		}
	})
}
