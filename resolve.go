package ccproxy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

// Resolution says which plugins of a registry run with given settings, and in what order they start.
type Resolution struct {
	// Order holds the names of the plugins that run, each after what it depends on, otherwise by name.
	Order []string
	// Skipped holds the others with the reason, by name.
	Skipped []Skipped
	// Services maps each required or optional service to the plugin that provides it.
	Services map[string]string
}

// Skipped is a plugin that does not run. Reason wraps [ErrDisabled], [ErrMissingDependency] or [ErrCycle].
type Skipped struct {
	Plugin string
	Reason error
}

// ResolveDependencies tells what [Registry.Build] would run with the settings. Wrong settings are an error that
// joins all that is wrong.
func (r *Registry) ResolveDependencies(s Settings) (Resolution, error) {
	p, err := r.plan(s, options{})
	return p.resolution, err
}

// planned is a plugin that is switched on, with its configured manifest.
type planned struct {
	name     string
	factory  Factory
	manifest Manifest
	config   any
}

type plan struct {
	plugins    map[string]*planned // those that run
	manifests  []Manifest          // of all registered plugins, by name; configured where switched on
	resolution Resolution
}

// plan configures what is switched on and resolves the rest.
func (r *Registry) plan(s Settings, o options) (*plan, error) {
	p := &plan{plugins: make(map[string]*planned)}
	checker := newConfigChecker()
	var errs []error
	var names []string
	for _, reg := range r.sorted() {
		pl := &planned{name: reg.manifest.Name, factory: reg.factory, manifest: reg.manifest.clone()}
		names = append(names, pl.name)
		reason, err := s.disabled(pl.manifest)
		if err == nil && reason == nil {
			reason, err = pl.tryConfigure(checker, s, o)
		}
		switch {
		case err != nil:
			errs = append(errs, err)
		case reason != nil:
			p.skip(pl.name, reason)
		default:
			p.plugins[pl.name] = pl
		}
		p.manifests = append(p.manifests, pl.manifest)
	}
	errs = append(errs, s.unknownPlugins(names)...)
	errs = append(errs, o.unknownPlugins(names)...)
	if err := errors.Join(errs...); err != nil {
		return p, err
	}
	p.resolve()
	err := p.checkRoutes()
	return p, err
}

func (p *plan) skip(name string, reason error) {
	delete(p.plugins, name)
	p.resolution.Skipped = append(p.resolution.Skipped, Skipped{Plugin: name, Reason: reason})
}

// disabled returns why the settings keep a plugin off: the allow list first, then the deny list.
func (s Settings) disabled(m Manifest) (reason, err error) {
	on, said, err := s.enabledKey(m.Name)
	allowed := slices.Contains(s.EnabledPlugins, m.Name)
	switch {
	case err != nil:
		return nil, err
	case s.DisablePlugins:
		return fmt.Errorf("%w via plugin system disabled", ErrDisabled), nil
	case s.EnabledPlugins != nil && !allowed:
		return fmt.Errorf("%w via not allow-listed", ErrDisabled), nil
	case said && !on, slices.Contains(s.DisabledPlugins, m.Name):
		return fmt.Errorf("%w via config", ErrDisabled), nil
	case m.DefaultOff && !allowed && !said:
		return fmt.Errorf("%w by default", ErrDisabled), nil
	}
	return nil, nil
}

func (s Settings) enabledKey(plugin string) (on, said bool, err error) {
	v, said := s.Plugins[plugin][enabledKey]
	if !said {
		return false, false, nil
	}
	on, ok := v.(bool)
	if !ok {
		return false, true, fmt.Errorf("plugins.%s.enabled: is of type %T, must be true or false: %w",
			plugin, v, ErrConfig)
	}
	return on, true, nil
}

func (s Settings) unknownPlugins(known []string) []error {
	var errs []error
	check := func(where, name string) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("%s: no plugin %q is registered%s: %w",
				where, name, nearest.Hint(name, known), ErrConfig))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Plugins)) {
		check("plugins."+name, name)
	}
	for _, name := range s.EnabledPlugins {
		check("enabled_plugins", name)
	}
	for _, name := range s.DisabledPlugins {
		check("disabled_plugins", name)
	}
	return errs
}

