package hooks

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Places in the order of mutators. Lower runs first; equal priorities run in the order of registration.
const (
	PriorityFirst       = 1
	PriorityValidation  = 100
	PriorityEnrichment  = 300
	DefaultPriority     = 500 // of Options that name none
	PriorityObservation = 700 // sees what the ones before have made of the request
	PriorityLast        = 1000
)

// Options say how a hook is run.
type Options struct {
	Plugin   string        // the plugin the hook belongs to, empty for the application's own
	Priority int           // zero: DefaultPriority
	Timeout  time.Duration // of one call; zero: 10 s for observers, 2 s for mutators
	Queue    int           // events that may wait for an observer; zero: 1024
	// FailClosed refuses the request when the mutator cannot be run to a good end. Otherwise the request
	// goes on as if the mutator did not exist.
	FailClosed bool
	// ReadOnly promises that the hook writes into nothing that it is given, neither in its call nor later: not into
	// payloads, and not into the map that is a PreparedRequest's Header. All such observers of an event are given one
	// copy of the payload together, all such mutators of a request one copy of its header, which they may keep. A
	// mutator may change all else of the request nevertheless, and set Header to another map.
	ReadOnly bool
}

// Registry holds hooks, delivers events to observers and has mutators prepare requests. The zero value is
// ready; all methods are safe for concurrent use. A registry in use must not be copied.
type Registry struct {
	table  atomic.Pointer[table]
	logger atomic.Pointer[slog.Logger]
	scans  scans

	couriers couriers

	mu       sync.Mutex
	entries  []*entry // by priority, then in the order of registration
	leaving  []*entry // unregistered but, when last looked at, still running
	closed   bool
	lifetime context.Context //nolint:containedctx // that of the hooks' calls, made on first use
	end      context.CancelFunc
}

// table is what the hot path reads. It is replaced, never changed.
type table struct {
	observers map[Event][]*observer
	mutators  []*mutator
}

// identity is what the parts of a registered hook have in common.
type identity struct {
	plugin   string
	name     string
	lifetime context.Context //nolint:containedctx // the registry's, for the calls of the hook
	log      func(level slog.Level, msg string, attrs ...slog.Attr)
}

// entry is a registered hook: an observer, a mutator or both.
type entry struct {
	*identity
	events   []Event
	priority int
	observer *observer // nil if the hook has no events
	mutator  *mutator  // nil if the hook is none
}

// SetLogger sets where failures of hooks are written. If nil, which is the default, they are only counted.
func (r *Registry) SetLogger(l *slog.Logger) { r.logger.Store(l) }

// Register adds a hook. The function it returns takes the hook out again and waits for nothing: what is
// queued is dropped, a call under way runs on.
//
// The error wraps ErrInvalid if there is nothing to call or an event is unknown, ErrDuplicate if the plugin
// has a hook of that name, ErrClosed after Close.
func (r *Registry) Register(h Hook, o Options) (unregister func(), err error) {
	d, err := describe(h)
	if err != nil {
		return nil, fmt.Errorf("hooks: register: %s: %w", hookID(o.Plugin, d.name), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fmt.Errorf("hooks: register: %s: %w", hookID(o.Plugin, d.name), ErrClosed)
	}
	if slices.ContainsFunc(r.entries, func(e *entry) bool { return e.plugin == o.Plugin && e.name == d.name }) {
		return nil, fmt.Errorf("hooks: register: %s: %w", hookID(o.Plugin, d.name), ErrDuplicate)
	}
	r.begin()
	e := r.newEntry(h, d, o)
	r.entries = append(r.entries, e)
	slices.SortStableFunc(r.entries, func(a, b *entry) int { return cmp.Compare(a.priority, b.priority) })
	r.publish()
	return func() { r.unregister(e) }, nil
}

func (r *Registry) newEntry(h Hook, d description, o Options) *entry {
	id := &identity{plugin: o.Plugin, name: d.name, lifetime: r.lifetime, log: r.log}
	e := &entry{identity: id, events: d.events, priority: cmp.Or(o.Priority, DefaultPriority)}
	if len(d.events) > 0 {
		e.observer = &observer{
			identity: id, hook: h, timeout: orDefault(o.Timeout, observerTimeout), readOnly: o.ReadOnly,
			couriers: &r.couriers,
		}
		e.observer.queue.limit = orDefault(o.Queue, defaultQueue)
	}
	if m, ok := h.(Mutator); ok {
		e.mutator = &mutator{
			identity: id, hook: m, timeout: orDefault(o.Timeout, mutatorTimeout), failClosed: o.FailClosed,
			readOnly: o.ReadOnly,
		}
	}
	return e
}

func (r *Registry) unregister(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.entries, e)
	if i < 0 {
		return
	}
	r.entries = slices.Delete(r.entries, i, i+1)
	r.publish()
	e.retire()
	r.leaving = slices.DeleteFunc(append(r.leaving, e), func(e *entry) bool { return !e.busy() })
}

