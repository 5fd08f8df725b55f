package ccproxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

const appOrigin = "https://app.example.com"

// withPages are the settings of two keys and a page that may call.
func withPages() ccproxy.Settings {
	s := twoKeys()
	s.Security.Origins = []string{appOrigin, "http://localhost:*"}
	return s
}

// asked sends a body in Anthropic's format to a path with these headers.
func asked(t *testing.T, h http.Handler, method, path string, header http.Header) (rec *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(exampleRequest))
	r.Header.Set("Content-Type", "application/json")
	maps.Copy(r.Header, header)
	if host := header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	rec = httptest.NewRecorder()
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { // which a server would take for the end
			panic(v)
		}
	}()
	h.ServeHTTP(rec, r)
	return rec
}

// headers makes a header of names and values.
func headers(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// polyPaths are an endpoint of each dialect, all of them in front of the same provider.
func polyPaths() map[string]dialect {
	return map[string]dialect{
		"/poly/v1/messages": anthropicDialect, "/poly/v1/chat/completions": openAIDialect, "/poly/v1/responses": openAIDialect,
	}
}

// Pages of other origins reach nothing, whatever key they have come by.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		header  http.Header
		refused string // the header at fault
	}{
		{"program", nil, ""},
		{"foreign", headers("Origin", "https://evil.test"), "Origin"},
		{"null", headers("Origin", "null"), "Origin"},
		{"two", headers("Origin", appOrigin, "Origin", appOrigin), "Origin"},
		{"allowed", headers("Origin", appOrigin, "Sec-Fetch-Site", "cross-site"), ""},
		{"allowed port", headers("Origin", "http://localhost:5173"), ""},
		{"allowed name elsewhere", headers("Origin", appOrigin+".evil.test"), "Origin"},
		{"allowed name, plain HTTP", headers("Origin", "http://app.example.com"), "Origin"},
		{"own", headers("Origin", "http://example.com"), ""},
		{"another site, no origin", headers("Sec-Fetch-Site", "cross-site"), "Sec-Fetch-Site"},
		{"same origin", headers("Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFortress(t, withPages())
			for path, in := range polyPaths() {
				h := tt.header.Clone()
				if h == nil {
					h = make(http.Header)
				}
				h.Set("X-Api-Key", aliceKey)
				rec := asked(t, f, http.MethodPost, path, h)
				ran := f.ranOf()
				if tt.refused == "" {
					if rec.Code != http.StatusOK || len(ran) != 1 {
						t.Errorf("%s = %d %s, %v ran", path, rec.Code, rec.Body, ran)
					}
					continue
				}
				typ := "permission_error"
				wantError(t, rec, in, http.StatusForbidden, typ, tt.refused)
				if e, _ := shapeOf(t, rec.Body.Bytes()); in == openAIDialect && (e.Error.Param == nil || *e.Error.Param != tt.refused) {
					t.Errorf("param of %s, want %s", rec.Body, tt.refused)
				}
				if len(ran) > 0 {
					t.Errorf("%s: %v ran", path, ran)
				}
			}
			// Without keys, too, since that is when a page could do most.
			open := newFortress(t, ccproxy.Settings{Security: ccproxy.Security{Origins: withPages().Security.Origins}})
			rec := asked(t, open, http.MethodPost, "/poly/v1/messages", tt.header)
			if refused := rec.Code == http.StatusForbidden; refused != (tt.refused != "") || refused == (len(open.ranOf()) > 0) {
				t.Errorf("without keys: %d %s", rec.Code, rec.Body)
			}
		})
	}
}

