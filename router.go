package ccproxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// serving is what a running proxy answers with: published at once, never changed.
type serving struct {
	proxy   *Proxy
	handler http.Handler // with all middleware
	trusted http.Handler // without the guards of the security layer, for calls from the same process
	routes  *routes
}

// mountedEndpoint is one method and path of the proxy.
type mountedEndpoint struct {
	Endpoint
	prefix  string // what the owner has claimed
	path    string // template from the proxy's root
	owner   string // plugin, "" for the core
	auth    AuthPolicy
	tags    []string
	handler http.Handler
	always  bool // also while the proxy drains, which does not wait for it
}

// The core's own middleware stands outside of every layer that plugins can name.
const (
	layerRequestID middleware.Layer = 50
	layerObserve   middleware.Layer = 60
	layerLimits    middleware.Layer = 70
	layerCORS      middleware.Layer = 80
	layerGuard     middleware.Layer = 90
)

// guards tells the middleware that protects against strangers, which calls from the same process skip.
func guards(e middleware.Entry) bool {
	return e.Layer >= layerLimits && e.Layer < middleware.LayerObservability
}

// newServing puts together what the active plugins made.
func (p *Proxy) newServing() *serving {
	s := &serving{proxy: p}
	endpoints := append(p.coreEndpoints(), p.oauthEndpoints()...)
	var provided []mountedEndpoint
	entries := append([]middleware.Entry{
		{Name: "request_id", Layer: layerRequestID, Func: middleware.RequestID()},
		{Name: "observe", Layer: layerObserve, Func: s.observe},
	}, s.security()...)
	for _, r := range p.records {
		if !r.is(stateActive) {
			continue
		}
		entries = append(entries, r.middleware...)
		for _, mp := range r.providers {
			provided = append(provided, p.providerEndpoints(r, mp)...)
		}
		for i, route := range r.manifest.Routes {
			endpoints = append(endpoints, p.routeEndpoints(r, route, r.handlers[i])...)
		}
	}
	endpoints = slices.Concat(endpoints, provided, p.sharedEndpoints(provided))
	s.routes = newRoutes(endpoints)
	p.summary = middleware.Summary(entries)
	s.handler = middleware.Chain(entries...)(http.HandlerFunc(s.dispatch))
	for _, m := range slices.Backward(p.options.middleware) {
		s.handler = m(s.handler)
	}
	s.trusted = middleware.Chain(slices.DeleteFunc(entries, guards)...)(http.HandlerFunc(s.dispatch))
	return s
}

// Middleware returns the effective order of middleware, the outermost first. It is empty before Start.
func (p *Proxy) Middleware() []middleware.SummaryEntry {
	if p.live.Load() == nil {
		return nil
	}
	return slices.Clone(p.summary)
}

// routeEndpoints are those of a plugin's route. Its handler never sees a path that means another one after decoding.
func (p *Proxy) routeEndpoints(r *record, route RouteSpec, h http.Handler) []mountedEndpoint {
	for _, m := range slices.Backward(route.Middleware) {
		h = m(h)
	}
	h = plainPaths(h)
	var out []mountedEndpoint
	for _, e := range route.Endpoints {
		auth := route.Auth
		if e.Auth != AuthDefault {
			auth = e.Auth
		}
		tags := route.Tags
		if tags == nil {
			tags = []string{r.name}
		}
		out = append(out, mountedEndpoint{
			Endpoint: e, prefix: route.Prefix, path: joinPattern(route.Prefix, e.Pattern), owner: r.name,
			auth: auth, tags: tags, handler: h,
		})
	}
	return out
}

func joinPattern(prefix, pattern string) string {
	if pattern == "/" {
		return prefix + "/"
	}
	return prefix + pattern
}

