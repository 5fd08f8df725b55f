package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// Option is what an application gives to [Registry.Build] in code.
type Option interface{ apply(o *options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

type options struct {
	logger     *slog.Logger
	transport  http.RoundTripper
	middleware []middleware.Func
	publicURL  string
	strict     bool
	configs    map[string]any
	cli        CLIDetector
	tracer     Tracer
	sessions   oauth.SessionStore
	limiter    limit.Limiter
	err        error

	credentials oauth.Store
	dial        *dialGuard // nil lets upstreams be anywhere
}

func (o options) pluginConfig(plugin string) any { return o.configs[plugin] }

func (o options) unknownPlugins(known []string) []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(o.configs)) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("WithPluginConfig: no plugin %q is registered%s: %w",
				name, nearest.Hint(name, known), ErrConfig))
		}
	}
	return errs
}

// WithLogger sets the logger. Defaults to one that discards everything: a guest does not write to its host's output.
func WithLogger(l *slog.Logger) Option { return optionFunc(func(o *options) { o.logger = l }) }

// WithTransport sets what carries requests to upstreams, for all plugins. Defaults to a transport of the proxy's
// own. The proxy closes idle connections of rt on shutdown only if it is its own.
func WithTransport(rt http.RoundTripper) Option {
	return optionFunc(func(o *options) { o.transport = rt })
}

// WithMiddleware wraps all that the proxy serves over HTTP, outside of its own middleware, the first outermost. Calls
// through [Proxy.Transport] do not pass it.
func WithMiddleware(m ...middleware.Func) Option {
	return optionFunc(func(o *options) {
		for _, fn := range m {
			if fn == nil {
				o.err = errors.Join(o.err, fmt.Errorf("WithMiddleware: nil middleware: %w", ErrConfig))
				return
			}
		}
		o.middleware = append(o.middleware, m...)
	})
}

// WithPublicURL sets the address under which clients reach the proxy, such as "https://example.com/llm". It is
// needed where an absolute address leaves the proxy, as in OAuth redirects, and is never guessed from a request.
func WithPublicURL(address string) Option {
	return optionFunc(func(o *options) {
		u, err := url.Parse(address)
		if err != nil || !absoluteHTTP(u) || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			o.err = errors.Join(o.err, fmt.Errorf(
				"WithPublicURL: must be an absolute http or https URL without user and query: %w", ErrConfig))
			return
		}
		o.publicURL = trimSlash(address)
	})
}

// WithStrictStart makes the failure of any plugin a failure of Start, which then undoes everything.
func WithStrictStart() Option { return optionFunc(func(o *options) { o.strict = true }) }

// WithPluginConfig sets the whole configuration of a plugin in code, in the place of its defaults and its table
// of settings. C is the type that the plugin's manifest declares.
func WithPluginConfig[C any](plugin string, c C) Option {
	return optionFunc(func(o *options) {
		if o.configs == nil {
			o.configs = make(map[string]any)
		}
		own := c // an option may be given to several Builds
		o.configs[plugin] = &own
	})
}

// WithCLIDetector replaces what looks for installed command-line programs.
func WithCLIDetector(d CLIDetector) Option { return optionFunc(func(o *options) { o.cli = d }) }

// WithCredentialStore sets where the credentials of OAuth logins are kept, for providers that have no place of their
// own. Defaults to memory: a login is gone with the proxy, also where a reload puts another one in its place.
func WithCredentialStore(s oauth.Store) Option {
	return optionFunc(func(o *options) { o.credentials = s })
}

// WithSessionStore sets where OAuth logins are kept while the user is at the authorization server. Several processes
// behind one public URL share one. Defaults to memory, with at most [oauth.DefaultSessionLimit] of them.
func WithSessionStore(s oauth.SessionStore) Option {
	return optionFunc(func(o *options) { o.sessions = s })
}

// WithLimiter sets what counts how much callers take, see [Security.Limits]. Several proxies may share one, as those do
// that a [Handle] swaps, or the replicas of a service. Defaults to a [limit.Local] of the proxy's own.
func WithLimiter(l limit.Limiter) Option { return optionFunc(func(o *options) { o.limiter = l }) }

// WithTracer sets what times the work of plugins, see [CoreServices].Tracer. Defaults to debug lines of the logger. The
// proxy times nothing of its own with it: what requests go through is told to hooks.
func WithTracer(t Tracer) Option { return optionFunc(func(o *options) { o.tracer = t }) }

func absoluteHTTP(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func trimSlash(s string) string {
	for len(s) > 0 && s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s
}

// Tracer times pieces of work of plugins. Its methods may be called concurrently.
type Tracer interface {
	// Start begins a piece of work and returns a context for what is below it, and the function that ends it, which the
	// plugin calls once, with nil if all went well.
	Start(ctx context.Context, name string, attrs ...slog.Attr) (context.Context, func(err error))
}
