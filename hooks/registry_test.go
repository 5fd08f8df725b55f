package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

func nothing(context.Context, *hooks.Context) error { return nil }

// oddHook is a Hook whose description misbehaves.
type oddHook struct {
	name   func() string
	events []hooks.Event
}

func (h *oddHook) Name() string                                 { return h.name() }
func (h *oddHook) Events() []hooks.Event                        { return h.events }
func (h *oddHook) Handle(context.Context, *hooks.Context) error { return nil }

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	ok := hooks.Observe("taken", nothing, hooks.EventCustom)
	tests := []struct {
		name string
		hook hooks.Hook
		want error
	}{
		{"nil", nil, hooks.ErrInvalid},
		{"nil pointer", (*oddHook)(nil), hooks.ErrInvalid},
		{"nil function of Observe", hooks.Observe("x", nil, hooks.EventCustom), hooks.ErrInvalid},
		{"nil function of On", hooks.On[*hooks.Custom]("x", nil), hooks.ErrInvalid},
		{"nil function of Mutate", hooks.Mutate("x", nil), hooks.ErrInvalid},
		{"no name", hooks.Observe("", nothing, hooks.EventCustom), hooks.ErrInvalid},
		{"no event", hooks.Observe("x", nothing), hooks.ErrInvalid},
		{"unknown event", hooks.Observe("x", nothing, "request.begun"), hooks.ErrInvalid},
		{"On of any payload", hooks.On("x",
			func(context.Context, *hooks.Context, hooks.Payload) error { return nil }), hooks.ErrInvalid},
		{"panics when asked", &oddHook{name: func() string { panic(canary) }}, hooks.ErrInvalid},
		{
			"same name", hooks.Mutate("taken", func(context.Context, *hooks.PreparedRequest) error { return nil }),
			hooks.ErrDuplicate,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg hooks.Registry
			register(t, &reg, ok, hooks.Options{Plugin: "p"})
			unregister, err := reg.Register(tt.hook, hooks.Options{Plugin: "p"})
			if !errors.Is(err, tt.want) || unregister != nil {
				t.Errorf("Register = %v, want %v", err, tt.want)
			}
			if n := len(reg.Stats()); n != 1 {
				t.Errorf("%d hooks registered, want 1", n)
			}
		})
	}
}

func TestRegisterOrdersByPriorityThenArrival(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	for _, h := range []struct {
		name     string
		priority int
	}{
		{"c", 0}, {"e", hooks.PriorityLast}, {"d", hooks.DefaultPriority}, {"b", 100}, {"a", hooks.PriorityFirst},
	} {
		register(t, &reg, hooks.Observe(h.name, nothing, hooks.EventCustom, hooks.EventCustom),
			hooks.Options{Plugin: "p", Priority: h.priority})
	}
	register(t, &reg, hooks.Observe("a", nothing, hooks.EventCustom), hooks.Options{Plugin: "q"})
	var got []string
	for _, s := range reg.Stats() {
		got = append(got, s.Plugin+"/"+s.Name)
		if len(s.Events) != 1 {
			t.Errorf("%s: events %v, want each once", s.Name, s.Events)
		}
	}
	if diff := cmp.Diff([]string{"p/a", "p/b", "p/c", "p/d", "q/a", "p/e"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestRegisterKeepsTheOrderOfManyEquals(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	var want, got []string
	for i := range 40 {
		want = append(want, fmt.Sprint(i))
		register(t, &reg, hooks.Observe(fmt.Sprint(i), nothing, hooks.EventCustom), hooks.Options{})
	}
	for _, s := range reg.Stats() {
		got = append(got, s.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestUnregister(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		var seen int
		h := hooks.Observe("o", func(context.Context, *hooks.Context) error {
			seen++
			return nil
		}, hooks.EventRequestStarted)
		if reg.Enabled(hooks.EventRequestStarted) {
			t.Error("Enabled before anyone registered")
		}
		unregister := register(t, &reg, h, hooks.Options{})
		if !reg.Enabled(hooks.EventRequestStarted) || reg.Enabled(hooks.EventRequestFailed) || reg.Mutators() {
			t.Error("Enabled does not say what the hook wants")
		}
		started(&reg, "r")
		synctest.Wait()
		unregister()
		unregister()
		started(&reg, "r")
		synctest.Wait()
		if seen != 1 || reg.Enabled(hooks.EventRequestStarted) || len(reg.Stats()) != 0 {
			t.Errorf("seen %d events, want 1; still there: %v", seen, reg.Stats())
		}
		register(t, &reg, h, hooks.Options{})
		unregister() // of the first registration
		started(&reg, "r")
		synctest.Wait()
		if seen != 2 {
			t.Errorf("seen %d events after registering again, want 2", seen)
		}
	})
}

// TestRegistryConcurrently has everything happen at once, for the race detector; observers register, emit and
// ask from inside as well.
func TestRegistryConcurrently(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	register(t, &reg, hooks.Observe("inside", func(_ context.Context, hc *hooks.Context) error {
		reg.Emit(hooks.Context{Payload: &hooks.Custom{Name: hc.RequestID}})
		unregister, err := reg.Register(hooks.Observe("nested", nothing, hooks.EventCustom), hooks.Options{})
		if err == nil {
			unregister()
		}
		return nil
	}, hooks.EventRequestStarted), hooks.Options{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := string(rune('a' + i))
			for range 100 {
				unregister := register(t, &reg, hooks.Mutate(name, setModel(name)), hooks.Options{})
				started(&reg, "r")
				if err := reg.Prepare(t.Context(), hooks.NewPreparedRequest([]byte("{}"))); err != nil {
					t.Error(err)
				}
				reg.Stats()
				reg.Mutators()
				unregister()
			}
		})
	}
	wg.Wait()
	if err := reg.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if reg.Mutators() {
		t.Error("a mutator is left")
	}
}

func setModel(name string) func(context.Context, *hooks.PreparedRequest) error {
	return func(_ context.Context, r *hooks.PreparedRequest) error {
		r.Model = name
		return nil
	}
}
