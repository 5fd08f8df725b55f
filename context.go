package ccproxy

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// CoreServices is what the proxy offers to every plugin. What a plugin registers through it is undone when the
// plugin stops or fails.
type CoreServices struct {
	// Settings of the proxy; of the plugins' tables only the plugin's own is there.
	Settings Settings
	// Logger carries the plugin's name.
	Logger *slog.Logger
	// HTTPClient is the managed client for upstreams: pooled for many hosts and long streams, without
	// redirects, cookies and timeouts of its own, emitting the http.* hook events.
	HTTPClient *http.Client
	// Hooks registers hooks and emits events in the plugin's name.
	Hooks HookRegistry
	// Formats holds the format adapters.
	Formats FormatRegistry
	// OAuth holds the OAuth providers and gives the tokens of their accounts.
	OAuth OAuthRegistry
	// Plugins tells of the plugins of this proxy.
	Plugins PluginDirectory
	// CLI finds command-line programs that are installed.
	CLI CLIDetector
	// Tracer times pieces of the plugin's work, see [WithTracer].
	Tracer Tracer
	// Streams starts event streams to clients, for the routes of plugins.
	Streams StreamingHandler
}

// HookRegistry is the part of a [hooks.Registry] that plugins see. Its methods may be called concurrently.
type HookRegistry interface {
	// Register adds a hook of the plugin until it stops, or unregister is called.
	Register(h hooks.Hook, o hooks.Options) (unregister func(), err error)
	// Enabled reports whether anybody listens, so that nobody builds a payload in vain.
	Enabled(e hooks.Event) bool
	// Emit sends an event in the plugin's name. It never blocks.
	Emit(hc hooks.Context)
}

// FormatRegistry is the part of an [adapters.Registry] that plugins see.
type FormatRegistry interface {
	// Register adds an adapter of the plugin until it stops, or unregister is called.
	Register(reg adapters.Registration) (unregister func(), err error)
	// Lookup returns the adapter in force; without one the error wraps adapters.ErrNoAdapter.
	Lookup(pair adapters.FormatPair) (adapters.FormatAdapter, error)
	// Pairs returns the pairs that have an adapter, sorted.
	Pairs() []adapters.FormatPair
}

// OAuthRegistry is the part of an [oauth.Registry] that plugins see.
type OAuthRegistry interface {
	// Register adds a provider of the plugin until it stops, or unregister is called.
	Register(p oauth.Provider) (unregister func(), err error)
	// Lookup finds a provider of any plugin.
	Lookup(name string) (oauth.Provider, bool)
	// Infos describes all providers, by name.
	Infos() []oauth.Info
	// Source gives the tokens of the account of a provider of any plugin. It can be asked for at any time, also before
	// the provider is there: until then, and while a login is needed, Token fails with a *[LoginError].
	Source(name string) oauth.Source
}

// PluginDirectory tells of the plugins of a proxy. That of [CoreServices] is a [Monitor], too.
type PluginDirectory interface {
	// Manifests returns those of all registered plugins, by name.
	Manifests() []Manifest
	// Statuses returns how all registered plugins are doing, by name.
	Statuses() []PluginStatus
}

// PluginContext is a plugin's view of its proxy. It is valid from Initialize to Shutdown, and its methods may be
// called concurrently.
type PluginContext struct {
	CoreServices

	record *record
	proxy  *Proxy
}

// Name returns the plugin's name.
func (pc *PluginContext) Name() string { return pc.record.name }

// Manifest returns the plugin's manifest, completed by Configure.
func (pc *PluginContext) Manifest() Manifest { return pc.record.manifest.clone() }

// Context returns a context that ends when the plugin is told to stop. It is for work that outlives Initialize.
func (pc *PluginContext) Context() context.Context { return pc.record.ctx }

// Draining returns a channel that is closed when the proxy goes out of service. A handler that waits for its client
// between two pieces of work, as one of a WebSocket does, ends then: the drain waits for it.
func (pc *PluginContext) Draining() <-chan struct{} { return pc.proxy.flights.draining() }

