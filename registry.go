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
	mu      sync.RWMutex
	entries map[string]registration
}

// registration is a factory with its manifest as it was when it was registered and checked: a factory that
// answers differently later on changes nothing.
type registration struct {
	factory  Factory
	manifest Manifest
}

// Register adds factories. A name that is taken is [ErrDuplicate], a manifest that breaks its own rules
// [ErrInvalidManifest]; on an error none of the factories is added.
func (r *Registry) Register(factories ...Factory) error {
	added := make(map[string]registration, len(factories))
	for _, f := range factories {
		reg, err := checkFactory(f)
		if err != nil {
			return err
		}
		name := reg.manifest.Name
		if _, taken := added[name]; taken {
			return &PluginError{Plugin: name, Op: "register", Err: ErrDuplicate}
		}
		added[name] = reg
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(added)) {
		if _, taken := r.entries[name]; taken {
			return &PluginError{Plugin: name, Op: "register", Err: ErrDuplicate}
		}
	}
	if r.entries == nil {
		r.entries = make(map[string]registration)
	}
	maps.Copy(r.entries, added)
	return nil
}

// Replace puts an application's own factory in the place of a registered one of the same name, or adds it.
func (r *Registry) Replace(f Factory) error {
	reg, err := checkFactory(f)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries == nil {
		r.entries = make(map[string]registration)
	}
	r.entries[reg.manifest.Name] = reg
	return nil
}

// Manifests returns the manifests of all factories, by name.
func (r *Registry) Manifests() []Manifest {
	var ms []Manifest
	for _, reg := range r.sorted() {
		ms = append(ms, reg.manifest.clone())
	}
	return ms
}

func (r *Registry) sorted() []registration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]registration, 0, len(r.entries))
	for _, name := range slices.Sorted(maps.Keys(r.entries)) {
		all = append(all, r.entries[name])
	}
	return all
}

// checkFactory asks a factory for its manifest, which is a plugin's code and may panic, and checks it.
func checkFactory(f Factory) (registration, error) {
	if f == nil {
		return registration{}, &PluginError{Op: "register", Err: invalid("nil factory")}
	}
	var m Manifest
	err := guardCall(func() error {
		m = f.Manifest().clone()
		return nil
	})
	if err != nil {
		err = fmt.Errorf("%w: Manifest: %w", ErrInvalidManifest, err)
	} else {
		err = m.check()
	}
	if err != nil {
		return registration{}, &PluginError{Plugin: m.Name, Op: "register", Err: err}
	}
	return registration{factory: f, manifest: m}, nil
}

const (
	pluginName   = `^[a-z][a-z0-9_]*$`
	providerName = `^[a-z][a-z0-9_-]*(/[a-z][a-z0-9_-]*)*$`
	routePrefix  = `^(/[A-Za-z0-9_-][A-Za-z0-9._~-]*)+$`
	routePattern = `^((/[A-Za-z0-9_.~-]+|/\{[a-z][a-z0-9_]*\})*|/)$`
	httpMethod   = `^[A-Z]+$`
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
	checks := []func() error{m.checkNames, m.checkProviders, m.checkFormats, m.checkRoutes, m.checkTasks, m.checkNew}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkNames finds names that are empty, or there twice where one thing would hide the other.
func (m Manifest) checkNames() error {
	lists := []struct {
		what  string
		names []string
	}{
		{"dependency", m.Dependencies},
		{"service in Provides", m.Provides},
		{"service in Requires", m.Requires},
		{"service in OptionalRequires", m.OptionalRequires},
		{"OAuth provider", namesOf(m.OAuthProviders, func(s OAuthProviderSpec) string { return s.Name })},
		{"auth command", namesOf(m.AuthCommands, func(s AuthCommandSpec) string { return s.Name })},
		{"command", namesOf(m.Commands, func(s CommandSpec) string { return s.Name })},
	}
	for _, list := range lists {
		seen := make(map[string]bool)
		for _, name := range list.names {
			if name == "" || seen[name] {
				return invalid("%s %q is empty or there twice", list.what, name)
			}
			seen[name] = true
		}
	}
	return nil
}

func namesOf[S any](specs []S, name func(S) string) []string {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = name(s)
	}
	return names
}

func (m Manifest) checkProviders() error {
	seen := make(map[string]bool)
	for i := range m.Providers {
		p := m.Providers[i]
		name := p.name(m.Name)
		if !matches(providerName, name) {
			return invalid("provider name %q must match %s", name, providerName)
		}
		if seen[name] {
			return invalid("provider %s is there twice", name)
		}
		seen[name] = true
		if len(p.Formats) == 0 || slices.Contains(p.Formats, "") {
			return invalid("provider %s has no formats, or an empty one", name)
		}
	}
	return nil
}

func (m Manifest) checkFormats() error {
	for _, pair := range m.RequiresFormatAdapters {
		if pair.From == "" || pair.To == "" || pair.From == pair.To {
			return invalid("required format adapter %q must have two different formats", pair)
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
	prefixes := make(map[string]bool)
	for _, r := range m.Routes {
		if !matches(routePrefix, r.Prefix) {
			return invalid("route prefix %q must be a plain path such as /my-plugin", r.Prefix)
		}
		if prefixes[r.Prefix] {
			return invalid("route %s is there twice", r.Prefix)
		}
		prefixes[r.Prefix] = true
		if len(r.Endpoints) == 0 {
			return invalid("route %s has no endpoints", r.Prefix)
		}
		if r.Auth > AuthPublic {
			return invalid("route %s: unknown authorization policy %d", r.Prefix, r.Auth)
		}
		seen := make(map[string]bool)
		for _, e := range r.Endpoints {
			if err := e.check(); err != nil {
				return fmt.Errorf("route %s: %w", r.Prefix, err)
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

func (e Endpoint) check() error {
	switch {
	case !matches(routePattern, e.Pattern):
		return invalid("pattern %q must be plain segments or {name}", e.Pattern)
	case !matches(httpMethod, e.method()):
		return invalid("method %q is none of HTTP", e.Method)
	case e.Auth > AuthPublic:
		return invalid("unknown authorization policy %d", e.Auth)
	}
	seen := make(map[string]bool)
	for segment := range strings.SplitSeq(e.Pattern, "/") {
		if strings.HasPrefix(segment, "{") && seen[segment] {
			return invalid("pattern %q has %s twice", e.Pattern, segment)
		}
		seen[segment] = true
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
		if t.Jitter > 1 || t.Timeout < 0 {
			return invalid("task %s: jitter %v is above 1 or timeout %v negative", t.Name, t.Jitter, t.Timeout)
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