// tryConfigure configures the plugin; the reason is why it does not want to run.
func (pl *planned) tryConfigure(c configChecker, s Settings, o options) (reason, err error) {
	err = guardCall(func() error { return pl.configure(c, s, o) })
	switch {
	case errors.Is(err, ErrSkip):
		return err, nil
	case err != nil:
		return nil, &PluginError{Plugin: pl.name, Op: "configure", Err: err}
	}
	return nil, nil
}

func (pl *planned) configure(c configChecker, s Settings, o options) error {
	cfg, err := c.load(pl.name, pl.manifest.Config, o.pluginConfig(pl.name), s.Plugins[pl.name])
	if err != nil {
		return err
	}
	pl.config = cfg
	if pl.manifest.Configure == nil {
		return nil
	}
	before := pl.manifest
	m := pl.manifest.clone()
	if err := m.Configure(cfg, &m); err != nil {
		return fmt.Errorf("plugins.%s: %w", pl.name, err)
	}
	if m.Name != before.Name || m.Kind != before.Kind || !slices.Equal(m.Dependencies, before.Dependencies) ||
		!slices.Equal(m.Provides, before.Provides) || !slices.Equal(m.Requires, before.Requires) ||
		!slices.Equal(m.OptionalRequires, before.OptionalRequires) {
		return invalid("Configure changed the plugin's name, kind or dependencies")
	}
	m.Configure = nil
	if err := m.check(); err != nil {
		return err
	}
	pl.manifest = m
	return nil
}

// resolve prunes what cannot run and orders the rest.
func (p *plan) resolve() {
	for {
		p.prune()
		order, cycle := p.order()
		if len(cycle) == 0 {
			p.resolution.Order = order
			break
		}
		reasons := make(map[string]error, len(cycle))
		for _, name := range cycle {
			reasons[name] = fmt.Errorf("%w: %s", ErrCycle, strings.Join(p.circle(name), ", "))
		}
		for _, name := range cycle {
			p.skip(name, reasons[name])
		}
	}
	slices.SortFunc(p.resolution.Skipped, func(a, b Skipped) int { return strings.Compare(a.Plugin, b.Plugin) })
	p.resolution.Services = make(map[string]string)
	for _, pl := range p.plugins {
		for _, svc := range append(cloneSlice(pl.manifest.Requires), pl.manifest.OptionalRequires...) {
			if owner := p.provider(svc, ""); owner != "" {
				p.resolution.Services[svc] = owner
			}
		}
	}
}

// prune drops plugins that lack something until nothing changes.
func (p *plan) prune() {
	for changed := true; changed; {
		changed = false
		pairs := p.pairs()
		for _, name := range slices.Sorted(maps.Keys(p.plugins)) {
			if reason := p.missing(p.plugins[name].manifest, pairs); reason != nil {
				p.skip(name, reason)
				changed = true
			}
		}
	}
}

func (p *plan) pairs() map[adapters.FormatPair]bool {
	pairs := codecPairs()
	for _, pl := range p.plugins {
		for _, a := range pl.manifest.FormatAdapters {
			pairs[a.Pair()] = true
		}
	}
	return pairs
}

func (p *plan) missing(m Manifest, pairs map[adapters.FormatPair]bool) error {
	for _, d := range m.Dependencies {
		if p.plugins[d] == nil {
			return fmt.Errorf("%w: plugin %q", ErrMissingDependency, d)
		}
	}
	for _, svc := range m.Requires {
		if p.provider(svc, "") == "" {
			return fmt.Errorf("%w: service %q", ErrMissingDependency, svc)
		}
	}
	for _, pair := range m.RequiresFormatAdapters {
		if !pairs[pair] {
			return fmt.Errorf("%w: format adapter %s", ErrMissingDependency, pair)
		}
	}
	return nil
}

// provider returns the first plugin by name that provides the service and is not except.
func (p *plan) provider(svc, except string) string {
	for _, name := range slices.Sorted(maps.Keys(p.plugins)) {
		if name != except && slices.Contains(p.plugins[name].manifest.Provides, svc) {
			return name
		}
	}
	return ""
}

// edges returns what must start before the plugin. Optional edges may be given up to break a circle.
func (p *plan) edges(m Manifest, optional bool) []string {
	deps := cloneSlice(m.Dependencies)
	services := cloneSlice(m.Requires)
	if optional {
		services = append(services, m.OptionalRequires...)
	}
	for _, svc := range services {
		if slices.Contains(m.Provides, svc) {
			continue
		}
		if owner := p.provider(svc, m.Name); owner != "" {
			deps = append(deps, owner)
		}
	}
	return deps
}

