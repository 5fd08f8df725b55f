package hosts

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
)

// prefixes are mounts as an application might choose them; the address is how a client writes it.
func prefixes() []struct{ mount, address string } {
	return []struct{ mount, address string }{
		{"", ""},
		{"/", ""},
		{"/llm", "/llm"},
		{"llm", "/llm"},
		{"/llm/", "/llm"},
		{"/a/b", "/a/b"},
		{"/api/v1/llm", "/api/v1/llm"},
		{"/a/b/c/d/e/f", "/a/b/c/d/e/f"},
		{"/claude", "/claude"},
		{"/v1", "/v1"},
		{"/plugins", "/plugins"},
		{"/health", "/health"},
		{"/claude/v1/messages", "/claude/v1/messages"},
		{"/a.b/~c", "/a.b/~c"},
		{"/-_", "/-_"},
		{"/a b", "/a%20b"},
		{"/100%", "/100%25"},
		{"/ü/llm", "/%C3%BC/llm"},
		{"/ü/llm", "/%c3%bc/llm"},
		{"/llm", "/%6clm"},
		{"/a:b@c", "/a:b@c"},
		{"/a+b", "/a+b"},
		{"/{x}", "/%7Bx%7D"},
		{"/LLM", "/LLM"},
	}
}

var (
	// varies are the parts of answers that differ from one request to the next: ids and times.
	varies = regexp.MustCompile(`[0-9a-f]{32}|[0-9]{20,}|"created":[0-9]+|"time":"[^"]*"`)

	variable = regexp.MustCompile(`\{[^}]*\}`)
	address  = regexp.MustCompile(`"url": "([^"]*)"`) // in openapi.json
)

// TestMounts holds that every route, with every method, answers below every prefix as it does at the root, and that what
// an answer links to is below the prefix.
func TestMounts(t *testing.T) {
	t.Parallel()
	for _, p := range prefixes() {
		t.Run(p.address+" for "+p.mount, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, host{base: p.address, wrap: func(proxy *ccproxy.Proxy) http.Handler {
				return compared{mounted: proxy.Mount(p.mount), proxy: proxy}
			}})
			both, ok := r.server.Config.Handler.(compared)
			if !ok {
				t.Fatalf("the server has a %T", r.server.Config.Handler)
			}
			endpoints := both.proxy.Endpoints()
			if len(endpoints) < 20 {
				t.Errorf("only %d endpoints", len(endpoints))
			}
			for _, e := range endpoints {
				path := variable.ReplaceAllString(e.Path, "a%2Db")
				for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PUT"} {
					both.check(t, method, p.address, path)
				}
			}
		})
	}
}

// compared is a proxy at its root and below a prefix.
type compared struct {
	mounted http.Handler
	proxy   *ccproxy.Proxy
}

func (c compared) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mounted.ServeHTTP(w, r) }

func (c compared) check(t *testing.T, method, address, path string) {
	t.Helper()
	want, got := answerOf(t, c.proxy, method, path), answerOf(t, c.mounted, method, address+path)
	for i, link := range want.Links {
		want.Links[i] = plainPath(t, address+link)
	}
	for i, link := range got.Links {
		got.Links[i] = plainPath(t, link) // which may be escaped in another way
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s %s%s (-root +mount):\n%s", method, address, path, diff)
	}
}

type answer struct {
	Status int
	Names  []string // of headers
	Links  []string
	Body   string
}

func answerOf(t *testing.T, h http.Handler, method, target string) answer {
	t.Helper()
	body := ""
	if method == http.MethodPost && strings.Contains(target, "/v1/") {
		body = wholeBody
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body)))
	a := answer{Status: rec.Code, Links: slices.Concat(rec.Header()["Location"], rec.Header()["X-Link"])}
	for name := range rec.Header() {
		a.Names = append(a.Names, name)
	}
	slices.Sort(a.Names)
	text := rec.Body.String()
	for _, found := range address.FindAllStringSubmatch(text, -1) {
		a.Links = append(a.Links, found[1])
		text = strings.ReplaceAll(text, found[0], "")
	}
	a.Body = varies.ReplaceAllString(text, "…")
	return a
}

func plainPath(t *testing.T, link string) string {
	t.Helper()
	plain, err := url.PathUnescape(strings.TrimSuffix(link, "/"))
	if err != nil {
		t.Errorf("link %q: %v", link, err)
	}
	return plain
}
