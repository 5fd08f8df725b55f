package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CORSOptions says which web pages may read a server's answers. The zero value allows none.
type CORSOptions struct {
	// Origins are the origins of these pages: "https://app.example.com", with one wildcard for whole labels
	// ("https://*.example.com": any subdomain at any depth, not example.com itself) or for the port
	// ("http://localhost:*": any port and none), or "*" for every page there is. "null" is refused.
	Origins []string
	// Credentials lets pages send cookies and other credentials that a browser keeps. Keys in headers need
	// no such leave. It needs origins without wildcards.
	Credentials bool
	// Methods defaults to GET, HEAD, POST, PUT, PATCH and DELETE.
	Methods []string
	// Headers are request headers that pages may send besides those of the known SDKs. A "*" at the end
	// stands for any rest of the name.
	Headers []string
	// ExposeHeaders are answer headers that pages may read besides request ids, rate limits and what
	// tells when to try again.
	ExposeHeaders []string
	// MaxAge is how long a browser may keep the answer to a preflight. Defaults to 10 minutes; a negative
	// one means not at all.
	MaxAge time.Duration
}

// CORS lets the pages of chosen origins read answers, and answers their preflights with 204 itself: it has to
// stand outside of what asks for keys and what routes. Pages of other origins get no CORS header, so that a
// browser keeps answers from them; refusing their requests is the task of [Guard], which needs the same Origins.
// Without Origins the Func changes nothing.
//
// The error names every origin, method and header that cannot be used.
func CORS(o CORSOptions) (Func, error) {
	origins, originErr := parseOriginPatterns(o.Origins)
	c := &cors{origins: origins, everyone: origins.matchAny(), credentials: o.Credentials}
	if err := errors.Join(originErr, c.checkCredentials(o.Origins), c.setLists(o)); err != nil {
		return nil, err
	}
	c.maxAge = "600"
	if o.MaxAge != 0 {
		c.maxAge = strconv.FormatInt(int64(max(0, o.MaxAge)/time.Second), 10)
	}
	return func(next http.Handler) http.Handler {
		if len(c.origins) == 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isPreflight(r) {
				c.answerPreflight(w, r)
				return
			}
			c.describe(w.Header(), r)
			next.ServeHTTP(w, r)
		})
	}, nil
}

type cors struct {
	origins     originPatterns
	everyone    bool
	credentials bool
	names       []string // of request headers, in lower case
	prefixes    []string // of such names
	methods     string
	exposed     string
	maxAge      string
}

// checkCredentials refuses what would let pages that nobody chose act with a user's credentials.
func (c *cors) checkCredentials(texts []string) error {
	i := slices.IndexFunc(texts, func(s string) bool { return strings.Contains(s, "*") })
	if !c.credentials || i < 0 {
		return nil
	}
	return fmt.Errorf("credentials need origins without wildcards, unlike %q", texts[i])
}

func (c *cors) setLists(o CORSOptions) error {
	methods := o.Methods
	if methods == nil {
		methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	}
	exposed := slices.Concat(exposedHeaders(), o.ExposeHeaders)
	var errs []error
	for _, list := range [][]string{methods, exposed} {
		for _, s := range list {
			if !isToken(s) {
				errs = append(errs, fmt.Errorf("%q is no name of a method or header", s))
			}
		}
	}
	for _, s := range slices.Concat(requestHeaders(), o.Headers) {
		prefix, isPrefix := strings.CutSuffix(strings.ToLower(s), "*")
		switch {
		case prefix != "" && !isToken(prefix), strings.Contains(prefix, "*"), s == "":
			errs = append(errs, fmt.Errorf("%q is no name of a header", s))
		case isPrefix:
			c.prefixes = append(c.prefixes, prefix)
		default:
			c.names = append(c.names, prefix)
		}
	}
	c.methods, c.exposed = strings.Join(methods, ", "), strings.Join(exposed, ", ")
	return errors.Join(errs...)
}

// isPreflight reports the requests by which browsers ask before they send another one.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header["Origin"] != nil &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

