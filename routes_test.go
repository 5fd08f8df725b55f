package ccproxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
)

// disguise is a request for a protected path in another form.
type disguise struct {
	method, target string
	header         string // lines, each ending in CRLF
}

// read parses the disguise as a server does; ok is false where a server answers 400 by itself.
func (d disguise) read() (r *http.Request, ok bool) {
	text := d.method + " " + d.target + " HTTP/1.1\r\nHost: proxy.test\r\n" + d.header + "\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	return r, err == nil
}

// disguises are the forms in which a path may get past a guard that reads it otherwise than the router does.
func disguises(method, path string) []disguise {
	var out []disguise
	targets := slices.Concat(letterDisguises(path), slashDisguises(path), endDisguises(path), startDisguises(path))
	for _, target := range targets {
		out = append(out, disguise{method: method, target: target})
	}
	for _, m := range []string{
		strings.ToLower(method), "Get", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "POST", "GET",
		"PROPFIND", "PRI", "X", method + "X",
	} {
		for _, target := range []string{path, path + "/", "http://proxy.test" + path} {
			out = append(out, disguise{method: m, target: target})
		}
	}
	for _, h := range headerDisguises(path) {
		out = append(out, disguise{method, path, h}, disguise{method, "/health", h}, disguise{method, "/lobby/x", h})
	}
	return out
}

func letterDisguises(path string) (out []string) {
	for i := range len(path) {
		c := path[i]
		before, after := path[:i], path[i+1:]
		out = append(out, fmt.Sprintf("%s%%%02x%s", before, c, after), fmt.Sprintf("%s%%25%02x%s", before, c, after))
		if c == '/' {
			continue
		}
		out = append(out, before+strings.ToUpper(string(c))+after, before+strings.ToLower(string(c))+after,
			before+string(c)+"%00"+after, before+string(c)+"%e2%80%8b"+after)
		if after != "" {
			out = append(out, fmt.Sprintf("%s%%%02X%%%02X%s", before, c, after[0], after[1:]))
		}
	}
	all := ""
	for i := range len(path) {
		if path[i] == '/' {
			all += "/"
			continue
		}
		all += fmt.Sprintf("%%%02X", path[i])
	}
	return append(out, all, strings.ToUpper(path))
}

func slashDisguises(path string) (out []string) {
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		for _, slash := range []string{
			"//", "///", "/./", "/x/../", "/%2e/", "/x/%2e%2e/", "/.%2e/../", "/%2f", "%2f", "%2F", "%252f", "%5c", "\\", "/\\",
			"/;/", "/;x=1/", "/..;/", "/%00/", "/%20/", "%c0%af", "%ef%bc%8f", "/*/", "/x%2f..%2f", "/%2e%2e%2f",
		} {
			out = append(out, path[:i]+slash+path[i+1:])
		}
	}
	return out
}

func endDisguises(path string) (out []string) {
	for _, end := range []string{
		"/", "//", "/.", "/..", "/./", "/x/..", "/%2e", "/%2e%2e", "%2f", "%2F..", "%00", "%00.json", "%20", "%09", "%0a", "%0d%0a",
		"%23", "%3f", "#", "#x", "?", "?/health", "?x=/health", ";", ";x=1", ";/health", "..;/", "/..;/", ".json", ".html", "~", "*",
		"%", "%zz", "%2", "&", "=", "+", ":", "@", "\\", "%5c", "%ff", "%c3%28", ",", "!", "'", "|", "^", "/health", "/%2e%2e/health",
	} {
		out = append(out, path+end)
	}
	return out
}

func startDisguises(path string) (out []string) {
	for _, start := range []string{
		"/", "//", "/.", "/./", "/health/..", "/health/%2e%2e", "/health%2f..", "/lobby/..", "/lobby/x/..", "/lobby/%2e%2e", "/lobby/..%2f",
		"/lobby/x%2f..%2f..", "/vault/open/../..", "/%2e", "/%2f", "%2f", "/health;", "/health;/..", "/health?", "/health#", "/\\",
		"http://proxy.test", "http://evil.test", "https://proxy.test", "http://proxy.test/", "http://proxy.test//", "http://user@proxy.test",
		"http://proxy.test/health/..", "HTTP://PROXY.TEST", "ws://proxy.test", "//proxy.test", "http:", "http:///", "file://", "x:",
		"*", "proxy.test:80", "",
	} {
		out = append(out, start+path)
	}
	return append(out, "*", strings.TrimPrefix(path, "/"))
}

