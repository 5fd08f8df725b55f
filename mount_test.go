package ccproxy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// linker is a plugin whose route answers with what URLFor says, and with the path that it sees.
func linker() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "linker",
		Routes: []ccproxy.RouteSpec{{
			Prefix:    "/linker",
			Endpoints: []ccproxy.Endpoint{{}, {Pattern: "/{name}"}, {Method: http.MethodPost, Pattern: "/{name}"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Link", pc.URLFor(r, "/linker"))
					w.Header().Set("X-Seen", r.URL.EscapedPath())
					w.Header().Set("X-Name", r.PathValue("name"))
					w.WriteHeader(http.StatusOK)
				}), nil
			},
		}},
	}, nil)
}

type mountCase struct {
	name   string
	base   string // in the client's address
	handle func(http.Handler, *ccproxy.Proxy) http.Handler
}

func mountCases() []mountCase {
	mount := func(prefix string) func(http.Handler, *ccproxy.Proxy) http.Handler {
		return func(_ http.Handler, p *ccproxy.Proxy) http.Handler { return p.Mount(prefix) }
	}
	strip := func(prefix string) func(http.Handler, *ccproxy.Proxy) http.Handler {
		return func(h http.Handler, _ *ccproxy.Proxy) http.Handler { return http.StripPrefix(prefix, h) }
	}
	return []mountCase{
		{name: "root", base: "", handle: func(h http.Handler, _ *ccproxy.Proxy) http.Handler { return h }},
		{name: "mount of nothing", base: "", handle: mount("")},
		{name: "mount of a slash", base: "", handle: mount("/")},
		{name: "one segment", base: "/llm", handle: mount("/llm")},
		{name: "without slash", base: "/llm", handle: mount("llm")},
		{name: "slashes around", base: "/llm", handle: mount("/llm/")},
		{name: "three segments", base: "/api/v1/llm", handle: mount("/api/v1/llm")},
		{name: "same name as a route", base: "/claude", handle: mount("/claude")},
		{name: "dots", base: "/a.b/~c", handle: mount("/a.b/~c")},
		{name: "space", base: "/a%20b", handle: mount("/a b")},
		{name: "letters beyond ASCII", base: "/%C3%BC/llm", handle: mount("/ü/llm")},
		{name: "lower-case escapes", base: "/%c3%bc/llm", handle: mount("/ü/llm")},
		{name: "needless escapes", base: "/%6clm", handle: mount("/llm")},
		{name: "percent sign", base: "/100%25", handle: mount("/100%")},
		{name: "strip", base: "/llm", handle: strip("/llm")},
		{name: "strip of two", base: "/api/llm", handle: strip("/api/llm")},
		{name: "strip of what needs no escape", base: "/a~b", handle: strip("/a~b")},
		{name: "strip and mount", base: "/api/llm", handle: func(_ http.Handler, p *ccproxy.Proxy) http.Handler {
			return http.StripPrefix("/api", p.Mount("/llm"))
		}},
		{name: "mount in a mux", base: "/llm", handle: func(_ http.Handler, p *ccproxy.Proxy) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/llm/", p.Mount("/llm"))
			return mux
		}},
		{name: "strip in a mux in a mux", base: "/api/llm", handle: func(h http.Handler, _ *ccproxy.Proxy) http.Handler {
			inner, outer := http.NewServeMux(), http.NewServeMux()
			inner.Handle("/llm/", http.StripPrefix("/llm", h))
			outer.Handle("/api/", http.StripPrefix("/api", inner))
			return outer
		}},
	}
}

