package ccproxy

import (
	"context"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// Plugin is one running plugin of one [Proxy]. [Factory.CreateRuntime] makes a new one for each proxy.
//
// A plugin may also be a [Validator] or a [HealthChecker]. Every call is guarded: a panic, a call of
// runtime.Goexit or a deadline that passes counts as an error of the plugin and harms nobody else.
type Plugin interface {
	// Initialize prepares the plugin. ctx bounds the start only: it is cancelled when Initialize has
	// returned, so goroutines that go on must use [PluginContext.Context]. An error leaves the plugin and
	// all that depends on it out; [ErrSkip] does so as the plugin's own decision, not as a failure.
	Initialize(ctx context.Context, pc *PluginContext) error

	// Shutdown releases what Initialize took. It is called once, even if Initialize failed, and never
	// while Initialize still runs.
	Shutdown(ctx context.Context) error
}

// Validator is implemented by plugins that check, after Initialize, that they can do their work.
// An error is treated like one of Initialize.
type Validator interface {
	Validate(ctx context.Context) error
}

// HealthChecker is implemented by plugins that know more of their health than that they run. HealthCheck
// may be called at any time between Initialize and Shutdown, also concurrently, and must be quick.
type HealthChecker interface {
	HealthCheck(ctx context.Context) Health
}

// Factory makes the plugins of one kind. Its methods may be called concurrently and by several registries.
type Factory interface {
	// Manifest declares what the plugin is and has. It must be free of side effects and may be called often.
	Manifest() Manifest
	// CreateRuntime returns a new Plugin each time; nil means that the manifest is all there is.
	CreateRuntime() Plugin
}

// NewFactory returns a [Factory] of a manifest and a function that creates the plugin. If create is nil, the
// manifest is the plugin: its specs are wired, and there is nothing else to start or stop.
func NewFactory(m Manifest, create func() Plugin) Factory {
	return factoryFunc{manifest: m, create: create}
}

type factoryFunc struct {
	manifest Manifest
	create   func() Plugin
}

func (f factoryFunc) Manifest() Manifest { return f.manifest }

func (f factoryFunc) CreateRuntime() Plugin {
	if f.create == nil {
		return nil
	}
	return f.create()
}

// manifestOnly is the runtime of a plugin that is only its manifest.
type manifestOnly struct{}

func (manifestOnly) Initialize(context.Context, *PluginContext) error { return nil }
func (manifestOnly) Shutdown(context.Context) error                   { return nil }

// Kind says what a plugin is for.
type Kind uint8

// The kinds of plugins.
const (
	KindSystem   Kind = iota // observes and extends; neither provider nor auth
	KindProvider             // answers requests for models
	KindAuth                 // holds credentials, proxies nothing
)

// String returns "system", "provider" or "auth_provider".
func (k Kind) String() string {
	switch k {
	case KindProvider:
		return "provider"
	case KindAuth:
		return "auth_provider"
	default:
		return "system"
	}
}

// Manifest declares a plugin: a pure value, which can be listed without starting anything.
type Manifest struct {
	// Name identifies the plugin and its table of settings: lower-case letters, digits and underscores,
	// starting with a letter. Required.
	Name string
	// Version is shown in listings. Defaults to "0.0.0".
	Version string
	// Description is one line for people.
	Description string
	// Kind is the plugin's kind. A KindSystem plugin may not have Providers, a KindAuth plugin must have
	// OAuthProviders and may not have Providers, a KindProvider plugin must have Providers.
	Kind Kind
	// CLISafe tells that a command that serves no requests may start the plugin ([Proxy.StartOnly]).
	CLISafe bool
	// DefaultOff keeps the plugin off unless its table says enabled = true or the allow list names it.
	DefaultOff bool

	// Dependencies are names of plugins without which this one does not start; they start first.
	Dependencies []string
	// Provides, Requires and OptionalRequires name services, see [PluginContext.Provide] and [ServiceOf].
	// Providers of required and of optional services start first; only required ones must be there.
	Provides, Requires, OptionalRequires []string

	// Config declares the plugin's configuration, see [ConfigFor]. The zero value takes no keys but enabled.
	Config ConfigSpec
	// Configure, if set, completes the manifest from the decoded and validated configuration, such as routes
	// per configured instance. [Registry.Build] calls it on a deep copy of the manifest. An error that wraps
	// [ErrSkip] leaves the plugin out, since nothing is configured that it could do. It must be pure, and
	// may not change Name, Kind, Dependencies, Provides, Requires or OptionalRequires.
	Configure func(cfg any, m *Manifest) error

	// What the plugin adds, wired after Initialize in this order: format adapters (before any plugin
	// initializes), providers of OAuth, providers of models, hooks; then, when all plugins are initialized, middleware,
	// routes and tasks.
	FormatAdapters []FormatAdapterSpec
	OAuthProviders []OAuthProviderSpec
	Providers      []ProviderSpec
	Hooks          []HookSpec
	Middleware     []MiddlewareSpec
	Routes         []RouteSpec
	Tasks          []TaskSpec
	AuthCommands   []AuthCommandSpec
	Commands       []CommandSpec

	// RequiresFormatAdapters are pairs without an adapter for which the plugin does not start.
	RequiresFormatAdapters []adapters.FormatPair
}

// clone copies everything that Configure or a caller could change in place.
func (m Manifest) clone() Manifest {
	m.Dependencies = cloneSlice(m.Dependencies)
	m.Provides = cloneSlice(m.Provides)
	m.Requires = cloneSlice(m.Requires)
	m.OptionalRequires = cloneSlice(m.OptionalRequires)
	m.FormatAdapters = cloneSlice(m.FormatAdapters)
	m.OAuthProviders = cloneSlice(m.OAuthProviders)
	m.Providers = cloneSlice(m.Providers)
	m.Hooks = cloneSlice(m.Hooks)
	m.Middleware = cloneSlice(m.Middleware)
	m.Routes = cloneSlice(m.Routes)
	m.Tasks = cloneSlice(m.Tasks)
	m.AuthCommands = cloneSlice(m.AuthCommands)
	m.Commands = cloneSlice(m.Commands)
	m.RequiresFormatAdapters = cloneSlice(m.RequiresFormatAdapters)
	for i := range m.AuthCommands {
		m.AuthCommands[i].Options = cloneSlice(m.AuthCommands[i].Options)
	}
	for i := range m.Commands {
		m.Commands[i].Options = cloneSlice(m.Commands[i].Options)
	}
	for i := range m.Providers {
		m.Providers[i].Formats = cloneSlice(m.Providers[i].Formats)
		m.Providers[i].ModelRules = cloneSlice(m.Providers[i].ModelRules)
		m.Providers[i].Aliases = cloneSlice(m.Providers[i].Aliases)
		m.Providers[i].Models = cloneModels(m.Providers[i].Models)
	}
	for i := range m.Routes {
		m.Routes[i].Tags = cloneSlice(m.Routes[i].Tags)
		m.Routes[i].Endpoints = cloneSlice(m.Routes[i].Endpoints)
		m.Routes[i].Middleware = cloneSlice(m.Routes[i].Middleware)
	}
	return m
}

func cloneSlice[S ~[]E, E any](s S) S {
	if s == nil {
		return nil
	}
	return append(S{}, s...)
}