// A page that may call can read every answer; what the upstream says of pages does not count.
func TestPagesReadAnswers(t *testing.T) {
	t.Parallel()
	f := newFortress(t, withPages())
	answer := func(what string) http.Header { return headers("X-Api-Key", aliceKey, "X-Answer", what) }
	tests := []struct {
		name, method, path string
		header             http.Header
		status             int
	}{
		{"answer", "POST", "/poly/v1/messages", answer(""), 200},
		{"stream", "POST", "/poly/v1/messages", answer("stream"), 200},
		{"provider's error", "POST", "/poly/v1/messages", answer("error"), 429},
		{"failure", "POST", "/poly/v1/messages", answer("failure"), 502},
		{"panic", "POST", "/poly/v1/messages", answer("panic"), 500},
		{"no key", "POST", "/poly/v1/messages", nil, 401},
		{"no model", "POST", "/poly/v1/messages", headers("X-Api-Key", bobKey), 403},
		{"no such path", "GET", "/nothing", answer(""), 404},
		{"no such method", "GET", "/poly/v1/messages", answer(""), 405},
		{"health", "GET", "/health", nil, 200},
		{"plugin", "GET", "/vault/closed", answer(""), 200},
		{"options", "OPTIONS", "/vault/closed", answer(""), 405},
	}
	for _, tt := range tests {
		for _, origin := range []string{appOrigin, "http://localhost:1", ""} {
			t.Run(tt.name+"/"+origin, func(t *testing.T) {
				t.Parallel()
				h := tt.header.Clone()
				if h == nil {
					h = make(http.Header)
				}
				if origin != "" {
					h.Set("Origin", origin)
				}
				rec := asked(t, f, tt.method, tt.path, h)
				if rec.Code != tt.status {
					t.Fatalf("status = %d, want %d: %s", rec.Code, tt.status, rec.Body)
				}
				got := rec.Header()
				var want []string
				if origin != "" {
					want = []string{origin}
				}
				if diff := cmp.Diff(want, got["Access-Control-Allow-Origin"]); diff != "" {
					t.Errorf("Access-Control-Allow-Origin (-want +got):\n%s", diff)
				}
				if exposed := got.Get("Access-Control-Expose-Headers"); strings.Contains(exposed, "x-request-id") != (origin != "") {
					t.Errorf("Access-Control-Expose-Headers = %q", exposed)
				}
				if got.Get("Access-Control-Allow-Credentials") != "" || got.Get("Access-Control-Max-Age") != "" {
					t.Errorf("the upstream's headers came through: %v", got)
				}
				if !slices.Contains(got["Vary"], "Origin") {
					t.Errorf("Vary = %q, want Origin in it", got["Vary"])
				}
				if id := got.Get("X-Request-Id"); id == "" || id == "theirs" {
					t.Errorf("X-Request-Id = %q", id)
				}
			})
		}
	}
}

// A browser asks before it sends a key, so that question needs none, wherever it is about.
func TestPreflights(t *testing.T) {
	t.Parallel()
	f := newFortress(t, withPages())
	paths := []string{"/nothing", "/poly/v1/nothing"}
	for _, e := range f.endpoints(t) {
		paths = append(paths, e.target())
	}
	for _, path := range paths {
		for origin, want := range map[string]string{appOrigin: appOrigin, "https://evil.test": "", "null": ""} {
			rec := asked(t, f, http.MethodOptions, path, headers("Origin", origin, "Access-Control-Request-Method", "POST",
				"Access-Control-Request-Headers", "x-api-key,content-type"))
			got := rec.Header()
			if rec.Code != http.StatusNoContent || rec.Body.Len() > 0 || got.Get("Access-Control-Allow-Origin") != want {
				t.Errorf("preflight of %s for %s = %d %v %s", origin, path, rec.Code, got, rec.Body)
			}
			if allowed := got.Get("Access-Control-Allow-Headers"); (want != "") != (allowed == "x-api-key, content-type") {
				t.Errorf("preflight of %s for %s allows %q", origin, path, allowed)
			}
			if age := got.Get("Access-Control-Max-Age"); (want != "") != (age == "600") {
				t.Errorf("preflight of %s for %s holds %q seconds", origin, path, age)
			}
		}
	}
	if ran := f.ranOf(); len(ran) > 0 {
		t.Errorf("%v ran", ran)
	}
	closed := newFortress(t, twoKeys())
	rec := asked(t, closed, http.MethodOptions, "/poly/v1/messages", headers("Origin", appOrigin, "Access-Control-Request-Method", "POST"))
	wantError(t, rec, anthropicDialect, http.StatusForbidden, "permission_error", "Origin")
}