// plainPaths refuses paths that turn into others when they are decoded or cleaned.
func plainPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !plainPath(r.URL) {
			exchangeFrom(r.Context()).fail(w, badRequest("path",
				"path: encoded slashes, control characters and dot segments are not allowed"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func plainPath(u *url.URL) bool {
	if strings.ContainsAny(u.Path, "\\\x00\r\n") {
		return false
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || strings.Contains(plain, "/") || plain == "." || plain == ".." {
			return false
		}
	}
	return true
}

// providerEndpoints are those that every provider gets.
func (p *Proxy) providerEndpoints(r *record, mp mountedProvider) []mountedEndpoint {
	root := "/" + mp.name
	tags := []string{r.name}
	var out []mountedEndpoint
	add := func(e Endpoint, path string, h http.Handler) {
		m := mountedEndpoint{Endpoint: e, prefix: root, path: root + path, owner: r.name, tags: tags, handler: h}
		out = append(out, m)
		for _, alias := range mp.spec.Aliases {
			if alias.Of == path {
				m.path = root + alias.Path
				out = append(out, m)
			}
		}
	}
	for _, f := range clientFormats() {
		upstream, ok := p.speaks(mp.spec.Formats, f.format)
		if !ok {
			continue
		}
		for _, o := range f.operations {
			foreign := o.native && upstream != f.format
			if foreign && o.op != OpCountTokens {
				continue
			}
			add(Endpoint{Method: http.MethodPost, Summary: o.summary, Format: f.format}, o.path, &pipeline{
				inlet: inlet{proxy: p, format: f.format, op: o.op, endpoint: o.path},
				name:  mp.name, provider: mp.provider, spec: mp.spec, upstream: upstream, estimates: foreign,
				memory: p.upstreams[mp.name],
			})
		}
	}
	models := &modelsHandler{name: mp.name, provider: mp.provider, cards: p.cards[mp.name], logger: r.logger}
	add(Endpoint{Summary: "List the provider's models"}, "/v1/models", http.HandlerFunc(models.list))
	add(Endpoint{Summary: "Describe a model"}, "/v1/models/{model}", http.HandlerFunc(models.one))
	add(Endpoint{Summary: "Tell that the provider is there"}, "", http.HandlerFunc(p.serveRoot))
	add(Endpoint{Summary: "Tell that the provider is there"}, "/", http.HandlerFunc(p.serveRoot))
	return out
}

// speaks returns the provider's format for a client's: the same, or the first one with adapters both ways.
func (p *Proxy) speaks(formats []adapters.Format, client adapters.Format) (adapters.Format, bool) {
	if slices.Contains(formats, client) {
		return client, true
	}
	for _, f := range formats {
		there := adapters.FormatPair{From: client, To: f}
		if p.formats.Has(there) && p.formats.Has(there.Reverse()) {
			return f, true
		}
	}
	return "", false
}

type clientFormat struct {
	format     adapters.Format
	operations []clientOperation
}

type clientOperation struct {
	op            Operation
	path, summary string
	native        bool // only where the provider speaks the format itself
}

func clientFormats() []clientFormat {
	return []clientFormat{
		{adapters.AnthropicMessages, []clientOperation{
			{op: OpGenerate, path: "/v1/messages", summary: "Anthropic Messages"},
			{
				op: OpCountTokens, path: "/v1/messages/count_tokens", native: true,
				summary: "Count the tokens of Anthropic Messages",
			},
		}},
		{adapters.OpenAIChatCompletions, []clientOperation{
			{op: OpGenerate, path: "/v1/chat/completions", summary: "OpenAI Chat Completions"},
			{op: OpEmbeddings, path: "/v1/embeddings", summary: "OpenAI Embeddings", native: true},
		}},
		{adapters.OpenAIResponses, []clientOperation{
			{op: OpGenerate, path: "/v1/responses", summary: "OpenAI Responses"},
			{
				op: OpCompact, path: "/v1/responses/compact", native: true,
				summary: "Compact a conversation of OpenAI Responses",
			},
		}},
	}
}
