package providertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// Ledger is a hook that keeps account of requests and streams, each of which must begin once and end once, in order.
// The zero value is ready; it is safe for concurrent use. It grows with the number of requests.
type Ledger struct {
	mu       sync.Mutex
	requests map[string][]hooks.Event
	ends     []hooks.Payload
}

var _ hooks.Hook = (*Ledger)(nil)

// Name implements [hooks.Hook].
func (*Ledger) Name() string { return "ledger" }

// Events implements [hooks.Hook].
func (*Ledger) Events() []hooks.Event {
	return []hooks.Event{
		hooks.EventRequestStarted, hooks.EventRequestCompleted, hooks.EventRequestFailed,
		hooks.EventProviderStreamStart, hooks.EventProviderStreamChunk, hooks.EventProviderStreamEnd,
	}
}

// Handle implements [hooks.Hook].
func (l *Ledger) Handle(_ context.Context, hc *hooks.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests == nil {
		l.requests = make(map[string][]hooks.Event)
	}
	l.requests[hc.RequestID] = append(l.requests[hc.RequestID], hc.Event)
	if hc.Event == hooks.EventRequestCompleted || hc.Event == hooks.EventRequestFailed {
		l.ends = append(l.ends, hc.Payload)
	}
	return nil
}

// Ends returns the payloads of request.completed and request.failed, in the order in which they came.
func (l *Ledger) Ends() []hooks.Payload {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ends)
}

// ErrLedger is what [Ledger.Check] reports.
var ErrLedger = errors.New("events do not balance")

// Check tells which requests have not begun and ended exactly once, or whose streams have not. Ask once the hooks have
// been told everything: after the proxy's Shutdown, or after [testing/synctest.Wait].
func (l *Ledger) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(l.requests)) {
		if !balanced(l.requests[id]) {
			errs = append(errs, fmt.Errorf("request %s: %w: %v", id, ErrLedger, l.requests[id]))
		}
	}
	return errors.Join(errs...)
}

// balanced tells whether a request is: started, streams one after the other with chunks inside, one end.
func balanced(events []hooks.Event) bool {
	if len(events) < 2 || events[0] != hooks.EventRequestStarted {
		return false
	}
	last := events[len(events)-1]
	if last != hooks.EventRequestCompleted && last != hooks.EventRequestFailed {
		return false
	}
	streaming := false
	for _, e := range events[1 : len(events)-1] {
		switch e {
		case hooks.EventProviderStreamStart:
			if streaming {
				return false
			}
			streaming = true
		case hooks.EventProviderStreamEnd, hooks.EventProviderStreamChunk:
			if !streaming {
				return false
			}
			streaming = e == hooks.EventProviderStreamChunk
		default:
			return false
		}
	}
	return !streaming
}
