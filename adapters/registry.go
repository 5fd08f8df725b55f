package adapters

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
)

// DefaultPriority is the priority of a [Registration] that names none.
const DefaultPriority = 100

// Registration offers an adapter for a pair.
type Registration struct {
	Pair    FormatPair
	Adapter FormatAdapter
	// Priority decides between several adapters of one pair: the lower wins. 0 means [DefaultPriority].
	Priority int
	// Plugin is the owner; empty for an adapter that comes with the core.
	Plugin string
	// Description is for people who list adapters.
	Description string
}

// Registry keeps the adapters of every pair. Several may be registered for one pair: the lowest Priority is
// in charge, then a plugin's before the core's, then the plugin name that sorts first, then the earliest.
// The zero value is ready, and all methods are safe for concurrent use.
type Registry struct {
	mu     sync.RWMutex
	byPair map[FormatPair][]*Registration // the adapter in charge first
	codecs []Codec                        // in the order of their registration; replaced, never changed
	logger *slog.Logger
}

// SetLogger sets where the outcome of competing registrations is logged. If nil, nothing is.
func (r *Registry) SetLogger(logger *slog.Logger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logger = logger
}

// Register adds an adapter; unregister takes it out again and puts the next best in charge, and may be
// called more than once. A second adapter for a pair is no error. A registration without adapter or formats,
// or with equal formats, gives an error wrapping [ErrInvalid].
func (r *Registry) Register(reg Registration) (unregister func(), err error) {
	switch {
	case reg.Adapter == nil:
		return nil, fmt.Errorf("%w: %v has no adapter", ErrInvalid, reg.Pair)
	case reg.Pair.From == "" || reg.Pair.To == "":
		return nil, fmt.Errorf("%w: %v lacks a format", ErrInvalid, reg.Pair)
	case reg.Pair.From == reg.Pair.To:
		return nil, fmt.Errorf("%w: %v converts nothing", ErrInvalid, reg.Pair)
	}
	reg.Priority = cmp.Or(reg.Priority, DefaultPriority)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byPair == nil {
		r.byPair = make(map[FormatPair][]*Registration)
	}
	added := &reg
	list := append(slices.Clip(r.byPair[reg.Pair]), added)
	slices.SortStableFunc(list, precedence)
	r.byPair[reg.Pair] = list
	r.logConflict(added, list)
	return func() { r.remove(added) }, nil
}

// Lookup gives the adapter in charge of the pair, or a [*PairError].
func (r *Registry) Lookup(pair FormatPair) (FormatAdapter, error) {
	r.mu.RLock()
	list := r.byPair[pair]
	r.mu.RUnlock()
	if len(list) == 0 {
		return nil, &PairError{Pair: pair, Available: r.Pairs()}
	}
	return list[0].Adapter, nil
}

// Has reports whether someone converts the pair.
func (r *Registry) Has(pair FormatPair) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.byPair[pair]) > 0
}

// Owner gives the plugin whose adapter is in charge of the pair: empty if that is the core's or if nobody
// converts the pair.
func (r *Registry) Owner(pair FormatPair) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if list := r.byPair[pair]; len(list) > 0 {
		return list[0].Plugin
	}
	return ""
}

// Pairs gives the pairs that someone converts, sorted.
func (r *Registry) Pairs() []FormatPair {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.SortedFunc(maps.Keys(r.byPair), comparePairs)
}

// Registrations gives everything registered, sorted by pair; of each pair the one in charge comes first.
func (r *Registry) Registrations() []Registration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []Registration
	for _, pair := range slices.SortedFunc(maps.Keys(r.byPair), comparePairs) {
		for _, reg := range r.byPair[pair] {
			all = append(all, *reg)
		}
	}
	return all
}

// Missing gives those of the required pairs that nobody converts, in their order.
func (r *Registry) Missing(required []FormatPair) []FormatPair {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var missing []FormatPair
	for _, pair := range required {
		if len(r.byPair[pair]) == 0 {
			missing = append(missing, pair)
		}
	}
	return missing
}

func (r *Registry) remove(reg *Registration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// A copy: a Lookup may hold the old list.
	list := slices.DeleteFunc(slices.Clone(r.byPair[reg.Pair]), func(other *Registration) bool {
		return other == reg
	})
	if len(list) == 0 {
		delete(r.byPair, reg.Pair)
		return
	}
	r.byPair[reg.Pair] = list
}

// logConflict names the adapter in charge and the one set aside by the registration just made.
func (r *Registry) logConflict(added *Registration, list []*Registration) {
	if r.logger == nil || len(list) < 2 {
		return
	}
	winner, loser := list[0], added
	if winner == added {
		loser = list[1]
	}
	r.logger.Info("several format adapters for one pair",
		"pair", added.Pair.String(),
		"used", ownerName(winner), "used_priority", winner.Priority,
		"set_aside", ownerName(loser), "set_aside_priority", loser.Priority)
}

func ownerName(reg *Registration) string { return cmp.Or(reg.Plugin, "core") }

// precedence orders the registrations of one pair, the one in charge first.
func precedence(a, b *Registration) int {
	if c := cmp.Compare(a.Priority, b.Priority); c != 0 {
		return c
	}
	if aCore, bCore := a.Plugin == "", b.Plugin == ""; aCore != bCore {
		if aCore {
			return 1
		}
		return -1
	}
	return cmp.Compare(a.Plugin, b.Plugin)
}