// A page whose own name leads to this machine sends that name.
//
//nolint:paralleltest,tparallel // the cases share one provider, one after the other
func TestHosts(t *testing.T) {
	t.Parallel()
	s := twoKeys()
	s.Security.Hosts = []string{"localhost", "127.0.0.1:8000", "[::1]", "llm.example.com:443"}
	f := newFortress(t, s)
	tests := []struct {
		host string
		ok   bool
	}{
		{"localhost", true},
		{"localhost:8000", true},
		{"LOCALHOST:1", true},
		{"localhost.", true},
		{"127.0.0.1:8000", true},
		{"[::1]:9", true},
		{"llm.example.com", true},
		{"127.0.0.1:8001", false},
		{"127.0.0.1", false},
		{"evil.test", false},
		{"localhost.evil.test", false},
		{"127.0.0.1.nip.test", false},
		{"evil.test:8000", false},
		{"localhost@evil.test", false},
		{"localhost,evil.test", false},
		{"0x7f.1:8000", false},
		{"2130706433:8000", false},
		{"[::ffff:127.0.0.1]:8000", false},
		{"localhost:", false},
		{"xlocalhost", false},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			rec := asked(t, f, http.MethodGet, "/health", headers("Host", tt.host))
			if ok := rec.Code == http.StatusOK; ok != tt.ok {
				t.Errorf("GET /health = %d %s", rec.Code, rec.Body)
			}
			for path, in := range polyPaths() {
				rec := asked(t, f, http.MethodPost, path, headers("Host", tt.host, "X-Api-Key", aliceKey, "X-Forwarded-Host", "localhost"))
				if tt.ok {
					if rec.Code != http.StatusOK {
						t.Errorf("%s = %d %s", path, rec.Code, rec.Body)
					}
					continue
				}
				wantError(t, rec, in, http.StatusForbidden, "permission_error", "Host")
				if strings.Contains(rec.Body.String(), "evil") {
					t.Errorf("the answer repeats the host: %s", rec.Body)
				}
			}
			if ran := f.ranOf(); (len(ran) == len(polyPaths())) != tt.ok || !tt.ok && len(ran) > 0 {
				t.Errorf("the provider saw %v", ran)
			}
		})
	}
}

func TestRequestLimitsInTheDialect(t *testing.T) {
	t.Parallel()
	f := newFortress(t, twoKeys())
	many := make(http.Header)
	for i := range 300 {
		many[fmt.Sprintf("X-%d", i)] = []string{"v"}
	}
	tests := []struct {
		name, query string
		header      http.Header
		status      int
		names       string
	}{
		{"long URL", "x=" + strings.Repeat("a", 17<<10), nil, http.StatusRequestURITooLong, "16384"},
		{"large header", "", headers("X-Large", strings.Repeat("a", 65<<10)), http.StatusRequestHeaderFieldsTooLarge, "65536"},
		{"many headers", "", many, http.StatusRequestHeaderFieldsTooLarge, "256"},
	}
	for _, tt := range tests {
		for path, in := range polyPaths() {
			t.Run(tt.name+path, func(t *testing.T) {
				t.Parallel()
				wantError(t, asked(t, f, http.MethodPost, path+"?"+tt.query, tt.header), in, tt.status, "invalid_request_error", tt.names)
			})
		}
	}
}