// Every route works the same below every prefix, and links lead back to where the client is.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestMounts(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true, plugins: []ccproxy.Factory{linker()}})
	routes := []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/", "", 200},
		{"GET", "/health", "", 200},
		{"GET", "/health/live", "", 200},
		{"GET", "/plugins", "", 200},
		{"GET", "/plugins/claude_api/health", "", 200},
		{"GET", "/claude", "", 200},
		{"GET", "/claude/v1/models", "", 200},
		{"POST", messagesPath + "?beta=true", wholeBody, 200},
		{"POST", messagesPath, streamBody, 200},
		{"POST", countPath, wholeBody, 200},
		{"GET", "/linker", "", 200},
		{"GET", "/linker/a%2Db", "", 200},
		{"POST", "/linker/x", "", 200},
		{"POST", messagesPath + "/", wholeBody, 404},
		{"POST", "/", wholeBody, 405},
		{"POST", "/linker/..", "", 400},
		{"POST", "/linker/%2e%2e", "", 400},
		{"POST", "/linker/a%2fb", "", 400},
		{"POST", "/linker/a%5cb", "", 400},
		{"POST", "/linker/%00", "", 400},
		{"POST", "/nothing", "", 404},
	}
	for _, m := range mountCases() {
		handler := m.handle(r.proxy, r.proxy)
		for _, route := range routes {
			t.Run(m.name+" "+route.method+" "+route.path, func(t *testing.T) {
				req := httptest.NewRequestWithContext(t.Context(), route.method, m.base+route.path, strings.NewReader(route.body))
				rec := httptest.NewRecorder()
				handler.ServeHTTP(rec, req)
				if rec.Code != route.status || rec.Header().Get("Location") != "" {
					if redirectsByMux(m, route.path, rec) {
						return
					}
					t.Errorf("got %d %v %s", rec.Code, rec.Header(), rec.Body)
				}
				if link := rec.Header().Get("X-Link"); strings.HasPrefix(route.path, "/linker") && route.status == 200 && link != m.base+"/linker" {
					// A link may be escaped in another way, as long as it is the same path.
					if !sameEscapes(link, m.base+"/linker") {
						t.Errorf("link = %q", link)
					}
				}
				if seen := rec.Header().Get("X-Seen"); seen != "" && seen != route.path {
					t.Errorf("the route saw %q", seen)
				}
				if route.path == "/linker/a%2Db" && rec.Header().Get("X-Name") != "a-b" {
					t.Errorf("name = %q", rec.Header().Get("X-Name"))
				}
			})
		}
	}
	for _, req := range r.upstream.Requests() {
		if !strings.HasPrefix(req.Path, "/v1/m") {
			t.Errorf("the upstream was asked for %s", req.Path)
		}
	}
}

// redirectsByMux allows for what the standard library's mux does by itself to paths with dot segments.
func redirectsByMux(m mountCase, path string, rec *httptest.ResponseRecorder) bool {
	return strings.Contains(m.name, "mux") && strings.HasSuffix(path, "/..") && rec.Code >= 300 && rec.Code < 400
}

func sameEscapes(a, b string) bool {
	pa, errA := url.PathUnescape(a)
	pb, errB := url.PathUnescape(b)
	return errA == nil && errB == nil && pa == pb
}

// A prefix is whole segments.
func TestOutsideOfTheMount(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	h := r.proxy.Mount("/llm")
	for _, path := range []string{
		"/llmx" + messagesPath, "/llm2", messagesPath, "/", "/ll", "/LLM" + messagesPath, "//llm" + messagesPath,
		"/llm%2fclaude/v1/messages", "/x/../llm" + messagesPath, "/x/llm" + messagesPath, "/llm%00/claude", "/%2fllm/claude",
		"/llm%2Fclaude%2Fv1%2Fmessages",
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(wholeBody))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != http.StatusNotFound || rec.Header().Get("Location") != "" {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
		shapeOf(t, rec.Body.Bytes())
	}
	// "/llm" itself is the proxy's root.
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/llm", nil))
	var root map[string]string
	if json.Unmarshal(rec.Body.Bytes(), &root) != nil || root["service"] != "ccproxy" {
		t.Errorf("/llm: %d %s", rec.Code, rec.Body)
	}
	if n := len(r.upstream.Requests()); n != 0 {
		t.Errorf("the upstream saw %d requests", n)
	}
}

