package ccproxy

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// ProviderSpec declares one provider of a plugin. The proxy mounts it at /NAME/v1/… for every client format
// that it speaks or that can be converted into one that it speaks.
type ProviderSpec struct {
	// Name is the first path segment and the name in hooks and logs. Defaults to the plugin's name.
	Name string
	// Formats are what the upstream speaks, the preferred one first. Required.
	Formats []adapters.Format
	// SelfPrepared tells that the provider calls [Call.Prepare] itself, when it knows method, URL and headers
	// of its upstream request. Otherwise the proxy does before Do, with what it knows.
	SelfPrepared bool
	// ModelRules say which of the provider's models stands for a name that clients use; the first that matches
	// counts. Settings.ModelMappings replaces them. May be empty.
	ModelRules []ModelRule
	// Models are cards: what they say of a model counts more than the provider's own list, and they are the list where
	// the provider has none to give. Settings.Models replaces them. May be empty.
	Models []Model
	// Aliases are further paths of the provider's endpoints. May be empty.
	Aliases []PathAlias
	// New makes the provider, after Initialize. Required.
	New func(*PluginContext) (Provider, error)
}

// PathAlias is a further path of one of the endpoints that every provider has.
type PathAlias struct {
	// Path is below the provider's name, such as "/responses" or "/{session_id}/v1/messages". The variable session_id
	// is the session of calls that come in there.
	Path string
	// Of is the endpoint's own path, such as "/v1/messages". Where the provider has no such endpoint there is no alias.
	Of string
}

// OAuthProviderSpec declares one OAuth provider of a plugin.
type OAuthProviderSpec struct {
	Name string
	New  func(*PluginContext) (oauth.Provider, error)
}

// MiddlewareSpec declares middleware around every route of the proxy.
type MiddlewareSpec struct {
	// Name is shown in the summary of the effective order. Defaults to the plugin's name.
	Name string
	// Layer orders middleware: the lowest is outermost. Defaults to middleware.LayerApplication.
	Layer middleware.Layer
	New   func(*PluginContext) (middleware.Func, error)
}

// AuthPolicy says who may call an endpoint.
type AuthPolicy uint8

// The authorization policies of endpoints.
const (
	AuthDefault  AuthPolicy = iota // as the settings say
	AuthRequired                   // a key, also when the settings ask for none
	AuthPublic                     // anybody
)

// String returns "default", "required" or "public".
func (p AuthPolicy) String() string {
	switch p {
	case AuthRequired:
		return "required"
	case AuthPublic:
		return "public"
	default:
		return "default"
	}
}

// RouteSpec declares routes of a plugin below one prefix. The longest prefix that matches whole path segments
// wins; two plugins with equal prefixes are an error of [Registry.Build].
type RouteSpec struct {
	// Prefix is a path such as "/my-plugin": it starts with a slash, does not end with one and is plain
	// (no empty, "." or ".." segments, no escapes). Required.
	Prefix string
	// Tags group the endpoints in documentation. Defaults to the plugin's name.
	Tags []string
	// Auth is the policy of endpoints that have none of their own.
	Auth AuthPolicy
	// Endpoints list what New's handler answers. What is not listed is 404 or 405 and does not reach it.
	Endpoints []Endpoint
	// Middleware wraps the handler, the first outermost.
	Middleware []middleware.Func
	// New makes the handler, after every plugin is initialized. It sees the whole path, without the mount
	// prefix; path variables are in [http.Request.PathValue]. Required.
	New func(*PluginContext) (http.Handler, error)
}

// Endpoint declares one method and path of a [RouteSpec].
type Endpoint struct {
	// Method is an HTTP method. Defaults to GET; GET answers HEAD as well.
	Method string
	// Pattern is the path below the prefix: "" for the prefix itself, else it starts with a slash;
	// "{name}" matches one segment.
	Pattern string
	// Summary is one line of documentation.
	Summary string
	// Auth overrides the route's policy.
	Auth AuthPolicy
	// WebSocket tells that the endpoint takes WebSocket handshakes. Others are answered 426.
	WebSocket bool
	// Format is the dialect of the endpoint's clients, which shapes the proxy's own errors. May be empty.
	Format adapters.Format
}

// TaskSpec declares a periodic task. It runs from the start of the proxy to its shutdown, never overlapping
// itself; a failure (an error or a panic) doubles the interval up to five minutes until the next success.
type TaskSpec struct {
	// Name identifies the task within the plugin. Required.
	Name string
	// Interval between the end of one run and the begin of the next, at least one second. Required.
	Interval time.Duration
	// Jitter is the fraction of the interval that varies at random. Zero means 0.25; negative means none.
	Jitter float64
	// Immediate runs the task at the start, too.
	Immediate bool
	// Timeout ends a run's context. Defaults to none.
	Timeout time.Duration
	New     func(*PluginContext) (func(context.Context) error, error)
}

// HookSpec declares a hook of a plugin.
type HookSpec struct {
	// Priority: lower runs first; zero means hooks.DefaultPriority. Ties run in the order of registration.
	Priority int
	// Timeout of one call. Zero means 10 seconds for an observer, 2 seconds for a mutator.
	Timeout time.Duration
	// Queue is the number of events that may wait for an observer. Zero means 1024.
	Queue int
	// FailClosed refuses the request when a mutator fails, instead of going on without it.
	FailClosed bool
	// ReadOnly promises that the hook writes into nothing that it is given, so that it shares copies with others: an
	// observer those of payloads, a mutator that of a request's header. See hooks.Options.
	ReadOnly bool
	New      func(*PluginContext) (hooks.Hook, error)
}

func (s HookSpec) options(plugin string) hooks.Options {
	return hooks.Options{
		Plugin: plugin, Priority: s.Priority, Timeout: s.Timeout, Queue: s.Queue,
		FailClosed: s.FailClosed, ReadOnly: s.ReadOnly,
	}
}

// FormatAdapterSpec declares an adapter from one format to another. When two plugins offer the same pair, the
// lower Priority wins, then a plugin before the core, then the plugin's name.
//
// A provider of a format that the core does not know needs two for each format of its clients: one from that for
// requests, and one back for answers, errors and streams.
type FormatAdapterSpec struct {
	From, To adapters.Format
	// Priority defaults to 100.
	Priority    int
	Description string
	// New makes the adapter. It runs before any plugin is initialized, so services are not there yet.
	New func(*PluginContext) (adapters.FormatAdapter, error)
}

// Pair returns the formats of the spec.
func (s FormatAdapterSpec) Pair() adapters.FormatPair {
	return adapters.FormatPair{From: s.From, To: s.To}
}

// Invocation is one call of a command of a plugin.
type Invocation struct {
	Args   []string          // arguments that are not options
	Flags  map[string]string // values of the declared options, by name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// CommandOption declares an option of a command.
type CommandOption struct {
	Name, Description, Default string
	// Switch tells that the option takes no value; it is then "true" or "false".
	Switch bool
}

// AuthCommandSpec declares a command below "auth", for one of the plugin's OAuth providers.
type AuthCommandSpec struct {
	Name, Description string
	Options           []CommandOption
	New               func(*PluginContext) (func(context.Context, Invocation) error, error)
}

// CommandSpec declares a command of a plugin.
type CommandSpec struct {
	Name, Description string
	// Parent is the command that this one stands below; empty for the top level.
	Parent  string
	Options []CommandOption
	New     func(*PluginContext) (func(context.Context, Invocation) error, error)
}