func TestWrongSecuritySettings(t *testing.T) {
	t.Parallel()
	key := func(name, value string) ccproxy.APIKey {
		return ccproxy.APIKey{Name: name, Value: ccproxy.NewSecret(value)}
	}
	tests := []struct {
		name  string
		s     ccproxy.Security
		names []string
	}{
		{"no value", ccproxy.Security{Keys: []ccproxy.APIKey{{Name: "a"}}}, []string{"security.keys"}},
		{"no name", ccproxy.Security{Keys: []ccproxy.APIKey{key("", aliceKey)}}, []string{"security.keys"}},
		{"short", ccproxy.Security{Keys: []ccproxy.APIKey{key("a", "c4n4ry")}}, []string{"security.keys"}},
		{"sample", ccproxy.Security{Keys: []ccproxy.APIKey{key("a", "your-api-key")}}, []string{"security.keys"}},
		{"spaces", ccproxy.Security{Keys: []ccproxy.APIKey{key("a", aliceKey+" x")}}, []string{"security.keys"}},
		{"one value twice", ccproxy.Security{Keys: []ccproxy.APIKey{key("a", aliceKey), key("b", aliceKey)}}, []string{"security.keys"}},
		{"one name twice", ccproxy.Security{Keys: []ccproxy.APIKey{key("a", aliceKey), key("a", bobKey)}}, []string{"security.keys"}},
		{"exchanged", ccproxy.Security{Keys: []ccproxy.APIKey{key(aliceKey, "a")}}, []string{"security.keys"}},
		{"host", ccproxy.Security{Hosts: []string{"localhost", "http://x"}}, []string{"security.hosts", `"http://x"`}},
		{"origin", ccproxy.Security{Origins: []string{appOrigin + "/path"}}, []string{"security.origins", appOrigin}},
		{"null", ccproxy.Security{Origins: []string{"null"}}, []string{"security.origins", "null"}},
		{"all", ccproxy.Security{
			Keys: []ccproxy.APIKey{key("a", aliceKey+"\n")}, Hosts: []string{"a b"}, Origins: []string{"x"},
		}, []string{"security.keys", "security.hosts", "security.origins"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := registryOf(t, echo.Factory()).Build(ccproxy.Settings{Security: tt.s})
			if err == nil {
				t.Fatal("Build succeeded")
			}
			for _, key := range []string{"security.keys", "security.hosts", "security.origins"} {
				if named := strings.Contains(err.Error(), key); named != slices.Contains(tt.names, key) {
					t.Errorf("error = %v; names %s: %t", err, key, named)
				}
			}
			for _, name := range tt.names {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("error = %v, want %s in it", err, name)
				}
			}
			for _, secret := range []string{aliceKey, bobKey, "c4n4ry", "your-api-key"} {
				if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, secret) {
					t.Errorf("the error shows a key: %s", text)
				}
			}
		})
	}
}

// Proxies share nothing, and a proxy does not see what becomes of the settings it was built of.
func TestKeysOfTwoProxies(t *testing.T) {
	t.Parallel()
	one := ccproxy.Settings{Security: ccproxy.Security{Keys: twoKeys().Security.Keys[:1]}}
	two := ccproxy.Settings{Security: ccproxy.Security{Keys: twoKeys().Security.Keys[1:]}}
	a, b := newFortress(t, one), newFortress(t, two)
	two.Security.Keys[0] = one.Security.Keys[0]
	for _, tt := range []struct {
		f    *fortress
		key  string
		want int
	}{{a, aliceKey, 200}, {a, bobKey, 401}, {b, aliceKey, 401}, {b, bobKey, 200}} {
		if rec := asked(t, tt.f, http.MethodGet, "/vault/closed", headers("X-Api-Key", tt.key)); rec.Code != tt.want {
			t.Errorf("%s = %d, want %d", tt.key, rec.Code, tt.want)
		}
	}
}

