package ccproxy_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// The keys of the fortress. Bob's is good for a model that nobody asks for here.
const (
	aliceKey = "ccp-4be1f7c09d23a856-alice"
	bobKey   = "ccp-97d2c3e85a41f60b-robert"
	wrongKey = "ccp-0f5a6b7c8d91e234-mallory"
)

func twoKeys() ccproxy.Settings {
	return ccproxy.Settings{Security: ccproxy.Security{Keys: []ccproxy.APIKey{
		{Name: "alice", Value: ccproxy.NewSecret(aliceKey)},
		{Name: "bob", Value: ccproxy.NewSecret(bobKey), Models: []string{"other-model"}},
	}}}
}

// fortress is a proxy whose plugins have endpoints of every policy and note which of them ran.
type fortress struct {
	*ccproxy.Proxy
	ran      journal // "METHOD template" of plugins' endpoints
	policies map[string]ccproxy.AuthPolicy
}

// fortressRoutes have fixed paths and variables, and patterns that overlap others of a stricter policy. The weaker
// ones come first, so that nothing depends on the order of their declaration.
func fortressRoutes() []ccproxy.RouteSpec {
	const (
		open   = ccproxy.AuthPublic
		closed = ccproxy.AuthRequired
	)
	return []ccproxy.RouteSpec{
		{Prefix: "/vault", Endpoints: []ccproxy.Endpoint{
			{Pattern: ""},
			{Pattern: "/open", Auth: open},
			{Pattern: "/closed", Auth: closed},
			{Method: "POST", Pattern: "/open"},
			{Pattern: "/items/{id}", Auth: open},
			{Pattern: "/items/admin", Auth: closed},
			{Method: "DELETE", Pattern: "/items/{id}", Auth: closed},
			{Pattern: "/{kind}/part/{id}", Auth: open},
			{Pattern: "/{kind}/part/root"},
		}},
		{Prefix: "/vault/deep", Auth: closed, Endpoints: []ccproxy.Endpoint{
			{Pattern: "/{x}"}, {Method: "PUT", Pattern: "/{x}/{y}"}, {Pattern: "/window", Auth: open},
		}},
		{Prefix: "/lobby", Auth: open, Endpoints: []ccproxy.Endpoint{
			{Pattern: "/{room}"},
			{Pattern: "/{room}/{desk}"},
			{Pattern: "/staff", Auth: closed},
			{Pattern: "/{room}/safe", Auth: closed},
			{Pattern: "/"},
			{Method: "POST", Pattern: "/"},
		}},
	}
}

func newFortress(t *testing.T, s ccproxy.Settings, opts ...ccproxy.Option) *fortress {
	t.Helper()
	f := &fortress{policies: make(map[string]ccproxy.AuthPolicy)}
	routes := fortressRoutes()
	for i := range routes {
		f.equip(&routes[i])
	}
	vault := ccproxy.Manifest{Name: "vault", Routes: routes, Middleware: []ccproxy.MiddlewareSpec{{
		Name: "rewriter", Layer: middleware.LayerRouting,
		New: func(*ccproxy.PluginContext) (middleware.Func, error) { return rewriter, nil },
	}}}
	f.Proxy = running(t, s, []ccproxy.Factory{echo.Factory(), plain(vault), f.polyglot()}, opts...)
	return f
}

// equip gives a route the handler that plugins mostly have: a mux of its own, which decodes paths as it likes.
func (f *fortress) equip(route *ccproxy.RouteSpec) {
	mux := http.NewServeMux()
	for _, e := range route.Endpoints {
		if e.Method == "" {
			e.Method = http.MethodGet
		}
		pattern := e.Pattern
		if pattern == "/" {
			pattern = "/{$}"
		}
		id := e.Method + " " + route.Prefix + e.Pattern
		f.policies[id] = route.Auth
		if e.Auth != ccproxy.AuthDefault {
			f.policies[id] = e.Auth
		}
		mux.HandleFunc(e.Method+" "+route.Prefix+pattern, func(w http.ResponseWriter, _ *http.Request) {
			f.ran.add(id)
			_, _ = io.WriteString(w, "ran "+id)
		})
	}
	route.New = func(*ccproxy.PluginContext) (http.Handler, error) { return mux, nil }
}

// polyglot is a provider of all three dialects that notes its calls.
func (f *fortress) polyglot() ccproxy.Factory {
	m := ccproxy.Manifest{Name: "poly", Kind: ccproxy.KindProvider}
	m.Providers = []ccproxy.ProviderSpec{{
		Formats: []adapters.Format{adapters.AnthropicMessages, adapters.OpenAIChatCompletions, adapters.OpenAIResponses},
		New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return polyglot{f}, nil },
	}}
	return plain(m)
}

