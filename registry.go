package ccproxy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Registry holds the factories from which an application builds proxies. The zero value is ready; its methods
// may be called concurrently.
type Registry struct {
	mu        sync.RWMutex
	factories map[string]Factory
}

// Register adds factories. A name that is taken is [ErrDuplicate], a manifest that breaks its own rules
// [ErrInvalidManifest]; on an error none of the factories is added.
func (r *Registry) Register(factories ...Factory) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	added := make(map[string]Factory, len(factories))
	for _, f := range factories {
		name, err := checkFactory(f)
		if err != nil {
			return err
		}
		if r.factories[name] != nil || added[name] != nil {
			return &PluginError{Plugin: name, Op: "register", Err: ErrDuplicate}
		}
		added[name] = f
	}
	if r.factories == nil {
		r.factories = added
		return nil
	}
	maps.Copy(r.factories, added)
	return nil
}

// Replace puts an application's own factory in the place of a registered one of the same name, or adds it.
func (r *Registry) Replace(f Factory) error {
	name, err := checkFactory(f)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.factories == nil {
		r.factories = make(map[string]Factory)
	}
	r.factories[name] = f
	return nil
}

// Manifests returns the manifests of all factories, by name.
func (r *Registry) Manifests() []Manifest {
	var ms []Manifest
	for _, f := range r.sorted() {
		ms = append(ms, f.Manifest().clone())
	}
	return ms
}

func (r *Registry) sorted() []Factory {
	r.mu.RLock()
	defer r.mu.RUnlock()
	fs := make([]Factory, 0, len(r.factories))
	for _, name := range slices.Sorted(maps.Keys(r.factories)) {
		fs = append(fs, r.factories[name])
	}
	return fs
}

func checkFactory(f Factory) (string, error) {
	if f == nil {
		return "", &PluginError{Op: "register", Err: fmt.Errorf("nil factory: %w", ErrInvalidManifest)}
	}
	m := f.Manifest()
	if err := m.check(); err != nil {
		return m.Name, &PluginError{Plugin: m.Name, Op: "register", Err: err}
	}
	return m.Name, nil
}

const (
	pluginName   = `^[a-z][a-z0-9_]*$`
	providerName = `^[a-z][a-z0-9_-]*(/[a-z][a-z0-9_-]*)*$`
	routePrefix  = `^(/[A-Za-z0-9_-][A-Za-z0-9._~-]*)+$`
	routePattern = `^((/[A-Za-z0-9_.~-]+|/\{[a-z][a-z0-9_]*\})*|/)$`
)

// matches compiles on each call: manifests are checked a few times in the life of a process.
func matches(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrInvalidManifest)...)
}

// check tells whether the manifest keeps the rules of its fields.
func (m Manifest) check() error {
	switch {
	case !matches(pluginName, m.Name):
		return invalid("name %q must match %s", m.Name, pluginName)
	case m.Kind > KindAuth:
		return invalid("unknown kind %d", m.Kind)
	case m.Kind != KindProvider && len(m.Providers) > 0:
		return invalid("a plugin of kind %s has providers", m.Kind)
	case m.Kind == KindProvider && len(m.Providers) == 0 && m.Configure == nil:
		return invalid("a plugin of kind %s has no providers", m.Kind)
	case m.Kind == KindAuth && len(m.OAuthProviders) == 0 && m.Configure == nil:
		return invalid("a plugin of kind %s has no OAuth providers", m.Kind)
	case slices.Contains(m.Dependencies, m.Name):
		return invalid("depends on itself")
	}
	for _, check := range []func() error{m.checkProviders, m.checkRoutes, m.checkTasks, m.checkNew} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (m Manifest) checkProviders() error {
	for i := range m.Providers {
		p := m.Providers[i]
		if name := p.name(m.Name); !matches(providerName, name) {
			return invalid("provider name %q must match %s", name, providerName)
		}
		if len(p.Formats) == 0 {
			return invalid("provider %s has no formats", p.name(m.Name))
		}
	}
	for _, a := range m.FormatAdapters {
		if a.From == "" || a.To == "" || a.From == a.To {
			return invalid("format adapter %q must have two different formats", a.Pair())
		}
	}
	return nil
}

func (s ProviderSpec) name(plugin string) string {
	if s.Name == "" {
		return plugin
	}
	return s.Name
}

func (m Manifest) checkRoutes() error {
	for _, r := range m.Routes {
		if !matches(routePrefix, r.Prefix) {
			return invalid("route prefix %q must be a plain path such as /my-plugin", r.Prefix)
		}
		if len(r.Endpoints) == 0 {
			return invalid("route %s has no endpoints", r.Prefix)
		}
		seen := make(map[string]bool)
		for _, e := range r.Endpoints {
			if !matches(routePattern, e.Pattern) {
				return invalid("route %s: pattern %q must be plain segments or {name}", r.Prefix, e.Pattern)
			}
			id := e.method() + " " + e.Pattern
			if seen[id] {
				return invalid("route %s: endpoint %s is there twice", r.Prefix, id)
			}
			seen[id] = true
		}
	}
	return nil
}

func (e Endpoint) method() string {
	if e.Method == "" {
		return "GET"
	}
	return strings.ToUpper(e.Method)
}

func (m Manifest) checkTasks() error {
	seen := make(map[string]bool)
	for _, t := range m.Tasks {
		if t.Name == "" || seen[t.Name] {
			return invalid("task name %q is empty or there twice", t.Name)
		}
		seen[t.Name] = true
		if t.Interval < minTaskInterval {
			return invalid("task %s: interval %v is less than %v", t.Name, t.Interval, minTaskInterval)
		}
	}
	return nil
}

// checkNew finds specs that could not make anything.
func (m Manifest) checkNew() error {
	missing := ""
	note := func(absent bool, what, name string) {
		if absent && missing == "" {
			missing = what + " " + name
		}
	}
	for _, s := range m.Providers {
		note(s.New == nil, "provider", s.name(m.Name))
	}
	for _, s := range m.OAuthProviders {
		note(s.New == nil, "OAuth provider", s.Name)
	}
	for _, s := range m.Hooks {
		note(s.New == nil, "hook of", m.Name)
	}
	for _, s := range m.Middleware {
		note(s.New == nil, "middleware", s.Name)
	}
	for _, s := range m.Routes {
		note(s.New == nil, "route", s.Prefix)
	}
	for _, s := range m.Tasks {
		note(s.New == nil, "task", s.Name)
	}
	for _, s := range m.FormatAdapters {
		note(s.New == nil, "format adapter", s.Pair().String())
	}
	for _, s := range m.AuthCommands {
		note(s.New == nil, "auth command", s.Name)
	}
	for _, s := range m.Commands {
		note(s.New == nil, "command", s.Name)
	}
	if missing != "" {
		return invalid("%s has no New", missing)
	}
	return nil
}