// TestKeysStaySecret sends keys, right ones and wrong ones, in all the ways that clients do, and then looks for them
// in whatever the proxy has said, to anybody.
func TestKeysStaySecret(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	var seen journal
	var own string
	spy := ccproxy.Manifest{Name: "spy", Hooks: []ccproxy.HookSpec{{Queue: 1 << 14, New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
		own = fmt.Sprintf("%+v %#v %v", pc.Settings, pc.Settings, pc.Settings.Security)
		for _, key := range pc.Settings.Security.Keys {
			own += " " + key.Value.Reveal()
		}
		return hooks.Observe("spy", func(_ context.Context, hc *hooks.Context) error {
			text, err := json.Marshal(hc.Payload)
			seen.add(fmt.Sprintf("%+v %#v %s %v", hc, hc.Payload, text, err))
			if r, ok := hc.Payload.(*hooks.RequestFailed); ok {
				for name, value := range r.Header.All() {
					seen.add(name + ": " + value)
				}
			}
			return nil
		}, hooks.Events()...), nil
	}}}}
	f := &fortress{policies: map[string]ccproxy.AuthPolicy{}}
	s := withPages()
	p := built(t, s, []ccproxy.Factory{echo.Factory(), f.polyglot(), plain(spy), plain(ccproxy.Manifest{
		Name: "bomb", Routes: []ccproxy.RouteSpec{{
			Prefix: "/bomb", Endpoints: []ccproxy.Endpoint{{}},
			New: func(*ccproxy.PluginContext) (http.Handler, error) {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { panic(r.Header) }), nil
			},
		}},
	})}, ccproxy.WithLogger(logger))
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var answers strings.Builder
	requests := 0
	for _, e := range described(t, p, "/openapi.json").endpoints() {
		for _, c := range credentialCases() {
			for _, what := range []string{"", "failure", "panic", "error"} {
				if what != "" && !strings.HasPrefix(e.path, "/poly") {
					continue
				}
				h := c.header.Clone()
				if h == nil {
					h = make(http.Header)
				}
				h.Set("X-Answer", what)
				rec := asked(t, p, e.method, e.target()+"?"+c.query, h)
				answers.WriteString(fmt.Sprint(rec.Header(), rec.Body))
				requests++
			}
		}
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := strings.Join(seen.all(), "\n")
	if n := strings.Count(told, "request."); n < requests || !strings.Contains(log.String(), "handler failed") {
		t.Fatalf("%d requests, hooks saw %d, log of %d bytes", requests, n, log.Len())
	}
	places := map[string]string{
		"log": log.String(), "hooks": told, "answers": answers.String(), "settings of plugins": own,
		"settings": fmt.Sprintf("%v %+v %#v %v %+v", s, s, s, s.Security, s.Security.Keys),
	}
	for place, text := range places {
		for _, key := range []string{aliceKey, bobKey, wrongKey} {
			if i := strings.Index(text, key); i >= 0 {
				t.Errorf("the %s show a key: …%s…", place, text[max(0, i-200):min(len(text), i+40)])
			}
		}
	}
}

// Every answer has a request id, and hooks learn whose request it was.
func TestCallerInHooks(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{settings: twoKeys()})
	ends := func(rec *httptest.ResponseRecorder) hooks.Request {
		switch end := (<-r.ends).(type) {
		case *hooks.RequestCompleted:
			return end.Request
		case *hooks.RequestFailed:
			if rec.Code < http.StatusBadRequest {
				t.Errorf("request failed, status %d", rec.Code)
			}
			return end.Request
		}
		return hooks.Request{}
	}
	tests := []struct {
		name, path string
		header     http.Header
		ctx        context.Context
		status     int
		caller     string
		id         string
	}{
		{"key", messagesPath, headers("X-Api-Key", aliceKey), nil, 200, "alice", ""},
		{"bearer", messagesPath, headers("Authorization", "Bearer "+aliceKey), nil, 200, "alice", ""},
		{"model refused", messagesPath, headers("X-Api-Key", bobKey), nil, 403, "bob", ""},
		{"no key", messagesPath, nil, nil, 401, "", ""},
		{"wrong key", messagesPath, headers("X-Api-Key", wrongKey), nil, 401, "", ""},
		{"host's caller", messagesPath, headers("X-Api-Key", aliceKey), ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: "host"}), 200, "host", ""},
		{"client's id", messagesPath, headers("X-Api-Key", aliceKey, "X-Request-Id", "client-1"), nil, 200, "alice", "client-1"},
		{"client's id, refused", messagesPath, headers("X-Request-Id", "client-2"), nil, 401, "", "client-2"},
		{"id that is none", messagesPath, headers("X-Request-Id", "a b"), nil, 401, "", ""},
	}
	for _, tt := range tests {
		ctx := t.Context()
		if tt.ctx != nil {
			ctx = tt.ctx
		}
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, tt.path, strings.NewReader(wholeBody))
		maps.Copy(req.Header, tt.header)
		rec := httptest.NewRecorder()
		r.proxy.ServeHTTP(rec, req)
		got := ends(rec)
		if rec.Code != tt.status || got.CallerID != tt.caller {
			t.Errorf("%s: status %d, caller %q, want %d, %q", tt.name, rec.Code, got.CallerID, tt.status, tt.caller)
		}
		id := rec.Header().Get("X-Request-Id")
		if id == "" || got.ID != id || tt.id != "" && id != tt.id || tt.id == "" && id == req.Header.Get("X-Request-Id") {
			t.Errorf("%s: id %q, in the hook %q, want %q", tt.name, id, got.ID, tt.id)
		}
	}
}

