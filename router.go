package ccproxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// serving is what a running proxy answers with: published at once, never changed.
type serving struct {
	handler   http.Handler // with all middleware
	trusted   http.Handler // without the guards of the security layer, for calls from the same process
	endpoints []mountedEndpoint
}

// mountedEndpoint is one method and path of the proxy.
type mountedEndpoint struct {
	Endpoint
	path    string // template from the proxy's root
	owner   string // plugin, "" for the core
	auth    AuthPolicy
	tags    []string
	handler http.Handler
}

// The core's own middleware stands outside of every layer that plugins can name.
const (
	layerRequestID middleware.Layer = 50
	layerObserve   middleware.Layer = 60
)

// newServing puts together what the active plugins made.
func (p *Proxy) newServing() *serving {
	s := &serving{endpoints: p.coreEndpoints()}
	entries := []middleware.Entry{
		{Name: "request_id", Layer: layerRequestID, Func: middleware.RequestID()},
		{Name: "observe", Layer: layerObserve, Func: p.observe},
	}
	for _, r := range p.records {
		if !r.is(stateActive) {
			continue
		}
		entries = append(entries, r.middleware...)
		for _, mp := range r.providers {
			s.endpoints = append(s.endpoints, p.providerEndpoints(r, mp)...)
		}
		for i, route := range r.manifest.Routes {
			s.endpoints = append(s.endpoints, p.routeEndpoints(r, route, r.handlers[i])...)
		}
	}
	router := newRouter(s.endpoints)
	middleware.Sort(entries)
	p.summary = middleware.Summary(entries)
	s.handler = middleware.Chain(entries...)(router)
	for _, m := range slices.Backward(p.options.middleware) {
		s.handler = m(s.handler)
	}
	trusted := slices.DeleteFunc(slices.Clone(entries), func(e middleware.Entry) bool {
		return e.Layer >= middleware.LayerSecurity && e.Layer < middleware.LayerObservability
	})
	s.trusted = middleware.Chain(trusted...)(router)
	return s
}

// Middleware returns the effective order of middleware, the outermost first. It is empty before Start.
func (p *Proxy) Middleware() []middleware.SummaryEntry {
	if p.live.Load() == nil {
		return nil
	}
	return slices.Clone(p.summary)
}

// routeEndpoints are those of a plugin's route. Its handler counts as a running request, and never sees a path
// that means another one after decoding.
func (p *Proxy) routeEndpoints(r *record, route RouteSpec, h http.Handler) []mountedEndpoint {
	for _, m := range slices.Backward(route.Middleware) {
		h = m(h)
	}
	h = plainPaths(p.tracked(h))
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
			Endpoint: e, path: joinPattern(route.Prefix, e.Pattern), owner: r.name, auth: auth, tags: tags, handler: h,
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

// tracked makes a request one that drains wait for and that a draining proxy refuses.
func (p *Proxy) tracked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, leave, ok := p.flights.enter(r.Context())
		if !ok {
			exchangeFrom(r.Context()).fail(w, ErrDraining)
			return
		}
		defer leave()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
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

// newRouter makes the routes. The longest prefix comes first, since gorilla/mux takes the first match.
func newRouter(endpoints []mountedEndpoint) http.Handler {
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	slices.SortStableFunc(endpoints, func(a, b mountedEndpoint) int {
		return len(plainPart(b.path)) - len(plainPart(a.path))
	})
	for i := range endpoints {
		e := &endpoints[i]
		methods := []string{e.method()}
		if methods[0] == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		router.Path(e.path).Methods(methods...).Handler(e)
	}
	missing := &notFound{router: router, endpoints: endpoints}
	router.NotFoundHandler = missing
	router.MethodNotAllowedHandler = missing
	return router
}

// plainPart is a template up to its first variable.
func plainPart(path string) string {
	plain, _, _ := strings.Cut(path, "{")
	return plain
}

// ServeHTTP hands a matched request to the endpoint's handler, with the path variables decoded.
func (e *mountedEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := exchangeFrom(r.Context())
	ex.endpoint = e.path
	if ex.format == "" {
		ex.format = e.Format
	}
	if isUpgrade(r) {
		upgradeRequired(w, ex)
		return
	}
	for name, value := range mux.Vars(r) {
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		r.SetPathValue(name, value)
	}
	e.handler.ServeHTTP(w, r)
}

func isUpgrade(r *http.Request) bool {
	return r.Header["Upgrade"] != nil && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// upgradeRequired answers a WebSocket handshake where there is none: 426 is what makes clients fall back to plain
// HTTP at once.
func upgradeRequired(w http.ResponseWriter, ex *exchange) {
	ex.fail(w, &Error{
		Status: http.StatusUpgradeRequired, Param: "Upgrade", Code: "websocket_not_supported",
		Message: "Upgrade: this endpoint has no WebSocket, use plain HTTP",
		Header:  http.Header{"Upgrade": {"HTTP/1.1"}},
	})
}

// notFound answers what no endpoint matched.
type notFound struct {
	router    *mux.Router
	endpoints []mountedEndpoint
}

func (n *notFound) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := exchangeFrom(r.Context())
	allowed := n.allowed(r)
	switch {
	case isUpgrade(r): // also where there is no route: a client that falls back asks there again, and gets its 404
		upgradeRequired(w, ex)
	case len(allowed) == 0:
		ex.fail(w, &Error{Status: http.StatusNotFound, Param: "path", Message: "path: there is no such endpoint"})
	default:
		ex.fail(w, &Error{
			Status: http.StatusMethodNotAllowed, Param: "method",
			Message: "method: this endpoint takes " + strings.Join(allowed, ", "),
			Header:  http.Header{"Allow": {strings.Join(allowed, ", ")}},
		})
	}
}

// allowed returns the methods for which the path exists.
func (n *notFound) allowed(r *http.Request) []string {
	var allowed []string
	for i := range n.endpoints {
		method := n.endpoints[i].method()
		if slices.Contains(allowed, method) {
			continue
		}
		try := &http.Request{Method: method, URL: r.URL, Host: r.Host, Header: http.Header{}}
		var match mux.RouteMatch
		if n.router.Match(try, &match) && match.MatchErr == nil {
			allowed = append(allowed, method)
			if method == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
	}
	slices.Sort(allowed)
	return slices.Compact(allowed)
}

// providerEndpoints are those that every provider gets.
func (p *Proxy) providerEndpoints(r *record, mp mountedProvider) []mountedEndpoint {
	root := "/" + mp.name
	tags := []string{r.name}
	var out []mountedEndpoint
	add := func(e Endpoint, path string, h http.Handler) {
		out = append(out, mountedEndpoint{
			Endpoint: e, path: root + path, owner: r.name, auth: AuthDefault, tags: tags, handler: p.tracked(h),
		})
	}
	for _, f := range clientFormats() {
		upstream, ok := p.speaks(mp.spec.Formats, f.format)
		if !ok {
			continue
		}
		for _, o := range f.operations {
			if o.native && upstream != f.format {
				continue
			}
			add(Endpoint{Method: http.MethodPost, Summary: o.summary, Format: f.format}, o.path, &pipeline{
				proxy: p, name: mp.name, provider: mp.provider, spec: mp.spec,
				format: f.format, upstream: upstream, op: o.op, endpoint: o.path,
			})
		}
	}
	models := &modelsHandler{proxy: p, name: mp.name, provider: mp.provider}
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
		}},
	}
}
