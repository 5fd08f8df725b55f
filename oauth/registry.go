package oauth

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Registry finds providers by name. The zero value is ready, and all methods are safe for concurrent use.
type Registry struct {
	mu     sync.RWMutex
	byName map[string]*registered
}

type registered struct{ provider Provider }

// Register adds a provider under the name in its Info; unregister takes it out again and may be called more
// than once. A name that is taken gives an error wrapping [ErrDuplicate], a nil provider or an empty name
// one wrapping [ErrInvalid].
func (r *Registry) Register(p Provider) (unregister func(), err error) {
	if p == nil {
		return nil, fmt.Errorf("%w: provider is nil", ErrInvalid)
	}
	name := p.Info().Name
	if name == "" {
		return nil, fmt.Errorf("%w: provider %T has no name", ErrInvalid, p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.byName[name]; taken {
		return nil, fmt.Errorf("%w: %q", ErrDuplicate, name)
	}
	if r.byName == nil {
		r.byName = make(map[string]*registered)
	}
	entry := &registered{provider: p}
	r.byName[name] = entry
	return func() { r.remove(name, entry) }, nil
}

// Lookup gives the provider of that name.
func (r *Registry) Lookup(name string) (Provider, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	entry, ok := r.byName[name]
	if !ok {
		return nil, false
	}
	return entry.provider, true
}

// Infos describes all providers, sorted by name.
func (r *Registry) Infos() []Info {
	// Info is a provider's own code: it is called without the lock.
	providers := r.providers()
	infos := make([]Info, len(providers))
	for i, p := range providers {
		infos[i] = p.Info()
	}
	slices.SortFunc(infos, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	return infos
}

// Len gives the number of providers.
func (r *Registry) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.byName)
}

func (r *Registry) providers() []Provider {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Provider, 0, len(r.byName))
	for _, entry := range r.byName {
		all = append(all, entry.provider)
	}
	return all
}

// remove leaves a provider alone that took the name after entry had been removed.
func (r *Registry) remove(name string, entry *registered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName[name] == entry {
		delete(r.byName, name)
	}
}
