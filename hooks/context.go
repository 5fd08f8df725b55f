package hooks

import "time"

// Context is one event as an observer gets it. Each observer has a copy of its own, payload included:
// whatever it does to it reaches neither the request nor another observer. Only those that promise to change
// nothing ([Options.ReadOnly]) share a payload.
type Context struct {
	Event     Event
	Time      time.Time
	RequestID string // empty outside a request
	// Exchange numbers the request within its proxy, since clients may choose one RequestID twice. It is zero outside a
	// request, and in events that no proxy emits.
	Exchange uint64
	Provider string // the provider concerned, if any
	Plugin   string // the plugin concerned, if any
	Payload  Payload
}
