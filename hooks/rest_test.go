package hooks

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestClosedObserverHasNoTimer looks for the timer that would keep a closed registry in memory for as long as
// a call may take.
func TestClosedObserverHasNoTimer(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]time.Duration{"at rest": 0, "at work": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var reg Registry
				_, err := reg.Register(Observe("o", func(context.Context, *Context) error {
					time.Sleep(work)
					return nil
				}, EventCustom), Options{Timeout: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				o := reg.entries[0].observer
				reg.Emit(Context{Event: EventCustom})
				synctest.Wait()
				if !watched(o) {
					t.Error("nobody watches the call")
				}
				if err := reg.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if watched(o) {
					t.Error("the timer runs on")
				}
			})
		})
	}
}

func watched(o *observer) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.watchdog != nil
}