// publish makes the current entries the ones the hot path sees. The caller holds the mutex.
func (r *Registry) publish() {
	t := &table{observers: map[Event][]*observer{}}
	for _, e := range r.entries {
		if e.mutator != nil {
			t.mutators = append(t.mutators, e.mutator)
		}
		if e.observer == nil || r.closed {
			continue
		}
		for _, ev := range e.events {
			t.observers[ev] = append(t.observers[ev], e.observer)
		}
	}
	r.table.Store(t)
}

// begin makes the context of the hooks' calls. The caller holds the mutex.
func (r *Registry) begin() {
	if r.lifetime == nil {
		r.lifetime, r.end = context.WithCancel(context.Background())
	}
}

// Enabled reports whether anyone observes the event. It is cheap: callers ask it before they build a payload.
func (r *Registry) Enabled(e Event) bool {
	t := r.table.Load()
	return t != nil && len(t.observers[e]) > 0
}

// Emit tells the observers of an event. It fills in Event from the payload and Time from the clock if they
// are zero, gives each observer a copy, and never waits for one. The payload may be reused once Emit has
// returned.
func (r *Registry) Emit(hc Context) { r.emit(hc, nil) }

// EmitOwned is [Registry.Emit] for a payload that nobody else has: the caller touches neither it nor what it refers to
// from here on. Those that only read get the payload itself, which saves the copy. See [Options.ReadOnly].
func (r *Registry) EmitOwned(hc Context) { r.emit(hc, hc.Payload) }

func (r *Registry) emit(hc Context, shared Payload) {
	t := r.table.Load()
	if t == nil {
		return
	}
	if hc.Event == "" && hc.Payload != nil {
		hc.Event = hc.Payload.Event()
	}
	observers := t.observers[hc.Event]
	if len(observers) == 0 {
		return
	}
	if hc.Time.IsZero() {
		hc.Time = time.Now()
	}
	n := news{hc: hc, weight: weightOf(hc.Payload), shared: shared}
	for _, o := range observers {
		o.offer(&n)
	}
}

// Mutators reports whether there is any mutator.
func (r *Registry) Mutators() bool {
	t := r.table.Load()
	return t != nil && len(t.mutators) > 0
}

// Prepare has every mutator look at the request, in order; each sees what the ones before have made of it.
//
// A mutator works on a copy, which replaces the request only if it returned nil in time. One that fails, is
// fused or has too many abandoned calls is passed over, or, if registered with FailClosed, ends Prepare
// with a *MutatorError. If ctx ends, so does the wait, with ctx's error.
func (r *Registry) Prepare(ctx context.Context, req *PreparedRequest) error {
	t := r.table.Load()
	if t == nil || len(t.mutators) == 0 {
		return nil
	}
	if err := req.settle(); err != nil {
		return err
	}
	defer r.scans.reclaim(req)
	for rest := t.mutators; len(rest) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		turn := &round{ctx: ctx, mutators: rest, scans: &r.scans, done: make(chan struct{}), req: req}
		n, err := turn.prepare()
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// Stats returns the state of every registered hook, by priority, then in the order of registration.
func (r *Registry) Stats() []Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Stats, len(r.entries))
	for i, e := range r.entries {
		list[i] = e.stats()
	}
	return list
}

// log writes a line if there is a logger. It is never called with a mutex held.
func (r *Registry) log(level slog.Level, msg string, attrs ...slog.Attr) {
	if l := r.logger.Load(); l != nil {
		l.LogAttrs(context.Background(), level, "hooks: "+msg, attrs...) //nolint:sloglint // msg is a constant
	}
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
