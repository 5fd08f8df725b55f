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
	templates []*mux.Route                  // of endpoints, nil for those without path variables
	prefixes  []string                      // the longest first
	endpoints []mountedEndpoint             // those that can be reached, in the order in which they are tried
}

// matched is an endpoint with the values of its path variables, still escaped, and what it was found by.
type matched struct {
	endpoint *mountedEndpoint
	vars     map[string]string

	method, path, rawPath string
}

// of tells whether the request is still the one that was matched. Middleware may change it in place, so pointers
// tell nothing.
func (m *matched) of(r *http.Request) bool {
	return r.Method == m.method && r.URL.Path == m.path && r.URL.RawPath == m.rawPath
}

// newRoutes makes the routes. Endpoints that lie below the prefix of another owner are left out.
func newRoutes(endpoints []mountedEndpoint) *routes {
	rt := &routes{fixed: make(map[string][]*mountedEndpoint)}
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
	rt.endpoints = slices.DeleteFunc(endpoints, func(e mountedEndpoint) bool { return !rt.owns(&e, e.path) })
	slices.SortStableFunc(rt.endpoints, func(a, b mountedEndpoint) int { return strings.Compare(a.rank(), b.rank()) })
	rt.templates = make([]*mux.Route, len(rt.endpoints))
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	for i := range rt.endpoints {
		e := &rt.endpoints[i]
		if strings.Contains(e.path, "{") {
			rt.templates[i] = router.Path(e.path)
			continue
		}
		rt.fixed[e.path] = append(rt.fixed[e.path], e)
	}
	return rt
}

// rank orders endpoints: at the first segment where they differ a fixed one goes before a variable, as in the muxes
// that plugins use, and HEAD goes before a GET that answers it as well. Otherwise the weaker policy of "/{a}/{b}"
// could be that of "/{a}/secret".
func (e *mountedEndpoint) rank() string {
	var rank []byte
	for segment := range strings.SplitSeq(e.path, "/") {
		kind := byte('0')
		if strings.HasPrefix(segment, "{") {
			kind = '1'
		}
		rank = append(rank, kind)
	}
	if e.method() == http.MethodHead {
		return string(append(rank, '0'))
	}
	return string(append(rank, '1'))
}

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

// match returns the endpoint for a method and a path. There is none for a path that means another endpoint once it
// is decoded: handlers read it that way, and the policy has to be that of what they do.
func (rt *routes) match(method string, u *url.URL) matched {
	m := rt.find(method, u)
	if path := u.EscapedPath(); m.endpoint != nil && strings.Contains(path, "%") {
		plain := &url.URL{Path: u.Path, RawPath: plainEscapes(path)}
		if rt.find(method, plain).endpoint != m.endpoint {
			m = matched{}
		}
	}
	m.method, m.path, m.rawPath = method, u.Path, u.RawPath
	return m
}

// plainEscapes escapes no more of an escaped path than has to be.
func plainEscapes(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if plain, err := url.PathUnescape(s); err == nil {
			segments[i] = url.PathEscape(plain)
		}
	}
	return strings.Join(segments, "/")
}

func (rt *routes) find(method string, u *url.URL) matched {
	path := u.EscapedPath()
	for _, e := range rt.fixed[path] {
		if e.answers(method) {
			return matched{endpoint: e}
		}
	}
	r := &http.Request{Method: method, URL: u}
	for i, template := range rt.templates {
		e := &rt.endpoints[i]
		if template == nil || !e.answers(method) || !rt.owns(e, path) {
			continue
		}
		var m mux.RouteMatch
		if template.Match(r, &m) {
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
	if !ex.match.of(r) { // middleware has rewritten it
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