type polyglot struct{ f *fortress }

func (p polyglot) Models(context.Context) ([]ccproxy.Model, error) {
	p.f.ran.add("poly models")
	return []ccproxy.Model{{ID: "v"}}, nil
}

func (p polyglot) Do(_ context.Context, c *ccproxy.Call) (*ccproxy.Answer, error) {
	p.f.ran.add("poly " + c.Endpoint)
	ans := &ccproxy.Answer{Header: http.Header{
		"Access-Control-Allow-Origin": {"https://upstream.test"}, "Access-Control-Allow-Credentials": {"true"},
		"Access-Control-Expose-Headers": {"*"}, "Access-Control-Max-Age": {"1"}, "Vary": {"X-Upstream"}, "X-Request-Id": {"theirs"},
	}}
	body := `{"type":"message"}`
	switch c.Header.Get("X-Answer") {
	case "stream":
		ans.Stream = true
		body = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	case "error":
		ans.Status, body = http.StatusTooManyRequests, `{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}`
	case "failure":
		return nil, errPlanned
	case "panic":
		panic("canary-panic-value")
	}
	ans.Body = io.NopCloser(strings.NewReader(body))
	return ans, nil
}

// rewriter sends requests elsewhere, in the ways in which middleware does that.
func rewriter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, path, _ := strings.Cut(r.Header.Get("X-Rewrite-To"), " ")
		switch r.Header.Get("X-Rewrite-How") {
		case "copy":
			r = r.Clone(r.Context())
			r.Method, r.URL.Path, r.URL.RawPath = method, path, ""
		case "new URL":
			r.Method, r.URL = method, &url.URL{Path: path}
		case "in place":
			r.Method, r.URL.Path, r.URL.RawPath = method, path, ""
		}
		next.ServeHTTP(w, r)
	})
}

// ranOf are the plugins' endpoints that ran since the last call.
func (f *fortress) ranOf() []string {
	f.ran.mu.Lock()
	defer f.ran.mu.Unlock()
	lines := f.ran.lines
	f.ran.lines = nil
	return lines
}

// guarded tells whether what ran is something that only callers with a key may reach.
func (f *fortress) guarded(ran string) bool {
	policy, ofPlugin := f.policies[ran]
	return !ofPlugin || policy != ccproxy.AuthPublic
}

// listedEndpoint is an operation of the OpenAPI document.
type listedEndpoint struct {
	method, path string
	public       bool
}

func (e listedEndpoint) id() string { return e.method + " " + e.path }

// target is the path with a value for each variable.
func (e listedEndpoint) target() string {
	segments := strings.Split(e.path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "v"
		}
	}
	return strings.Join(segments, "/")
}

func (e listedEndpoint) request(ctx context.Context) *http.Request {
	r := httptest.NewRequestWithContext(ctx, e.method, e.target(), strings.NewReader(exampleRequest))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// dialect is the one that errors of the endpoint are in.
func (e listedEndpoint) dialect() dialect {
	switch {
	case strings.Contains(e.path, "/messages"):
		return anthropicDialect
	case strings.Contains(e.path, "/v1/"):
		return openAIDialect
	default:
		return neutralDialect
	}
}

type openAPIDocument struct {
	Servers []struct {
		URL string `json:"url"`
	} `json:"servers"`
	Paths map[string]map[string]struct {
		OperationID string                `json:"operationId"`
		Security    []map[string][]string `json:"security"`
	} `json:"paths"`
}

// described reads the OpenAPI document as a caller with a key.
func described(t *testing.T, h http.Handler, path string) openAPIDocument {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+aliceKey)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var doc openAPIDocument
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s: %v", path, w.Code, w.Body, err)
	}
	return doc
}

func (d openAPIDocument) endpoints() []listedEndpoint {
	var out []listedEndpoint
	for path, methods := range d.Paths {
		for method, op := range methods {
			out = append(out, listedEndpoint{strings.ToUpper(method), path, len(op.Security) == 0})
		}
	}
	slices.SortFunc(out, func(a, b listedEndpoint) int { return strings.Compare(a.id(), b.id()) })
	return out
}

// endpoints are those of the fortress, from its own description.
func (f *fortress) endpoints(t *testing.T) []listedEndpoint {
	t.Helper()
	all := described(t, f, "/openapi.json").endpoints()
	if want := len(f.policies) + 20; len(all) < want {
		t.Fatalf("%d endpoints are described, want %d at least", len(all), want)
	}
	f.ranOf()
	return all
}

