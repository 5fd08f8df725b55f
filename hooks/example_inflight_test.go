package hooks_test

import (
	"context"
	"fmt"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// A gauge of requests under way: each one started is completed or has failed, exactly once.
func ExampleObserve_inFlight() {
	var reg hooks.Registry
	running := 0 // only the hook writes it, and it is called with one event at a time
	gauge := hooks.Observe("gauge", func(_ context.Context, hc *hooks.Context) error {
		switch p := hc.Payload.(type) {
		case *hooks.RequestStarted:
			running++
			fmt.Println(p.CallerID, "begins, running:", running)
		case *hooks.RequestCompleted, *hooks.RequestFailed:
			running--
			fmt.Println("running:", running)
		}
		return nil
	}, hooks.EventRequestStarted, hooks.EventRequestCompleted, hooks.EventRequestFailed)
	if _, err := reg.Register(gauge, hooks.Options{Plugin: "gauge"}); err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range []hooks.Payload{
		&hooks.RequestStarted{Request: hooks.Request{CallerID: "ci"}},
		&hooks.RequestStarted{Request: hooks.Request{CallerID: "laptop"}},
		&hooks.RequestCompleted{}, &hooks.RequestFailed{ClientGone: true},
	} {
		reg.Emit(hooks.Context{Payload: p})
	}
	_ = reg.Close(context.Background())
	// Output:
	// ci begins, running: 1
	// laptop begins, running: 2
	// running: 1
	// running: 0
}
