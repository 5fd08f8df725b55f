package hooks_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// behaviour is a way to be a bad guest, and the fate of 20 events sent a second apart to a hook that is one.
type behaviour struct {
	act               func(v *villain, ctx context.Context, hc *hooks.Context) error
	delivered, failed int64
	fused             bool
}

// villain keeps what a hook was given.
type villain struct {
	reg      *hooks.Registry
	mu       sync.Mutex
	contexts []context.Context
	retained []*hooks.Context
}

func (v *villain) retain(ctx context.Context, hc *hooks.Context) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.contexts = append(v.contexts, ctx)
	v.retained = append(v.retained, hc)
}

func behaviours() map[string]behaviour {
	return map[string]behaviour{
		"panic": {func(*villain, context.Context, *hooks.Context) error { panic(canary) }, 0, 5, true},
		"panic(nil)": {func(*villain, context.Context, *hooks.Context) error {
			panic(nil) //nolint:govet // on purpose
		}, 0, 5, true},
		"error": {func(*villain, context.Context, *hooks.Context) error { return errors.New("no") }, 0, 5, true},
		"exit": {func(*villain, context.Context, *hooks.Context) error {
			runtime.Goexit()
			return nil
		}, 0, 5, true},
		"panic on the way out of an exit": {func(*villain, context.Context, *hooks.Context) error {
			defer panic(canary)
			runtime.Goexit()
			return nil
		}, 0, 5, true},
		"block": {func(*villain, context.Context, *hooks.Context) error {
			time.Sleep(10 * time.Second)
			return nil
		}, 19, 0, false},
		"block for longer than it may": {func(*villain, context.Context, *hooks.Context) error {
			time.Sleep(15 * time.Second)
			return nil
		}, 0, 5, true},
		"mutate": {func(_ *villain, _ context.Context, hc *hooks.Context) error {
			spoil(hc.Payload)
			*hc = hooks.Context{}
			return nil
		}, 20, 0, false},
		"retain": {func(v *villain, ctx context.Context, hc *hooks.Context) error {
			v.retain(ctx, hc)
			return nil
		}, 20, 0, false},
		"retain and mutate later": {func(v *villain, ctx context.Context, hc *hooks.Context) error {
			v.retain(ctx, hc)
			go func() {
				<-ctx.Done()
				spoil(hc.Payload)
			}()
			return nil
		}, 20, 0, false},
		"emit from inside": {func(v *villain, _ context.Context, hc *hooks.Context) error {
			if hc.Plugin != "villain" {
				hc.Plugin = "villain"
				v.reg.Emit(*hc)
			}
			v.reg.Stats()
			return nil
		}, 40, 0, false},
	}
}

// TestHostileObservers runs every bad behaviour on every event beside a well-behaved observer, and checks
// that the emitter never waits, the neighbour misses nothing, and every event of the villain is accounted
// for.
func TestHostileObservers(t *testing.T) {
	t.Parallel()
	const events = 20
	for name, b := range behaviours() {
		for _, payload := range samples() {
			t.Run(name+"/"+string(payload.Event()), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var reg hooks.Registry
					v := &villain{reg: &reg}
					event := payload.Event()
					register(t, &reg, hooks.Observe("villain", func(ctx context.Context, hc *hooks.Context) error {
						return b.act(v, ctx, hc)
					}, event), hooks.Options{Priority: 1, Timeout: 12 * time.Second})
					var seen int
					register(t, &reg, hooks.Observe("neighbour", func(_ context.Context, hc *hooks.Context) error {
						if hc.Plugin != "villain" {
							seen++
						}
						return nil
					}, event), hooks.Options{})

					for range events {
						began := time.Now()
						reg.Emit(hooks.Context{Payload: payload})
						synctest.Wait()
						if d := time.Since(began); d != 0 {
							t.Errorf("emitting took %v", d)
						}
						time.Sleep(time.Second)
					}
					if seen != events {
						t.Errorf("the neighbour saw %d events of %d", seen, events)
					}
					checkVillain(t, &reg, b)
				})
			})
		}
	}
}

func checkVillain(t *testing.T, reg *hooks.Registry, b behaviour) {
	t.Helper()
	time.Sleep(170 * time.Second) // ten seconds for each event but the first few, no new trial
	synctest.Wait()
	s := stat(t, reg, "villain")
	got := behaviour{delivered: s.Delivered, failed: s.Failed, fused: s.Fused}
	total := s.Delivered + s.Failed + s.Dropped + int64(s.Pending)
	b.act = nil
	if diff := cmp.Diff(b, got, cmp.AllowUnexported(behaviour{})); diff != "" || total != max(20, b.delivered) {
		t.Errorf("stats %+v add up to %d; (-want +got):\n%s", s, total, diff)
	}
	if err := reg.Close(t.Context()); err != nil {
		t.Errorf("Close = %v", err)
	}
}
