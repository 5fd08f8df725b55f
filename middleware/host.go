package middleware

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// hostPort is a host with a port, 0 if none was named. Either name or addr is set. Equal hosts compare equal, but
// for a final dot: to browsers "localhost." is another host than "localhost".
type hostPort struct {
	name string // in lower case
	addr netip.Addr
	port uint16
}

// parseHost reads what stands in a Host header or after the scheme of an origin: a DNS name, an IPv4 address or
// an IPv6 address in brackets, perhaps with a port. All else is refused: user names, paths, spaces, zones, escapes,
// letters beyond ASCII, and the many other ways to write an IPv4 address, of which browsers send none.
func parseHost(s string) (h hostPort, ok bool) {
	host, port, ok := splitPort(s)
	if !ok || host == "" {
		return hostPort{}, false
	}
	h.port = port
	switch {
	case host[0] == '[':
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		h.addr = addr
		return h, err == nil && addr.Is6() && addr.Zone() == ""
	case !validName(host):
		return hostPort{}, false
	case endsInNumber(host):
		addr, err := netip.ParseAddr(host)
		h.addr = addr
		return h, err == nil
	}
	h.name = strings.ToLower(host)
	return h, true
}

// splitPort cuts a port off. Colons in brackets belong to the address.
func splitPort(s string) (host string, port uint16, ok bool) {
	end := strings.LastIndexByte(s, ']') + 1
	colon := strings.IndexByte(s[end:], ':')
	if colon < 0 {
		return s, 0, true
	}
	digits := s[end+colon+1:]
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || digits[0] < '1' || digits[0] > '9' {
		return "", 0, false
	}
	return s[:end+colon], uint16(n), true
}

// validName reports whether s has the form of a DNS name, perhaps with a final dot.
func validName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.' && label > 0:
			label = 0
			continue
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
		if label > 63 {
			return false
		}
	}
	return label > 0 && len(s) <= 253
}

// endsInNumber reports whether the last label of a name is a number: such a host is an address or nothing.
func endsInNumber(name string) bool {
	name = strings.TrimSuffix(name, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	if digits, ok := strings.CutPrefix(strings.ToLower(last), "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// origin is a web origin. Its port is the scheme's default where none was named.
type origin struct {
	scheme string // in lower case
	host   hostPort
}

// parseOrigin reads an Origin header. It refuses "null" and whatever has more than scheme, host and port.
func parseOrigin(s string) (o origin, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !validScheme(scheme) {
		return origin{}, false
	}
	host, ok := parseHost(rest)
	if !ok {
		return origin{}, false
	}
	o = origin{scheme: strings.ToLower(scheme), host: host}
	if o.host.port == 0 {
		o.host.port = defaultPort(o.scheme)
	}
	return o, true
}

func validScheme(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

func defaultPort(scheme string) uint16 {
	switch scheme {
	case "http":
		return 80
	case "https":
		return 443
	default:
		return 0
	}
}

// originPattern is what a configured origin matches.
type originPattern struct {
	any        bool // every origin, null included
	origin     origin
	subdomains bool // of origin's host instead of the host itself
	anyPort    bool
}

// parseOriginPattern reads scheme://host[:port] with "*." before the host or "*" as the port, or "*" alone.
func parseOriginPattern(s string) (p originPattern, err error) {
	if s == "*" {
		return originPattern{any: true}, nil
	}
	if s == "null" {
		return p, errors.New(`origin "null" is refused: every sandboxed page has it`)
	}
	if strings.Count(s, "*") > 1 {
		return p, fmt.Errorf("origin %q: more than one wildcard", s)
	}
	plain, anyPort := strings.CutSuffix(s, ":*")
	before, host, subdomains := strings.Cut(plain, "://*.")
	if subdomains {
		plain = before + "://" + host
	}
	o, ok := parseOrigin(plain)
	if !ok {
		return p, fmt.Errorf("origin %q: want scheme://host or scheme://host:port, without a path; "+
			`the host may begin with "*." or the port be "*"`, s)
	}
	if anyPort && o.host.port != defaultPort(o.scheme) {
		return p, fmt.Errorf("origin %q: two ports", s)
	}
	// Sites that have nothing to do with each other share a name such as com.
	if subdomains && !strings.Contains(strings.TrimSuffix(o.host.name, "."), ".") && o.host.name != "localhost" {
		return p, fmt.Errorf("origin %q: a wildcard needs a domain of two labels or more, or localhost", s)
	}
	return originPattern{origin: o, subdomains: subdomains, anyPort: anyPort}, nil
}

func (p *originPattern) matches(o origin) bool {
	want := p.origin
	if p.anyPort {
		want.host.port = o.host.port
	}
	if !p.subdomains {
		return o == want
	}
	sub, ok := strings.CutSuffix(o.host.name, want.host.name)
	return ok && strings.HasSuffix(sub, ".") && o.scheme == want.scheme && o.host.port == want.host.port
}

// originPatterns match what one of them matches.
type originPatterns []originPattern

// parseOriginPatterns gives the patterns that are right besides an error for those that are not.
func parseOriginPatterns(texts []string) (originPatterns, error) {
	var ps originPatterns
	var errs []error
	for _, s := range texts {
		p, err := parseOriginPattern(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ps = append(ps, p)
	}
	return ps, errors.Join(errs...)
}

// matchAny reports whether every origin matches, and so does a request without one.
func (ps originPatterns) matchAny() bool {
	for i := range ps {
		if ps[i].any {
			return true
		}
	}
	return false
}

// match reports whether an Origin header's value matches.
func (ps originPatterns) match(text string) bool {
	if ps.matchAny() {
		return true
	}
	if len(ps) == 0 {
		return false
	}
	o, ok := parseOrigin(text)
	if !ok {
		return false
	}
	for i := range ps {
		if ps[i].matches(o) {
			return true
		}
	}
	return false
}