type credentials struct {
	name   string
	header http.Header
	query  string
	ok     bool
}

func credentialCases() []credentials {
	bearer := func(v ...string) http.Header { return http.Header{"Authorization": v} }
	key := func(v ...string) http.Header { return http.Header{"X-Api-Key": v} }
	both := func(a, k string) http.Header {
		return http.Header{"Authorization": {"Bearer " + a}, "X-Api-Key": {k}}
	}
	named := func(name string) http.Header { return http.Header{name: {aliceKey}} }
	return []credentials{
		{name: "none"},
		{name: "bearer", header: bearer("Bearer " + aliceKey), ok: true},
		{name: "x-api-key", header: key(aliceKey), ok: true},
		{name: "other key", header: key(bobKey), ok: true},
		{name: "both and equal", header: both(aliceKey, aliceKey), ok: true},
		{name: "lower-case scheme", header: bearer("bearer " + aliceKey), ok: true},
		{name: "both and different", header: both(aliceKey, bobKey)},
		{name: "right bearer, wrong key", header: both(aliceKey, wrongKey)},
		{name: "wrong bearer, right key", header: both(wrongKey, aliceKey)},
		{name: "right bearer, empty key", header: both(aliceKey, "")},
		{name: "empty bearer, right key", header: http.Header{"Authorization": {""}, "X-Api-Key": {aliceKey}}},
		{name: "empty authorization", header: bearer("")},
		{name: "scheme alone", header: bearer("Bearer ")},
		{name: "empty key", header: key("")},
		{name: "wrong bearer", header: bearer("Bearer " + wrongKey)},
		{name: "wrong key", header: key(wrongKey)},
		{name: "beginning of a key", header: key(aliceKey[:len(aliceKey)-1])},
		{name: "key and more", header: key(aliceKey + "x")},
		{name: "key in upper case", header: key(strings.ToUpper(aliceKey))},
		{name: "name of a key", header: key("alice")},
		{name: "two spaces", header: bearer("Bearer  " + aliceKey)},
		{name: "space after", header: key(aliceKey + " ")},
		{name: "no scheme", header: bearer(aliceKey)},
		{name: "basic", header: bearer("Basic YWxpY2U6Y2NwLTRiZTFmN2MwOWQyM2E4NTYtYWxpY2U=")},
		{name: "basic with the key", header: bearer("Basic " + aliceKey)},
		{name: "two values", header: key(aliceKey, wrongKey)},
		{name: "two equal values", header: key(aliceKey, aliceKey)},
		{name: "two authorizations", header: bearer("Bearer "+aliceKey, "Bearer "+aliceKey)},
		{name: "list", header: key(aliceKey + "," + bobKey)},
		{name: "query key", query: "key=" + aliceKey},
		{name: "query api_key", query: "api_key=" + aliceKey + "&x-api-key=" + aliceKey},
		{name: "query access_token", query: "access_token=" + aliceKey},
		{name: "cookie", header: http.Header{"Cookie": {"x-api-key=" + aliceKey}}},
		{name: "proxy authorization", header: named("Proxy-Authorization")},
		{name: "another header", header: named("Api-Key")},
		{name: "underscores", header: named("X_api_key")},
	}
}

// want401 checks what a caller without a key is told.
func want401(t *testing.T, rec *httptest.ResponseRecorder, in dialect) {
	t.Helper()
	typ := "authentication_error"
	wantError(t, rec, in, http.StatusUnauthorized, typ, "API key")
	if got := rec.Header().Values("Www-Authenticate"); !slices.Equal(got, []string{"Bearer"}) {
		t.Errorf("WWW-Authenticate = %q, want Bearer", got)
	}
}

// TestAuthorizationMatrix holds for every endpoint that the document lists: a new one is covered by being there.
//
//nolint:paralleltest,tparallel // the cases share one proxy, one after the other
func TestAuthorizationMatrix(t *testing.T) {
	t.Parallel()
	f := newFortress(t, twoKeys())
	for _, e := range f.endpoints(t) {
		for _, c := range credentialCases() {
			r := e.request(t.Context())
			maps.Copy(r.Header, c.header)
			r.URL.RawQuery = c.query
			rec := httptest.NewRecorder()
			f.ServeHTTP(rec, r)
			ran := f.ranOf()
			t.Run(e.id()+"/"+c.name, func(t *testing.T) {
				if !c.ok && !e.public {
					want401(t, rec, e.dialect())
					if len(ran) > 0 {
						t.Errorf("%v ran", ran)
					}
					return
				}
				if rec.Code == http.StatusUnauthorized {
					t.Fatalf("status = 401: %s", rec.Body)
				}
				if _, ofPlugin := f.policies[e.id()]; ofPlugin && !slices.Equal(ran, []string{e.id()}) {
					t.Errorf("%v ran; status %d %s", ran, rec.Code, rec.Body)
				}
			})
		}
	}
}