func headerDisguises(path string) (out []string) {
	for _, name := range []string{
		"X-Forwarded-Uri", "X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Envoy-Original-Path",
		"Referer", "Content-Location", "Destination", "X-Script-Name",
	} {
		out = append(out, name+": "+path+"\r\n", name+": /health\r\n")
	}
	for _, h := range []string{
		"X-Http-Method-Override: GET", "X-Http-Method-Override: OPTIONS", "X-Method-Override: POST", "X-Http-Method: HEAD",
		"X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Forwarded-Host: localhost",
		"X-Forwarded-User: alice", "Remote-User: alice", "X-Auth-Request-User: alice", "X-Remote-User: alice",
		"Upgrade: websocket\r\nConnection: Upgrade", "Upgrade: h2c\r\nConnection: Upgrade", "Connection: X-Api-Key, Authorization",
		"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Origin: http://proxy.test", "Access-Control-Request-Method: GET",
		"Authorization: Bearer", "Authorization: Bearer null", "Authorization: Bearer undefined", "X-Api-Key: null", "Cookie: key=1",
		"Expect: 100-continue", "Range: bytes=0-", "If-None-Match: *", "Te: trailers", "X-Request-Id: alice",
	} {
		out = append(out, h+"\r\n")
	}
	return out
}

// harmless tells whether an answer to a stranger gives nothing away.
func harmless(rec *httptest.ResponseRecorder, ran []string) bool {
	switch rec.Code {
	case http.StatusUnauthorized:
		return len(ran) == 0
	case http.StatusBadRequest, http.StatusNotFound: // a public endpoint's path that means another, outside of the mount
		return len(ran) == 0 && strings.Contains(rec.Body.String(), "path")
	case http.StatusOK: // a public endpoint
		body := rec.Body.String()
		return len(ran) > 0 || strings.HasPrefix(body, `{"service":"ccproxy"`) || strings.HasPrefix(body, `{"status":`)
	case http.StatusUpgradeRequired: // a public endpoint that has no WebSocket
		return len(ran) == 0
	}
	return false
}

// TestDisguisedPaths holds that no way to write a request reaches a protected endpoint without a key. Those that
// are requests for a public endpoint, by what that endpoint's own handler makes of them, reach that one at most.
func TestDisguisedPaths(t *testing.T) {
	t.Parallel()
	probe := newFortress(t, twoKeys())
	for _, e := range probe.endpoints(t) {
		if e.public {
			continue
		}
		t.Run(e.id(), func(t *testing.T) {
			t.Parallel()
			f := newFortress(t, twoKeys())
			hosts := []struct {
				prefix  string
				handler http.Handler
			}{
				{"", f}, {"/llm", f.Mount("/llm")}, {"/llm", http.StripPrefix("/llm", f)}, {"/a/llm", f.Mount("/a/llm")},
			}
			tried := 0
			for _, host := range hosts {
				for _, d := range disguises(e.method, e.target()) {
					if strings.HasPrefix(d.target, "/") {
						d.target = host.prefix + d.target
					}
					r, ok := d.read()
					if !ok {
						continue
					}
					tried++
					rec := httptest.NewRecorder()
					host.handler.ServeHTTP(rec, r.WithContext(t.Context()))
					ran := f.ranOf()
					stripped := host.prefix != "" && rec.Code == http.StatusNotFound // by http.StripPrefix
					if slices.ContainsFunc(ran, f.guarded) || !stripped && !harmless(rec, ran) {
						t.Errorf("%+v below %q = %d, %v ran: %s", d, host.prefix, rec.Code, ran, rec.Body)
					}
				}
			}
			if tried < 4*200 {
				t.Errorf("%d disguises were tried, want 200 for each host at least", tried)
			}
		})
	}
}

