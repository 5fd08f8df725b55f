package hooks

import "context"

// Hook is an observer: it is told what happened, off the path of the request.
//
// Events reach one hook one at a time, in the order they were emitted; different hooks run at the same time.
// Name and Events are called once, when the hook is registered.
type Hook interface {
	// Name tells the hooks of one plugin apart.
	Name() string
	// Events lists what the hook wants to be told.
	Events() []Event
	// Handle is called once for each event. ctx ends with the hook's timeout (its cause is ErrHookTimeout then),
	// when the registry closes and when Handle returns; it has nothing to do with the request. An error is
	// counted and logged, nothing else comes of it. hc is the hook's own and may be kept.
	Handle(ctx context.Context, hc *Context) error
}

// Mutator is an optional upgrade of a [Hook]: it may change a request just before it is sent upstream.
//
// Unlike an observer a mutator is waited for. It works on a copy, which is adopted only if Prepare returns
// nil within the hook's timeout. An error of [Refuse] ends the request; what another error does, [Options] say.
// Prepare must be safe for concurrent use.
type Mutator interface {
	Prepare(ctx context.Context, req *PreparedRequest) error
}

// On returns a hook that is told of one event, the one whose payload fn takes.
func On[P Payload](name string, fn func(context.Context, *Context, P) error) Hook {
	var events []Event
	var p P
	if any(p) != nil { // P is a payload's pointer type, not the interface
		events = []Event{p.Event()}
	}
	if fn == nil {
		return Observe(name, nil, events...)
	}
	return Observe(name, func(ctx context.Context, hc *Context) error {
		payload, ok := hc.Payload.(P)
		if !ok { // the event was emitted without its payload: nothing to tell
			return nil
		}
		return fn(ctx, hc, payload)
	}, events...)
}

// Observe returns a hook that is told of the events.
func Observe(name string, fn func(context.Context, *Context) error, events ...Event) Hook {
	return &observerFunc{name: name, events: events, fn: fn}
}

// Mutate returns a hook that observes nothing and changes requests.
func Mutate(name string, fn func(context.Context, *PreparedRequest) error) Hook {
	return &mutatorFunc{name: name, fn: fn}
}

// observerFunc is a function as a Hook. A nil fn is refused on registration.
type observerFunc struct {
	name   string
	events []Event
	fn     func(context.Context, *Context) error
}

func (f *observerFunc) Name() string                                  { return f.name }
func (f *observerFunc) Events() []Event                               { return f.events }
func (f *observerFunc) Handle(ctx context.Context, hc *Context) error { return f.fn(ctx, hc) }
func (f *observerFunc) empty() bool                                   { return f.fn == nil }

// mutatorFunc is a function as a Hook that is a Mutator. A nil fn is refused on registration.
type mutatorFunc struct {
	name string
	fn   func(context.Context, *PreparedRequest) error
}

func (f *mutatorFunc) Name() string                                            { return f.name }
func (f *mutatorFunc) Events() []Event                                         { return nil }
func (f *mutatorFunc) Handle(context.Context, *Context) error                  { return nil }
func (f *mutatorFunc) Prepare(ctx context.Context, req *PreparedRequest) error { return f.fn(ctx, req) }

func (f *mutatorFunc) empty() bool { return f.fn == nil }

var _ Mutator = (*mutatorFunc)(nil)
