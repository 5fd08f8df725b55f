package hooks_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// TestManyThatBlock holds that hooks that block, however many, keep the others waiting for a millisecond, once.
func TestManyThatBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		release, seen := make(chan struct{}), make([]time.Duration, 0, 8)
		var began time.Time
		for i := range 5 {
			register(t, &reg, hooks.Observe(fmt.Sprintf("stuck %d", i), func(context.Context, *hooks.Context) error {
				<-release
				return nil
			}, hooks.EventRequestStarted), hooks.Options{})
		}
		register(t, &reg, hooks.Observe("last", func(context.Context, *hooks.Context) error {
			seen = append(seen, time.Since(began))
			return nil
		}, hooks.EventRequestStarted), hooks.Options{})
		for range 3 {
			began = time.Now()
			started(&reg, "r")
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if len(seen) != 3 || seen[0] > time.Millisecond || seen[1] != 0 || seen[2] != 0 {
			t.Errorf("the last hook was told after %v, want 1ms at most and at once from then on", seen)
		}
		close(release)
		if err := reg.Close(t.Context()); err != nil {
			t.Error(err)
		}
		for i := range 5 {
			if s := stat(t, &reg, fmt.Sprintf("stuck %d", i)); s.Delivered != 3 {
				t.Errorf("stuck %d: %+v", i, s)
			}
		}
	})
}

// TestManyThatAreSlow holds that hooks which together take longer than one goroutine has time for run beside each other.
func TestManyThatAreSlow(t *testing.T) {
	t.Parallel()
	const n, events = 8, 50
	for _, each := range []time.Duration{100 * time.Microsecond, 400 * time.Microsecond, 600 * time.Microsecond, 3 * time.Millisecond} {
		t.Run(each.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var reg hooks.Registry
				for i := range n {
					register(t, &reg, slow(fmt.Sprint(i), each, true), hooks.Options{})
				}
				began := time.Now()
				for range events {
					started(&reg, "r")
				}
				if err := reg.Flush(t.Context()); err != nil {
					t.Error(err)
				}
				// One after the other they would take n times as long as each alone. It takes some milliseconds to notice.
				if took := time.Since(began); took > events*each+n*time.Millisecond {
					t.Errorf("all was handled after %v, each hook alone takes %v", took, events*each)
				}
				for i := range n {
					if s := stat(t, &reg, fmt.Sprint(i)); s.Delivered != events {
						t.Errorf("%d: %+v", i, s)
					}
				}
			})
		})
	}
}

// TestCloseLeavesNoTimer holds that nothing of a registry is to happen after it has been closed.
func TestCloseLeavesNoTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		for i := range 3 {
			register(t, &reg, hooks.Observe(fmt.Sprint(i), nothing, hooks.EventRequestStarted), hooks.Options{})
		}
		started(&reg, "r")
		if err := reg.Close(t.Context()); err != nil {
			t.Error(err)
		}
		for i := range 3 {
			if s := stat(t, &reg, fmt.Sprint(i)); s.Delivered != 1 {
				t.Errorf("%d: %+v", i, s)
			}
		}
	})
}