func TestNestedMounts(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true, plugins: []ccproxy.Factory{linker()}})
	h := http.StripPrefix("/a", r.proxy.Mount("/b"))
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a/b/linker", nil)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if got := rec.Header().Get("X-Link"); got != "/a/b/linker" {
		t.Errorf("link = %q, status %d", got, rec.Code)
	}
	// A host that rewrites addresses leaves nothing to compare: the mount prefix still holds.
	req = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/b/linker", nil)
	req.RequestURI = "/somewhere/else"
	rec = httptest.NewRecorder()
	r.proxy.Mount("/b").ServeHTTP(rec, req)
	if got := rec.Header().Get("X-Link"); got != "/b/linker" {
		t.Errorf("rewritten: link = %q, status %d", got, rec.Code)
	}
	req = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/b%20%C3%BC/linker", nil)
	req.RequestURI = "/somewhere/else"
	rec = httptest.NewRecorder()
	r.proxy.Mount("/b ü").ServeHTTP(rec, req)
	if got := rec.Header().Get("X-Link"); got != "/b%20%C3%BC/linker" {
		t.Errorf("rewritten, with escapes: link = %q, status %d", got, rec.Code)
	}
}

// The public URL is what links begin with, whatever a request claims.
func TestURLForPublicURL(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{
		quiet: true, plugins: []ccproxy.Factory{linker()},
		options: []ccproxy.Option{ccproxy.WithPublicURL("https://example.com/llm/")},
	})
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://evil.example/llm/linker", nil)
	req.Header.Set("X-Forwarded-Host", "evil.example")
	rec := httptest.NewRecorder()
	r.proxy.Mount("/llm").ServeHTTP(rec, req)
	if got := rec.Header().Get("X-Link"); got != "https://example.com/llm/linker" {
		t.Errorf("link = %q", got)
	}
	if got := r.proxy.URLFor(req, "plugins"); got != "https://example.com/llm/plugins" {
		t.Errorf("URLFor without a slash = %q", got)
	}
}

// No request makes a link that leads to another host.
func TestURLForIsNoOpenRedirect(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, requestURI := range []string{
		"//evil.example/plugins", "///evil.example/plugins", "/\\evil.example/plugins", "http://evil.example/plugins",
		"/%2fevil.example/plugins", "/%5cevil.example/plugins", "/a//evil.example/plugins", "/%0d%0aX: y/plugins", "*", "",
		"/\x00/plugins", "/%zz/plugins", "/x/%2f/plugins",
	} {
		for _, path := range []string{"/plugins", "plugins", "//evil.example", "/\\evil.example", `\\evil.example`} {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/plugins", nil)
			req.RequestURI, req.Host = requestURI, "evil.example"
			got := r.proxy.URLFor(req, path)
			if len(got) < 2 || got[0] != '/' || strings.ContainsAny(got[1:2], `/\`) || strings.ContainsAny(got, "\r\n\x00") ||
				strings.Contains(got, "//") || strings.Contains(got, "%2f") || strings.Contains(got, "%5c") {
				t.Errorf("RequestURI %q, URLFor(%q) = %q", requestURI, path, got)
			}
		}
	}
}

// Hooks see the path below the mount, which is that of the routes.
func TestHooksSeeThePathBelowTheMount(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	r := newRig(t, rigSetup{quiet: true, hooks: []hooks.Hook{
		hooks.On("path", func(_ context.Context, _ *hooks.Context, p *hooks.RequestCompleted) error {
			seen <- p.Path + " " + p.Endpoint
			return nil
		}),
	}})
	r.upstream.Enqueue(providertest.Message("x"))
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/llm"+messagesPath, strings.NewReader(wholeBody))
	r.proxy.Mount("/llm").ServeHTTP(httptest.NewRecorder(), req)
	if got := <-seen; got != messagesPath+" "+messagesPath {
		t.Errorf("hook saw %q", got)
	}
}

// A prefix that the host has stripped is found, whichever form the request's target has.
func TestURLForAbsoluteForm(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	h := newHost(t, http.StripPrefix("/llm", r.proxy), false)
	for _, target := range []string{"/llm/openapi.json", "http://h/llm/openapi.json"} {
		answer := h.raw(t, "GET "+target+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if !strings.Contains(answer, `"url": "/llm"`) {
			_, servers, _ := strings.Cut(answer, `"servers":`)
			t.Errorf("%s: %.40s", target, servers)
		}
	}
}
