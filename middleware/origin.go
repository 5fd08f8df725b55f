package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Why [Guard] refuses a request.
var (
	// ErrHost is for a Host header that the server does not go by.
	ErrHost = errors.New("the Host header names no host of this server")
	// ErrOrigin is for a request that a web page of another origin made.
	ErrOrigin = errors.New("requests of web pages of other origins are not allowed")
)

// GuardOptions says by which names a server goes and which pages may use it. The zero value is for a server
// that only programs and pages of this machine's own server use.
type GuardOptions struct {
	// Hosts are the names by which clients reach the server: DNS names, IPv4 addresses, IPv6 addresses in
	// brackets. One without a port stands for all ports. Nil means localhost, 127.0.0.1 and [::1].
	Hosts []string
	// AnyHost turns the check of the Host header off, for servers that are not reached by one of a few
	// names and ask every request for a key.
	AnyHost bool
	// Origins are the origins of pages that may send requests, besides the server's own. They are written
	// as in [CORSOptions].
	Origins []string
	// Reject answers what is refused; the status is 403.
	Reject RejectFunc
}

// Validate gives an error for each host and origin that cannot be used. [Guard] takes these to match nothing.
func (o GuardOptions) Validate() error {
	_, hostErr := parseHosts(o.Hosts)
	_, originErr := parseOriginPatterns(o.Origins)
	return errors.Join(hostErr, originErr)
}

// Guard keeps web pages from driving a server that trusts whoever can reach it, as those on a developer's own
// machine do. Two checks serve this:
//
// The Host header must be one of the server's names. A page whose own name was made to lead to this machine (DNS
// rebinding) sends that name. Headers in which a forwarding server tells another name are not looked at.
//
// A request that a browser marks as another site's, by Sec-Fetch-Site, or as another origin's, by Origin, must come
// from one of Origins. Requests with a safe method and no Origin pass, as links and redirects must: a page cannot
// read their answers. This is stricter than [http.CrossOriginProtection], which lets every GET pass; those with an
// Origin are made by scripts, or open WebSockets.
//
// Programs send neither header and are not touched by the second check.
func Guard(o GuardOptions) Func {
	g := &guard{anyHost: o.AnyHost}
	g.hosts, _ = parseHosts(o.Hosts)
	g.origins, _ = parseOriginPatterns(o.Origins)
	reject := orJSON(o.Reject)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := g.check(r); err != nil {
				reject(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

type guard struct {
	anyHost bool
	hosts   []hostPort
	origins originPatterns
}

// parseHosts gives the hosts that are right besides an error for those that are not.
func parseHosts(texts []string) ([]hostPort, error) {
	if texts == nil {
		texts = []string{"localhost", "127.0.0.1", "[::1]"}
	}
	var hosts []hostPort
	var errs []error
	for _, s := range texts {
		h, ok := parseHost(s)
		if !ok {
			errs = append(errs, fmt.Errorf("host %q: want a DNS name or an address, perhaps with a port; "+
				"an IPv6 address stands in brackets, an international name in its xn-- form", s))
			continue
		}
		h.name = strings.TrimSuffix(h.name, ".")
		hosts = append(hosts, h)
	}
	return hosts, errors.Join(errs...)
}

// check gives a *RejectError for a request that is refused.
func (g *guard) check(r *http.Request) error {
	if !g.anyHost && !g.knowsHost(r) {
		return &RejectError{Status: http.StatusForbidden, Type: "permission_error", Header: "Host", Err: ErrHost}
	}
	if name := g.foreignBy(r); name != "" {
		return &RejectError{
			Status: http.StatusForbidden, Type: "permission_error", Header: name,
			Err: fmt.Errorf("%w: see the %s header", ErrOrigin, name),
		}
	}
	return nil
}

// knowsHost reports whether the request is addressed to one of the server's names. net/http takes the name out
// of the header, and from an absolute request target; other servers may leave them to disagree.
func (g *guard) knowsHost(r *http.Request) bool {
	for _, other := range r.Header["Host"] {
		if other != r.Host {
			return false
		}
	}
	if r.URL.Host != "" && r.URL.Host != r.Host {
		return false
	}
	return g.knows(r.Host)
}

// knows reports whether a Host header's value is one of the server's names.
func (g *guard) knows(host string) bool {
	h, ok := parseHost(host)
	if !ok {
		return false
	}
	h.name = strings.TrimSuffix(h.name, ".")
	for _, known := range g.hosts {
		if known.name == h.name && known.addr == h.addr && portFits(known.port, h.port) {
			return true
		}
	}
	return false
}

// portFits compares a configured port with a request's. Clients leave out the default port of the scheme, which
// is the public one: a forwarding server may have taken the TLS away.
func portFits(known, got uint16) bool {
	return known == 0 || known == got || got == 0 && (known == 80 || known == 443)
}

// foreignBy gives the header by which a request is that of a page that may not send it, "" if it may.
func (g *guard) foreignBy(r *http.Request) string {
	origins, sites := r.Header["Origin"], r.Header["Sec-Fetch-Site"]
	switch {
	case len(origins) > 1:
		return "Origin"
	case len(sites) > 1:
		return "Sec-Fetch-Site"
	case len(origins) == 0 && (len(sites) == 0 || isSafe(r.Method)), g.origins.matchAny():
		return ""
	case len(sites) == 1 && (sites[0] == "same-origin" || sites[0] == "none"):
		return ""
	case len(origins) == 0:
		return "Sec-Fetch-Site"
	case len(sites) == 0 && isOwnOrigin(origins[0], r), g.origins.match(origins[0]):
		return ""
	default:
		return "Origin"
	}
}

// isOwnOrigin serves browsers that send no Sec-Fetch-Site, as all do to plain HTTP beyond this machine. The
// request does not tell its scheme if a forwarding server has taken the TLS away.
func isOwnOrigin(text string, r *http.Request) bool {
	o, ok := parseOrigin(text)
	if !ok || o.scheme != "https" && (o.scheme != "http" || r.TLS != nil) {
		return false
	}
	host, ok := parseHost(r.Host)
	if host.port == 0 {
		host.port = defaultPort(o.scheme)
	}
	return ok && host == o.host
}

// isSafe reports methods that pages may use on other sites by links and images.
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