// TestRewrittenRequests holds that middleware which sends a request elsewhere does not take it past the policy of
// where it goes, however it changes the request.
func TestRewrittenRequests(t *testing.T) {
	t.Parallel()
	f := newFortress(t, twoKeys())
	all := f.endpoints(t)
	for _, from := range []listedEndpoint{
		{method: "GET", path: "/vault/open"}, {method: "GET", path: "/lobby/x"}, {method: "POST", path: "/lobby/"}, {method: "GET", path: "/health"},
	} {
		for _, to := range all {
			for _, how := range []string{"copy", "new URL", "in place"} {
				for _, key := range []string{"", wrongKey, aliceKey} {
					r := from.request(t.Context())
					r.Header.Set("X-Rewrite-How", how)
					r.Header.Set("X-Rewrite-To", to.method+" "+to.target())
					if key != "" {
						r.Header.Set("X-Api-Key", key)
					}
					rec := httptest.NewRecorder()
					f.ServeHTTP(rec, r)
					ran := f.ranOf()
					name := fmt.Sprintf("%s to %s, %s, key %q", from.id(), to.id(), how, key)
					open := to.public || key == aliceKey
					switch {
					case !open && (rec.Code != http.StatusUnauthorized || len(ran) > 0):
						t.Errorf("%s = %d, %v ran, want 401", name, rec.Code, ran)
					case !open && rec.Header().Get("Www-Authenticate") != "Bearer":
						t.Errorf("%s has no WWW-Authenticate", name)
					case open && rec.Code == http.StatusUnauthorized:
						t.Errorf("%s = 401", name)
					}
					if _, ofPlugin := f.policies[to.id()]; open && ofPlugin && !slices.Equal(ran, []string{to.id()}) {
						t.Errorf("%s: %v ran", name, ran)
					}
				}
			}
		}
	}
}

// sayer is a plugin whose route answers with the plugin's name, the template's place and its variables.
func sayer(name string, routes ...ccproxy.RouteSpec) ccproxy.Factory {
	for i := range routes {
		routes[i].New = func(*ccproxy.PluginContext) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, name+" x="+r.PathValue("x")+" y="+r.PathValue("y"))
			}), nil
		}
	}
	return plain(ccproxy.Manifest{Name: name, Routes: routes})
}

func at(method, pattern string) ccproxy.Endpoint {
	return ccproxy.Endpoint{Method: method, Pattern: pattern}
}

// TestRoutingRules holds whose a path is: the longest claimed prefix has all below it, a fixed segment goes before a
// variable one, GET answers HEAD.
func TestRoutingRules(t *testing.T) {
	t.Parallel()
	a := sayer("a",
		ccproxy.RouteSpec{Prefix: "/a", Endpoints: []ccproxy.Endpoint{
			at("GET", "/{x}/b"), at("GET", "/{x}"), at("GET", "/q/zz/{x}"), at("GET", "/q/dead"), at("GET", ""), at("POST", "/fixed"),
		}},
		ccproxy.RouteSpec{Prefix: "/vars", Endpoints: []ccproxy.Endpoint{
			at("DELETE", "/{x}/{y}"), at("GET", "/{x}/{y}"), at("POST", "/{x}/last"), at("PUT", "/one/{y}"), at("GET", "/"),
		}},
	)
	b := sayer("b", ccproxy.RouteSpec{Prefix: "/a/q", Endpoints: []ccproxy.Endpoint{
		at("GET", "/{x}/{y}"), at("GET", "/only"), at("POST", ""),
	}})
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{a, b})
	tests := []struct {
		method, path string
		status       int
		body, allow  string
	}{
		{"GET", "/a/p/b", 200, "a x=p y=", ""},
		{"GET", "/a/q/b", 404, "", ""},
		{"GET", "/a/%71/b", 404, "", ""}, // a's handler would take it for /a/q/b
		{"GET", "/a/q/dead", 404, "", ""},
		{"GET", "/a/q/zz/1", 200, "b x=zz y=1", ""},
		{"GET", "/a/q/1/2", 200, "b x=1 y=2", ""},
		{"GET", "/a/q/only", 200, "b x= y=", ""},
		{"GET", "/a/q", 405, "", "POST"}, // not a's /{x}
		{"GET", "/a/qq", 200, "a x=qq y=", ""},
		{"GET", "/a/qq/b", 200, "a x=qq y=", ""},
		{"GET", "/a", 200, "a x= y=", ""},
		{"GET", "/a/", 404, "", ""},
		{"GET", "/ab", 404, "", ""},
		{"GET", "/a/fixed", 200, "a x=fixed y=", ""},
		{"POST", "/a/fixed", 200, "a x= y=", ""},
		{"PUT", "/a/fixed", 405, "", "GET, HEAD, POST"},
		{"HEAD", "/a/fixed", 200, "a x=fixed y=", ""},
		{"HEAD", "/a/q", 405, "", "POST"},
		{"GET", "/vars/1/2", 200, "a x=1 y=2", ""},
		{"GET", "/vars/1/last", 200, "a x=1 y=last", ""},
		{"POST", "/vars/1/last", 200, "a x=1 y=", ""},
		{"POST", "/vars/1/2", 405, "", "DELETE, GET, HEAD"},
		{"PATCH", "/vars/one/last", 405, "", "DELETE, GET, HEAD, POST, PUT"},
		{"PUT", "/vars/one/last", 200, "a x= y=last", ""},
		{"PUT", "/vars/two/last", 405, "", "DELETE, GET, HEAD, POST"},
		{"HEAD", "/vars/1/2", 200, "a x=1 y=2", ""},
		{"GET", "/vars/", 200, "a x= y=", ""},
		{"GET", "/vars", 404, "", ""},
		{"GET", "/vars/a%20b/c+d", 200, "a x=a b y=c+d", ""},
		{"GET", "/vars/%41/2", 200, "a x=A y=2", ""}, // no other endpoint's
		{"GET", "/vars/a%2fb/2", 400, "", ""},
		{"GET", "/vars//2", 404, "", ""},
		{"get", "/vars/1/2", 405, "", "DELETE, GET, HEAD"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			rec := visit(p, tt.method, tt.path, "")
			if rec.Code != tt.status || rec.Header().Get("Allow") != tt.allow {
				t.Errorf("answer = %d, Allow %q, want %d, %q", rec.Code, rec.Header().Get("Allow"), tt.status, tt.allow)
			}
			if tt.status == http.StatusOK && rec.Body.String() != tt.body {
				t.Errorf("body = %q, want %q", rec.Body, tt.body)
			}
		})
	}
}