// order is Kahn's algorithm, taking the first by name of those that are ready. When none is, a circle that
// optional edges close is entered without them; if there is no such circle, cycle are those that depend on
// themselves.
func (p *plan) order() (order, cycle []string) {
	left := slices.Sorted(maps.Keys(p.plugins))
	done := make(map[string]bool)
	waits := func(name string, optional bool) bool {
		return slices.ContainsFunc(p.edges(p.plugins[name].manifest, optional), func(d string) bool { return !done[d] })
	}
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(name string) bool { return !waits(name, true) })
		if i < 0 {
			i = slices.IndexFunc(left, func(name string) bool { return !waits(name, false) && p.closed(name, done) })
		}
		if i < 0 {
			return nil, slices.DeleteFunc(left, func(name string) bool { return !p.reach(name, false)[name] })
		}
		done[left[i]] = true
		order = append(order, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return order, nil
}

// reach returns the plugins that must start before the named one, through others too.
func (p *plan) reach(name string, optional bool) map[string]bool {
	seen := make(map[string]bool)
	stack := p.edges(p.plugins[name].manifest, optional)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !seen[n] {
			seen[n] = true
			stack = append(stack, p.edges(p.plugins[n].manifest, optional)...)
		}
	}
	return seen
}

// closed tells whether the plugin is in a circle that waits for nothing outside of it: breaking any other one
// would start a plugin before something that could have come first.
func (p *plan) closed(name string, done map[string]bool) bool {
	for other := range p.reach(name, true) {
		if !done[other] && !p.reach(other, true)[name] {
			return false
		}
	}
	return true
}

// circle returns the plugins that need the named one and that it needs, itself included, by name.
func (p *plan) circle(name string) []string {
	var members []string
	for _, other := range slices.Sorted(maps.Keys(p.reach(name, false))) {
		if p.reach(other, false)[name] {
			members = append(members, other)
		}
	}
	return members
}

// dependents returns the plugins that cannot run without the named one, directly or through others. gone tells
// which plugins have dropped out before.
func (p *plan) dependents(name string, gone func(string) bool) map[string]bool {
	out := make(map[string]bool)
	left := func(n string) bool { return n == name || out[n] || gone(n) }
	for changed := true; changed; {
		changed = false
		for other, pl := range p.plugins {
			if out[other] || other == name {
				continue
			}
			if slices.ContainsFunc(p.edges(pl.manifest, false), left) || p.lacksPair(pl.manifest, left) {
				out[other] = true
				changed = true
			}
		}
	}
	return out
}

// lacksPair tells whether a format pair that the plugin requires has no adapter but those of plugins that left.
func (p *plan) lacksPair(m Manifest, left func(string) bool) bool {
	core := codecPairs()
	return slices.ContainsFunc(m.RequiresFormatAdapters, func(pair adapters.FormatPair) bool {
		if core[pair] {
			return false
		}
		for name, pl := range p.plugins {
			offers := func(a FormatAdapterSpec) bool { return a.Pair() == pair }
			if !left(name) && slices.ContainsFunc(pl.manifest.FormatAdapters, offers) {
				return false
			}
		}
		return true
	})
}

// checkRoutes finds prefixes that two plugins, or a plugin and the proxy itself, claim.
func (p *plan) checkRoutes() error {
	owners := make(map[string]string)
	for _, own := range [...]string{
		"/", "/health", "/health/live", "/health/ready", "/plugins", "/plugins/status", "/v1", "/oauth",
		"/openapi.json",
	} {
		owners[own] = "core"
	}
	var errs []error
	claim := func(prefix, plugin string) {
		// A plugin's own routes may stand beside the endpoints of its provider.
		if other, taken := owners[prefix]; taken && other != plugin {
			errs = append(errs, &PluginError{Plugin: plugin, Op: "routes", Err: fmt.Errorf(
				"prefix %s is claimed by %s and %s: %w", prefix, other, plugin, ErrRouteConflict)})
			return
		}
		owners[prefix] = plugin
	}
	for _, name := range p.resolution.Order {
		m := p.plugins[name].manifest
		for _, prov := range m.Providers {
			claim("/"+prov.name(name), name)
		}
		for _, route := range m.Routes {
			claim(route.Prefix, name)
		}
	}
	return errors.Join(errs...)
}