// The document says of each endpoint what was declared.
func TestDescribedPolicies(t *testing.T) {
	t.Parallel()
	f := newFortress(t, twoKeys())
	declared := map[string]bool{
		"GET /": true, "GET /health": true, "GET /health/live": true, "GET /health/ready": true,
		"GET /oauth/{provider}/callback": true, // worth nothing without the session that it ends
	}
	for id, policy := range f.policies {
		declared[id] = policy == ccproxy.AuthPublic
	}
	seen := make(map[string]bool)
	for _, e := range f.endpoints(t) {
		seen[e.id()] = true
		if e.public != declared[e.id()] {
			t.Errorf("%s is described as public: %t, want %t", e.id(), e.public, declared[e.id()])
		}
	}
	for id := range declared {
		if !seen[id] {
			t.Errorf("%s is not described", id)
		}
	}
}

// What does not exist is as protected as what does.
func TestMissingNeedsAKey(t *testing.T) {
	t.Parallel()
	f := newFortress(t, twoKeys())
	tests := []struct {
		method, path string
		in           dialect
		status       int
	}{
		{"GET", "/nothing", neutralDialect, 404},
		{"POST", "/v2/messages", anthropicDialect, 404},
		{"POST", "/v2/chat/completions", openAIDialect, 404},
		{"GET", "/vault/nothing", neutralDialect, 404},
		{"POST", "/health", neutralDialect, 405},
		{"GET", "/echo/v1/messages", anthropicDialect, 405},
		{"GET", "/poly/v1/responses", openAIDialect, 405},
		{"DELETE", "/plugins", neutralDialect, 405},
		{"PATCH", "/vault/open", neutralDialect, 405},
		{"PATCH", "/lobby/x", neutralDialect, 405},
		{"OPTIONS", "/vault/closed", neutralDialect, 405},
		{"TRACE", "/vault/closed", neutralDialect, 405},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			rec := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, http.NoBody)
			f.ServeHTTP(rec, r)
			want401(t, rec, tt.in)
			if allow := rec.Header().Get("Allow"); allow != "" {
				t.Errorf("Allow = %q is told to a stranger", allow)
			}
			r.Header.Set("X-Api-Key", aliceKey)
			rec = httptest.NewRecorder()
			f.ServeHTTP(rec, r)
			if rec.Code != tt.status {
				t.Errorf("status with a key = %d, want %d", rec.Code, tt.status)
			}
		})
	}
}

// Without keys only what asks for one in any case is closed, with whatever a client sends.
func TestNoKeysConfigured(t *testing.T) {
	t.Parallel()
	f := newFortress(t, ccproxy.Settings{})
	for _, e := range f.endpoints(t) {
		required := f.policies[e.id()] == ccproxy.AuthRequired
		for _, h := range []http.Header{nil, {"X-Api-Key": {aliceKey}}, {"Authorization": {"Bearer " + aliceKey}}} {
			r := e.request(t.Context())
			maps.Copy(r.Header, h)
			rec := httptest.NewRecorder()
			f.ServeHTTP(rec, r)
			if required {
				want401(t, rec, e.dialect())
			} else if rec.Code == http.StatusUnauthorized {
				t.Errorf("%s with %v = 401", e.id(), h)
			}
		}
		rec := httptest.NewRecorder()
		f.ServeHTTP(rec, e.request(ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: "host"})))
		if rec.Code == http.StatusUnauthorized {
			t.Errorf("%s of a caller that the host knows = 401", e.id())
		}
	}
}

// A caller that the host knows, and what the process itself asks, needs no key.
func TestKnownCallersNeedNoKey(t *testing.T) {
	t.Parallel()
	f := newFortress(t, twoKeys())
	for _, e := range f.endpoints(t) {
		rec := httptest.NewRecorder()
		r := e.request(ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: "host"}))
		r.Header.Set("X-Api-Key", wrongKey) // the host's own, perhaps
		f.ServeHTTP(rec, r)
		if rec.Code == http.StatusUnauthorized {
			t.Errorf("%s of a known caller = 401", e.id())
		}
		resp, err := f.Transport().RoundTrip(e.request(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusUnauthorized {
			t.Errorf("%s in process = 401", e.id())
		}
	}
}