// What a request passes, outermost first.
func TestMiddlewareOrder(t *testing.T) {
	t.Parallel()
	spec := func(name string, layer middleware.Layer) ccproxy.MiddlewareSpec {
		return ccproxy.MiddlewareSpec{Name: name, Layer: layer, New: func(*ccproxy.PluginContext) (middleware.Func, error) { return passMiddleware, nil }}
	}
	z := plain(ccproxy.Manifest{Name: "zeta", Middleware: []ccproxy.MiddlewareSpec{
		spec("", 0), spec("route", middleware.LayerRouting), spec("seal", middleware.LayerSecurity),
	}})
	a := plain(ccproxy.Manifest{Name: "alpha", Middleware: []ccproxy.MiddlewareSpec{
		spec("watch", middleware.LayerObservability), spec("route", middleware.LayerRouting), spec("between", 250),
	}})
	p := built(t, withPages(), []ccproxy.Factory{z, a})
	if got := p.Middleware(); len(got) > 0 {
		t.Errorf("before the start: %v", got)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(context.Background())
	var got []string
	for _, e := range p.Middleware() {
		got = append(got, strings.TrimPrefix(e.Source+"/"+e.Name, "/"))
	}
	want := []string{
		"request_id", "observe", "limits", "cors", "origin_guard", "api_key",
		"zeta/seal", "alpha/watch", "alpha/between", "alpha/route", "zeta/route", "zeta/zeta",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// A key, or a caller that the host knows, is good for its models alone, in whichever dialect it asks.
//
//nolint:paralleltest,tparallel // the cases share one proxy, one after the other
func TestModelsOfACaller(t *testing.T) {
	t.Parallel()
	f := newFortress(t, twoKeys())
	body := func(model string) string { return `{"max_tokens":9,"messages":[],"input":"x",` + model + `}` }
	known := func(models ...string) func(*http.Request) *http.Request {
		return func(r *http.Request) *http.Request {
			return r.WithContext(ccproxy.ContextWithCaller(r.Context(), ccproxy.Caller{ID: "host", Models: models}))
		}
	}
	withKey := func(key string) func(*http.Request) *http.Request {
		return func(r *http.Request) *http.Request {
			r.Header.Set("X-Api-Key", key)
			return r
		}
	}
	callers := []struct {
		name string
		as   func(*http.Request) *http.Request
		body string
		ok   bool
	}{
		{"all models", withKey(aliceKey), body(`"model":"echo-1"`), true},
		{"its model", withKey(bobKey), body(`"model":"other-model"`), true},
		{"another model", withKey(bobKey), body(`"model":"echo-1"`), false},
		{"no model", withKey(bobKey), `{"max_tokens":9,"messages":[]}`, false},
		{"in another case", withKey(bobKey), body(`"model":"Other-Model"`), false},
		{"two models", withKey(bobKey), body(`"model":"other-model","model":"echo-1"`), false},
		{"two spellings", withKey(bobKey), body(`"model":"other-model","Model":"echo-1"`), false},
		{"host's caller", known("echo-1"), body(`"model":"echo-1"`), true},
		{"host's caller, another model", known("echo-1"), body(`"model":"other-model"`), false},
		{"host's caller of no models", known([]string{}...), body(`"model":"echo-1"`), false},
		{"host's caller of all models", known(), body(`"model":"echo-1"`), true},
	}
	for _, path := range []string{
		"/poly/v1/messages", "/poly/v1/messages/count_tokens", "/poly/v1/chat/completions", "/poly/v1/responses",
		"/poly/v1/embeddings",
	} {
		e := listedEndpoint{method: "POST", path: path}
		for _, c := range callers {
			rec := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), e.method, path, strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			f.ServeHTTP(rec, c.as(r))
			ran := f.ranOf()
			t.Run(path+"/"+c.name, func(t *testing.T) {
				if (rec.Code == http.StatusOK) != c.ok || (len(ran) > 0) != c.ok {
					t.Fatalf("status = %d, provider saw %v, want success: %t; %s", rec.Code, ran, c.ok, rec.Body)
				}
				if c.ok || strings.HasPrefix(c.name, "two ") { // a body that says two things is wrong for everybody
					return
				}
				typ := "permission_error"
				wantError(t, rec, e.dialect(), http.StatusForbidden, typ, "model")
			})
		}
	}
}