func (c *cors) answerPreflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	if c.allow(h, r) {
		h.Set("Access-Control-Allow-Methods", c.methods)
		if names := c.allowedNames(r.Header["Access-Control-Request-Headers"]); names != "" {
			h.Set("Access-Control-Allow-Headers", names)
		}
		h.Set("Access-Control-Max-Age", c.maxAge)
	}
	w.WriteHeader(http.StatusNoContent)
}

// describe sets the headers of an answer that is no preflight's.
func (c *cors) describe(h http.Header, r *http.Request) {
	if !c.everyone {
		h.Add("Vary", "Origin") // also without an origin: a cache must not give that answer to a page
	}
	if c.allow(h, r) {
		h.Set("Access-Control-Expose-Headers", c.exposed)
	}
}

// allow sets what lets the request's origin read the answer, and reports whether it may.
func (c *cors) allow(h http.Header, r *http.Request) bool {
	if c.everyone {
		h.Set("Access-Control-Allow-Origin", "*")
		return true
	}
	values := r.Header["Origin"]
	if len(values) != 1 || !c.origins.match(values[0]) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", values[0])
	if c.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	return true
}

// maxNames bounds the work for one preflight: browsers ask for some twenty headers.
const maxNames = 128

// allowedNames gives those of the requested header names that may be sent. They are repeated, since a list of
// all cannot hold those that an SDK makes up, and "*" does not count together with credentials.
func (c *cors) allowedNames(lines []string) string {
	var allowed []string
	seen := 0
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if seen++; seen > maxNames {
				return strings.Join(allowed, ", ")
			}
			name = strings.ToLower(strings.Trim(name, " \t"))
			if c.allowsName(name) {
				allowed = append(allowed, name)
			}
		}
	}
	return strings.Join(allowed, ", ")
}

func (c *cors) allowsName(name string) bool {
	if !isToken(name) || len(name) > 256 {
		return false
	}
	return slices.Contains(c.names, name) ||
		slices.ContainsFunc(c.prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// isToken reports whether s can name a method or a header (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		isAlnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !isAlnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// requestHeaders are those that the SDKs of Anthropic, OpenAI and Vercel and common chat clients send from
// browsers, besides what tracing adds.
func requestHeaders() []string {
	return []string{
		"accept", "accept-language", "authorization", "baggage", "cache-control", "content-language", "content-type",
		"idempotency-key", "last-event-id", "originator", "session-id", "thread-id", "traceparent", "tracestate",
		"user-agent", "x-api-key", "x-app", "x-claude-code-session-id", "x-client-request-id", "x-request-id",
		"x-requested-with", "x-session-id", "x-title", "anthropic-*", "openai-*", "x-stainless-*",
	}
}

// exposedHeaders are the answer headers that SDKs look at. The list is spelled out, since a "*" in it does not
// count together with credentials.
func exposedHeaders() []string {
	names := []string{
		"request-id", "x-request-id", "retry-after", "retry-after-ms", "x-should-retry", "x-ccproxy-loss",
		"x-ccproxy-estimated", "x-ccproxy-answered-by",
		"anthropic-organization-id", "openai-model", "openai-organization", "openai-processing-ms", "openai-version",
	}
	for _, what := range []string{"requests", "tokens", "input-tokens", "output-tokens"} {
		for _, figure := range []string{"limit", "remaining", "reset"} {
			names = append(names, "anthropic-ratelimit-"+what+"-"+figure)
		}
	}
	for _, figure := range []string{"status", "reset", "representative-claim", "fallback-percentage"} {
		names = append(names, "anthropic-ratelimit-unified-"+figure)
	}
	for _, window := range []string{"5h", "7d"} {
		for _, figure := range []string{"status", "reset", "utilization"} {
			names = append(names, "anthropic-ratelimit-unified-"+window+"-"+figure)
		}
	}
	for _, figure := range []string{"limit", "remaining", "reset"} {
		names = append(names, "x-ratelimit-"+figure+"-requests", "x-ratelimit-"+figure+"-tokens")
	}
	return names
}
