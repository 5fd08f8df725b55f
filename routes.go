package ccproxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// routes finds the endpoint of a request.
type routes struct {
	fixed     map[string][]*mountedEndpoint // those without path variables, by path
	router    *mux.Router
	prefixes  []string // the longest first
	endpoints []mountedEndpoint
}

// matched is an endpoint with the values of its path variables, still escaped.
type matched struct {
	endpoint *mountedEndpoint
	vars     map[string]string
}

// newRoutes makes the routes. The longest prefix comes first, since gorilla/mux takes the first match.
func newRoutes(endpoints []mountedEndpoint) *routes {
	rt := &routes{
		fixed: make(map[string][]*mountedEndpoint), router: mux.NewRouter().SkipClean(true).UseEncodedPath(),
		endpoints: endpoints,
	}
	slices.SortStableFunc(endpoints, func(a, b mountedEndpoint) int {
		return len(plainPart(b.path)) - len(plainPart(a.path))
	})
	for i := range endpoints {
		rt.prefixes = append(rt.prefixes, endpoints[i].prefix)
	}
	slices.SortFunc(rt.prefixes, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	rt.prefixes = slices.Compact(rt.prefixes)
	for i := range endpoints {
		e := &endpoints[i]
		rt.router.Path(e.path).Methods(e.methods()...).Handler(e.handler).Name(e.id())
		if !strings.Contains(e.path, "{") && rt.owns(e, e.path) {
			rt.fixed[e.path] = append(rt.fixed[e.path], e)
		}
	}
	return rt
}

// plainPart is a template up to its first variable.
func plainPart(path string) string {
	plain, _, _ := strings.Cut(path, "{")
	return plain
}

func (e *mountedEndpoint) id() string { return e.method() + " " + e.path }

// methods are those that the endpoint answers: GET answers HEAD as well.
func (e *mountedEndpoint) methods() []string {
	if m := e.method(); m != http.MethodGet {
		return []string{m}
	}
	return []string{http.MethodGet, http.MethodHead}
}

func (e *mountedEndpoint) answers(method string) bool {
	return method == e.method() || method == http.MethodHead && e.method() == http.MethodGet
}

// owns tells whether the endpoint's prefix is the longest one that covers the path: a plugin that claims a prefix
// has all that is below it.
func (rt *routes) owns(e *mountedEndpoint, path string) bool {
	for _, prefix := range rt.prefixes {
		if len(prefix) <= len(e.prefix) {
			return true
		}
		if _, covered := cutSegments(path, prefix); covered {
			return false
		}
	}
	return true
}

// match returns the endpoint for a method and an escaped path.
func (rt *routes) match(method string, u *url.URL) matched {
	path := u.EscapedPath()
	for _, e := range rt.fixed[path] {
		if e.answers(method) {
			return matched{endpoint: e}
		}
	}
	var m mux.RouteMatch
	if !rt.router.Match(&http.Request{Method: method, URL: u, Header: http.Header{}}, &m) || m.MatchErr != nil {
		return matched{}
	}
	for i := range rt.endpoints {
		if e := &rt.endpoints[i]; e.id() == m.Route.GetName() && rt.owns(e, path) {
			return matched{endpoint: e, vars: m.Vars}
		}
	}
	return matched{}
}

// allowed returns the methods for which the path exists.
func (rt *routes) allowed(u *url.URL) []string {
	var allowed, tried []string
	for i := range rt.endpoints {
		method := rt.endpoints[i].method()
		if slices.Contains(tried, method) {
			continue
		}
		tried = append(tried, method)
		if m := rt.match(method, u); m.endpoint != nil {
			allowed = append(allowed, m.endpoint.methods()...)
		}
	}
	slices.Sort(allowed)
	return slices.Compact(allowed)
}

// dispatch is the innermost handler: it hands a request to its endpoint, or tells why there is none.
func (s *serving) dispatch(w http.ResponseWriter, r *http.Request) {
	ex := exchangeFrom(r.Context())
	if r.URL != ex.r.URL || r.Method != ex.r.Method { // middleware has rewritten it
		ex.rewrite(s.routes.match(r.Method, r.URL))
		if err := s.authorize(ex, r); err != nil {
			ex.fail(w, err)
			return
		}
	}
	e := ex.match.endpoint
	switch {
	case e == nil:
		s.missing(w, r, ex)
	case isUpgrade(r) && !e.WebSocket:
		upgradeRequired(w, ex)
	default:
		for name, value := range ex.match.vars {
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
			r.SetPathValue(name, value)
		}
		e.handler.ServeHTTP(w, r)
	}
}

// missing answers what no endpoint matched.
func (s *serving) missing(w http.ResponseWriter, r *http.Request, ex *exchange) {
	allowed := s.routes.allowed(r.URL)
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