// Which endpoint a path leads to does not depend on the order of their declaration.
func TestRoutesInAnyOrder(t *testing.T) {
	t.Parallel()
	endpoints := []ccproxy.Endpoint{at("GET", "/{x}/{y}"), at("GET", "/{x}/b"), at("GET", "/a/{y}"), at("GET", "/a/b"), at("HEAD", "/a/b")}
	auth := []ccproxy.AuthPolicy{ccproxy.AuthPublic, ccproxy.AuthRequired, ccproxy.AuthPublic, ccproxy.AuthRequired, ccproxy.AuthPublic}
	for i := range endpoints {
		endpoints[i].Auth = auth[i]
	}
	for turn := range endpoints {
		turned := slices.Concat(endpoints[turn:], endpoints[:turn])
		back := slices.Clone(turned)
		slices.Reverse(back)
		for _, order := range [][]ccproxy.Endpoint{turned, back} {
			p := running(t, ccproxy.Settings{}, []ccproxy.Factory{sayer("s", ccproxy.RouteSpec{Prefix: "/s", Endpoints: order})})
			for request, want := range map[string]int{
				"GET /s/1/2": 200, "GET /s/1/b": 401, "GET /s/a/2": 200, "GET /s/a/b": 401, "HEAD /s/a/b": 200, "HEAD /s/1/b": 401,
			} {
				method, path, _ := strings.Cut(request, " ")
				if rec := visit(p, method, path, ""); rec.Code != want {
					t.Errorf("%s with %+v = %d, want %d", request, order, rec.Code, want)
				}
			}
		}
	}
}

// An endpoint that takes WebSockets gets the handshake and the connection; others answer 426.
func TestWebSocketEndpoints(t *testing.T) {
	t.Parallel()
	p := running(t, twoKeys(), []ccproxy.Factory{plain(ccproxy.Manifest{Name: "live", Routes: []ccproxy.RouteSpec{{
		Prefix: "/live", Endpoints: []ccproxy.Endpoint{{Pattern: "/socket", WebSocket: true}, {Pattern: "/plain"}},
		New: func(*ccproxy.PluginContext) (http.Handler, error) { return http.HandlerFunc(shakeHands), nil },
	}}})})
	h := newHost(t, p, false)
	const handshake = "Host: proxy.test\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
	key := "X-Api-Key: " + aliceKey + "\r\n"
	tests := []struct{ name, path, header, want string }{
		{"socket", "/live/socket", handshake + key, "HTTP/1.1 101 Switching Protocols\r\n"},
		{"socket without a key", "/live/socket", handshake, "HTTP/1.1 401 Unauthorized\r\n"},
		{"socket of a foreign page", "/live/socket", handshake + key + "Origin: https://evil.test\r\n", "HTTP/1.1 403 Forbidden\r\n"},
		{"plain endpoint", "/live/plain", handshake + key, "HTTP/1.1 426 Upgrade Required\r\n"},
		{"plain endpoint without a key", "/live/plain", handshake, "HTTP/1.1 401 Unauthorized\r\n"},
		{"nothing there", "/live/nothing", handshake + key, "HTTP/1.1 426 Upgrade Required\r\n"},
		{"nothing there, without a key", "/live/nothing", handshake, "HTTP/1.1 401 Unauthorized\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			request := "GET " + tt.path + " HTTP/1.1\r\n" + tt.header
			got := h.raw(t, request+"\r\n")
			if !strings.HasPrefix(got, tt.want) || strings.HasSuffix(got, "shaken") != strings.Contains(tt.want, "101") {
				t.Errorf("answer = %q, want %q", got, tt.want)
			}
		})
	}
}

