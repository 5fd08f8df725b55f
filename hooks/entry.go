package hooks

import (
	"fmt"
	"reflect"
	"slices"
)

// description is what a hook says of itself.
type description struct {
	name   string
	events []Event
}

// describe asks a hook, once, who it is and checks the answer. A panic of the hook's is an ErrInvalid.
func describe(h Hook) (d description, err error) {
	d.name = "?"
	if isNil(h) {
		return d, fmt.Errorf("%w: nil", ErrInvalid)
	}
	if f, ok := h.(interface{ empty() bool }); ok && f.empty() {
		return d, fmt.Errorf("%w: nil function", ErrInvalid)
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: panic (%T)", ErrInvalid, v)
		}
	}()
	name := h.Name()
	if name == "" {
		return d, fmt.Errorf("%w: no name", ErrInvalid)
	}
	d.name = name
	for _, e := range h.Events() {
		if !e.known() {
			return d, fmt.Errorf("%w: unknown event %q", ErrInvalid, e)
		}
		if !slices.Contains(d.events, e) {
			d.events = append(d.events, e)
		}
	}
	if _, ok := h.(Mutator); !ok && len(d.events) == 0 {
		return d, fmt.Errorf("%w: no event, and no mutator", ErrInvalid)
	}
	return d, nil
}

// isNil sees through an interface that holds a nil pointer, a common slip of constructors.
func isNil(h Hook) bool {
	v := reflect.ValueOf(h)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// idle returns a channel for each part that is at work.
func (e *entry) idle() (busy []<-chan struct{}) {
	if e.observer != nil {
		if c := e.observer.idle(); c != nil {
			busy = append(busy, c)
		}
	}
	if e.mutator != nil {
		if c := e.mutator.idle(); c != nil {
			busy = append(busy, c)
		}
	}
	return busy
}

func (e *entry) busy() bool {
	return e.observer != nil && e.observer.busy() || e.mutator != nil && e.mutator.busy()
}

// retire ends the entry's part in what is to come.
func (e *entry) retire() {
	if e.observer != nil {
		e.observer.close()
		e.observer.discard()
	}
	if e.mutator != nil {
		e.mutator.retire()
	}
}

func (e *entry) close() {
	if e.observer != nil {
		e.observer.close()
	}
	if e.mutator != nil {
		e.mutator.close()
	}
}

// discard gives up what is queued and returns how much that was.
func (e *entry) discard() int64 {
	if e.observer == nil {
		return 0
	}
	return e.observer.discard()
}

func (e *entry) stats() Stats {
	s := Stats{
		Plugin: e.plugin, Name: e.name, Events: slices.Clone(e.events), Priority: e.priority,
		Mutator: e.mutator != nil,
	}
	if e.observer != nil {
		e.observer.addTo(&s)
	}
	if e.mutator != nil {
		e.mutator.addTo(&s)
	}
	return s
}
