package hooks_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// A timeline of a provider's calls: one hook gets their events in the order in which they happen.
func ExampleObserve_provider() {
	var reg hooks.Registry
	timeline := hooks.Observe("timeline", func(_ context.Context, hc *hooks.Context) error {
		switch p := hc.Payload.(type) {
		case *hooks.ProviderRequestPrepared:
			fmt.Println(hc.RequestID, "attempt", p.Attempt, "asks for", p.Model)
		case *hooks.ProviderError:
			fmt.Println(hc.RequestID, "attempt", p.Attempt, "failed:", p.Err, "next:", p.Failover)
		case *hooks.ProviderResponseReceived:
			fmt.Println(hc.RequestID, "attempt", p.Attempt, "answered", p.Status, "after", p.Latency)
		case *hooks.ProviderStreamChunk:
			fmt.Println(hc.RequestID, "event", p.Number, p.EventType)
		}
		return nil
	}, hooks.EventProviderRequestPrepared, hooks.EventProviderError, hooks.EventProviderResponseReceived,
		hooks.EventProviderStreamChunk)
	if _, err := reg.Register(timeline, hooks.Options{Plugin: "timeline"}); err != nil {
		fmt.Println(err)
		return
	}

	for _, p := range []hooks.Payload{ // the proxy emits these
		&hooks.ProviderRequestPrepared{Attempt: 1, Model: "large"},
		&hooks.ProviderError{Attempt: 1, Err: "overloaded", Failover: "other/large"},
		&hooks.ProviderRequestPrepared{Attempt: 2, Model: "large"},
		&hooks.ProviderResponseReceived{Attempt: 2, Status: 200, Latency: 80 * time.Millisecond},
		&hooks.ProviderStreamChunk{Number: 1, EventType: "message_start"},
	} {
		reg.Emit(hooks.Context{RequestID: "r1", Payload: p})
	}
	_ = reg.Close(context.Background())
	// Output:
	// r1 attempt 1 asks for large
	// r1 attempt 1 failed: overloaded next: other/large
	// r1 attempt 2 asks for large
	// r1 attempt 2 answered 200 after 80ms
	// r1 event 1 message_start
}