func shakeHands(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nshaken")
}

// TestDescription holds that the document has every endpoint that can be reached, and none that cannot.
func TestDescription(t *testing.T) {
	t.Parallel()
	twins := []ccproxy.Endpoint{at("GET", "/a-b"), at("GET", "/a_b"), at("GET", "/a/b"), at("GET", "/a/{b}"), at("GET", "/{a}/{b}"), at("GET", "/{a}/b")}
	over := sayer("over", ccproxy.RouteSpec{Prefix: "/over", Auth: ccproxy.AuthPublic, Endpoints: []ccproxy.Endpoint{at("GET", "/q/z"), at("GET", "/q/dead")}})
	under := sayer("under", ccproxy.RouteSpec{Prefix: "/over/q", Auth: ccproxy.AuthRequired, Endpoints: []ccproxy.Endpoint{at("GET", "/z")}})
	p := running(t, twoKeys(), []ccproxy.Factory{
		over, under, sayer("twins", ccproxy.RouteSpec{Prefix: "/t", Endpoints: twins}),
	})
	doc := described(t, p, "/openapi.json")
	listed := make(map[string]bool)
	for _, e := range doc.endpoints() {
		listed[e.id()] = e.public
	}
	mounted := make(map[string]bool)
	for _, e := range p.Endpoints() {
		if public, ok := listed[e.Method+" "+e.Path]; !ok || public != (e.Auth == ccproxy.AuthPublic) {
			t.Errorf("%s %s of %q is described: %t, as public: %t; its policy is %v", e.Method, e.Path, e.Plugin, ok, public, e.Auth)
		}
		mounted[e.Method+" "+e.Path] = true
	}
	if len(mounted) != len(listed) || len(mounted) < len(twins)+1 {
		t.Errorf("%d endpoints are mounted, %d described", len(mounted), len(listed))
	}
	if _, dead := listed["GET /over/q/dead"]; dead {
		t.Error("an endpoint below another plugin's prefix is described, though none can reach it")
	}
	ids := make(map[string]string)
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if other, taken := ids[op.OperationID]; taken || op.OperationID == "" {
				t.Errorf("operation %q is %s and %s %s", op.OperationID, other, method, path)
			}
			ids[op.OperationID] = method + " " + path
		}
	}
}

// Whoever reads the document finds the proxy where they read it.
func TestDescribedServers(t *testing.T) {
	t.Parallel()
	p := running(t, twoKeys(), []ccproxy.Factory{sayer("s", ccproxy.RouteSpec{Prefix: "/s", Endpoints: []ccproxy.Endpoint{at("GET", "")}})})
	public := running(t, twoKeys(), nil, ccproxy.WithPublicURL("https://api.example.com/llm/"))
	tests := []struct {
		name string
		h    http.Handler
		path string
		want string
	}{
		{"root", p, "/openapi.json", "/"},
		{"mount", p.Mount("/llm"), "/llm/openapi.json", "/llm"},
		{"mount with a slash", p.Mount("/llm/"), "/llm/openapi.json", "/llm"},
		{"deep mount", p.Mount("/a/b"), "/a/b/openapi.json", "/a/b"},
		{"strip prefix", http.StripPrefix("/llm", p), "/llm/openapi.json", "/llm"},
		{"mount in a stripped one", http.StripPrefix("/x", p.Mount("/llm")), "/x/llm/openapi.json", "/x/llm"},
		{"public URL", public, "/openapi.json", "https://api.example.com/llm"},
		{"public URL and mount", public.Mount("/llm"), "/llm/openapi.json", "https://api.example.com/llm"},
		{"host of the request", p, "http://evil.test/openapi.json", "/"},
		{"query", p.Mount("/llm"), "/llm/openapi.json?x=/y", "/llm"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := described(t, tt.h, tt.path)
			if len(doc.Servers) != 1 || doc.Servers[0].URL != tt.want {
				t.Errorf("servers = %v, want %q", doc.Servers, tt.want)
			}
		})
	}
}
