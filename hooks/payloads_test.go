package hooks_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

func TestEveryEventHasAPayload(t *testing.T) {
	t.Parallel()
	var got []hooks.Event
	for _, p := range samples() {
		got = append(got, p.Event())
	}
	if diff := cmp.Diff(hooks.Events(), got); diff != "" {
		t.Errorf("events of the payloads (-Events() +payloads):\n%s", diff)
	}
}

func TestEventsIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	hooks.Events()[0] = "spoiled"
	if got := hooks.Events()[0]; got != hooks.EventAppStartup {
		t.Errorf("Events()[0] = %q after a caller wrote to an earlier result", got)
	}
}

// TestObserverGetsItsOwnPayload changes all there is to change in what one observer was given, and looks at
// what the other one and the sender have.
func TestObserverGetsItsOwnPayload(t *testing.T) {
	t.Parallel()
	for _, sent := range samples() {
		t.Run(string(sent.Event()), func(t *testing.T) {
			t.Parallel()
			want := fmt.Sprintf("%#v", deref(sent))
			synctest.Test(t, func(t *testing.T) {
				var reg hooks.Registry
				var got string
				ready := make(chan struct{})
				register(t, &reg, hooks.Observe("vandal", func(_ context.Context, hc *hooks.Context) error {
					defer close(ready)
					spoil(hc.Payload)
					hc.Event, hc.RequestID = "spoiled", "spoiled"
					return nil
				}, sent.Event()), hooks.Options{Priority: 1})
				register(t, &reg, hooks.Observe("reader", func(_ context.Context, hc *hooks.Context) error {
					<-ready
					got = fmt.Sprintf("%#v", deref(hc.Payload))
					if hc.Event != sent.Event() || hc.RequestID != "r1" || hc.Time.IsZero() {
						t.Errorf("context = %+v", hc)
					}
					return nil
				}, sent.Event()), hooks.Options{})
				reg.Emit(hooks.Context{RequestID: "r1", Payload: sent})
				synctest.Wait()
				if got != want {
					t.Errorf("second observer saw\n%s\nwant\n%s", got, want)
				}
				if after := fmt.Sprintf("%#v", deref(sent)); after != want {
					t.Errorf("sender's payload became\n%s\nwas\n%s", after, want)
				}
			})
		})
	}
}

func TestEmitWithoutAPayload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		var seen int
		register(t, &reg, hooks.On("typed",
			func(_ context.Context, _ *hooks.Context, p *hooks.HTTPRequest) error {
				t.Errorf("On was given %v", p)
				return nil
			}), hooks.Options{})
		register(t, &reg, hooks.Observe("any", func(_ context.Context, hc *hooks.Context) error {
			seen++
			if hc.Payload != nil {
				t.Errorf("Payload = %#v, want nil", hc.Payload)
			}
			return nil
		}, hooks.EventHTTPRequest), hooks.Options{})
		reg.Emit(hooks.Context{})
		reg.Emit(hooks.Context{Event: hooks.EventHTTPRequest})
		reg.Emit(hooks.Context{Payload: (*hooks.HTTPRequest)(nil)})
		synctest.Wait()
		if s := stat(t, &reg, "typed"); seen != 2 || s.Failed != 0 {
			t.Errorf("seen %d events, want 2; On failed %d times", seen, s.Failed)
		}
	})
}

// TestReadOnlyObserversShare holds that those who only read have one payload together, the sender's own if it gives that
// away, and that nobody else can change it.
func TestReadOnlyObserversShare(t *testing.T) {
	t.Parallel()
	for _, owned := range []bool{false, true} {
		for _, sent := range samples() {
			t.Run(fmt.Sprintf("%s/owned=%t", sent.Event(), owned), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testReadOnly(t, sent, owned) })
			})
		}
	}
}

func testReadOnly(t *testing.T, sent hooks.Payload, owned bool) {
	t.Helper()
	want := fmt.Sprintf("%#v", deref(sent))
	var reg hooks.Registry
	var shared []hooks.Payload
	for i := range 5 {
		register(t, &reg, hooks.Observe(fmt.Sprint(i), func(_ context.Context, hc *hooks.Context) error {
			if i%2 == 0 {
				shared = append(shared, hc.Payload)
				return nil
			}
			spoil(hc.Payload)
			return nil
		}, sent.Event()), hooks.Options{ReadOnly: i%2 == 0, Priority: 5 - i})
	}
	emit := reg.Emit
	if owned {
		emit = reg.EmitOwned
	}
	emit(hooks.Context{Payload: sent})
	synctest.Wait()
	if len(shared) != 3 || shared[0] != shared[1] || shared[0] != shared[2] || (shared[0] == sent) != owned {
		t.Fatalf("payloads %p, sent %p; want one for three", shared, sent)
	}
	if got := fmt.Sprintf("%#v", deref(shared[0])); got != want {
		t.Errorf("those who read saw\n%s\nwant\n%s", got, want)
	}
}
