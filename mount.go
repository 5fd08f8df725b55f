package ccproxy

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

type mountKey struct{}

// Mount serves the proxy below a path prefix such as "/llm", for servers and routers that do not strip it. Paths
// outside of the prefix are 404; "/llmx" is outside of "/llm". A proxy can be mounted at several prefixes, with
// whatever the host's router has stripped before.
func (p *Proxy) Mount(prefix string) http.Handler { return mounted(prefix, p) }

func mounted(prefix string, next http.Handler) http.Handler {
	prefix = "/" + strings.Trim(prefix, "/")
	if prefix == "/" {
		return next
	}
	escaped := (&url.URL{Path: prefix}).EscapedPath()
	depth := strings.Count(prefix, "/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := cutSegments(r.URL.Path, prefix)
		raw, rawOK := "", true
		if ok && r.URL.RawPath != "" {
			raw, rawOK = cutEscaped(r.URL.RawPath, prefix, depth)
		}
		if !ok || !rawOK {
			writeError(w, r, "", &Error{Status: http.StatusNotFound, Message: "no such path"})
			return
		}
		base, _ := r.Context().Value(mountKey{}).(string)
		r2 := r.WithContext(context.WithValue(r.Context(), mountKey{}, base+escaped))
		u := *r.URL
		u.Path, u.RawPath = path, raw
		r2.URL = &u
		next.ServeHTTP(w, r2)
	})
}

// cutSegments removes whole leading segments.
func cutSegments(path, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(path, prefix)
	switch {
	case !ok:
		return "", false
	case rest == "":
		return "/", true
	case rest[0] != '/':
		return "", false
	}
	return rest, true
}

// cutEscaped removes as many leading segments of an escaped path as prefix has, if they say the same: clients differ
// in what they escape, and how.
func cutEscaped(raw, prefix string, depth int) (string, bool) {
	end := len(raw)
	for i, seen := 0, -1; i < len(raw); i++ {
		if raw[i] != '/' {
			continue
		}
		if seen++; seen == depth {
			end = i
			break
		}
	}
	plain, err := url.PathUnescape(raw[:end])
	if err != nil || plain != prefix || strings.Count(raw[:end], "/") != depth {
		return "", false
	}
	if end == len(raw) {
		return "/", true
	}
	return raw[end:], true
}

// URLFor returns an address of the proxy that is right for the client of r: below the public URL if there is one,
// else a path below the mount prefix. path starts at the proxy's root, such as "/plugins". A prefix that the host
// stripped by itself, as http.StripPrefix does, is found too.
func (p *Proxy) URLFor(r *http.Request, path string) string {
	path = "/" + strings.TrimLeft(path, `/\`) // "//evil.example" would be another host's address
	if p.options.publicURL != "" {
		return p.options.publicURL + path
	}
	return basePath(r) + path
}

// URLFor is [Proxy.URLFor] for handlers of a plugin.
func (pc *PluginContext) URLFor(r *http.Request, path string) string { return pc.proxy.URLFor(r, path) }

// basePath is what stands before the proxy's own paths in the address that the client used.
func basePath(r *http.Request) string {
	seen := r.URL.EscapedPath()
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	if _, rest, ok := strings.Cut(asked, "://"); ok && asked[0] != '/' { // as clients of forward proxies send it
		_, path, _ := strings.Cut(rest, "/")
		asked = "/" + path
	}
	if strings.HasPrefix(asked, "/") {
		if base, ok := strings.CutSuffix(asked, seen); ok && plainBase(base) {
			return base
		}
	}
	base, _ := r.Context().Value(mountKey{}).(string)
	return base
}

// plainBase keeps a request from choosing another host: "//evil.example" is an address, not a path.
func plainBase(base string) bool {
	if base == "" {
		return true
	}
	plain, err := url.PathUnescape(base)
	if err != nil || strings.Count(plain, "/") != strings.Count(base, "/") {
		return false
	}
	return strings.HasPrefix(base, "/") && !strings.HasSuffix(base, "/") &&
		!strings.Contains(base, "//") && !strings.ContainsAny(plain, "\\\x00\r\n")
}