// Go runs fn on a goroutine of the plugin. Its context is that of [PluginContext.Context], a panic is logged and
// shown in the plugin's health, and the plugin's stop waits for it.
func (pc *PluginContext) Go(name string, fn func(context.Context)) { pc.record.spawn(name, fn) }

// Provide offers a service to the other plugins under one of the names of the manifest's Provides. It fails with
// [ErrInvalidManifest] for other names and with [ErrDuplicate] when another plugin has provided it already.
func (pc *PluginContext) Provide(name string, svc any) error {
	return pc.proxy.provide(pc.record, name, svc)
}

// PublicURL returns the address under which clients reach the proxy, or "" if the application gave none.
func (pc *PluginContext) PublicURL() string { return pc.proxy.options.publicURL }

// ConfigOf returns the plugin's configuration, which its manifest declared with ConfigFor of the same type.
// Each plugin has its own value; it does not change while the plugin runs.
func ConfigOf[C any](pc *PluginContext) (*C, error) {
	c, ok := pc.record.config.(*C)
	if !ok {
		return nil, fmt.Errorf("config of plugin %s is %T, not %T: %w", pc.Name(), pc.record.config, c, ErrServiceType)
	}
	return c, nil
}

// RuntimeOf returns the plugin's own runtime, as its factory created it.
func RuntimeOf[P Plugin](pc *PluginContext) (P, error) {
	p, ok := pc.record.runtime.(P)
	if !ok {
		return p, fmt.Errorf("runtime of plugin %s is %T, not %T: %w", pc.Name(), pc.record.runtime, p, ErrServiceType)
	}
	return p, nil
}

// ServiceOf returns a service that another plugin provides. S is mostly a small interface of the consumer's own.
// It fails with [ErrUnknownService] or [ErrServiceType]. Plugins whose Requires or OptionalRequires name the
// service start after its provider.
func ServiceOf[S any](pc *PluginContext, name string) (S, error) {
	var none S
	svc, ok := pc.proxy.service(name)
	if !ok {
		return none, fmt.Errorf("service %q: %w", name, ErrUnknownService)
	}
	s, ok := svc.(S)
	if !ok {
		wanted := reflect.TypeFor[S]()
		return none, fmt.Errorf("service %q is %T, not %v: %w", name, svc, wanted, ErrServiceType)
	}
	return s, nil
}

// ownedHooks registers and emits in a plugin's name.
type ownedHooks struct {
	reg   *hooks.Registry
	owner *record
}

func (h ownedHooks) Register(hook hooks.Hook, o hooks.Options) (func(), error) {
	o.Plugin = h.owner.name
	undo, err := h.reg.Register(hook, o)
	if err != nil {
		return nil, err
	}
	return h.owner.ledger.add(undo), nil
}

func (h ownedHooks) Enabled(e hooks.Event) bool { return h.reg.Enabled(e) }

func (h ownedHooks) Emit(hc hooks.Context) {
	hc.Plugin = h.owner.name
	h.reg.Emit(hc)
}

type ownedFormats struct {
	reg   *adapters.Registry
	owner *record
}

func (f ownedFormats) Register(reg adapters.Registration) (func(), error) {
	reg.Plugin = f.owner.name
	undo, err := f.reg.Register(reg)
	if err != nil {
		return nil, err
	}
	return f.owner.ledger.add(undo), nil
}

func (f ownedFormats) Lookup(pair adapters.FormatPair) (adapters.FormatAdapter, error) {
	return f.reg.Lookup(pair)
}

func (f ownedFormats) Pairs() []adapters.FormatPair { return f.reg.Pairs() }

type ownedOAuth struct {
	reg      *oauth.Registry
	accounts *accounts
	owner    *record
}

func (o ownedOAuth) Register(p oauth.Provider) (func(), error) {
	undo, err := o.accounts.add(o.owner.name, p)
	if err != nil {
		return nil, err
	}
	return o.owner.ledger.add(undo), nil
}

func (o ownedOAuth) Lookup(name string) (oauth.Provider, bool) { return o.reg.Lookup(name) }

func (o ownedOAuth) Infos() []oauth.Info { return o.reg.Infos() }

func (o ownedOAuth) Source(name string) oauth.Source { return accountSource{o.accounts, name} }
