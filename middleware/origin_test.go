package middleware_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/middleware"
)

// guarded sends a request through Guard and gives the header that it was refused for, "" if it passed.
func guarded(t *testing.T, o middleware.GuardOptions, r *http.Request) string {
	t.Helper()
	called, header := false, ""
	o.Reject = func(_ http.ResponseWriter, _ *http.Request, err error) {
		e, ok := errors.AsType[*middleware.RejectError](err)
		if !ok || e.Status != http.StatusForbidden || !strings.Contains(err.Error(), e.Header) {
			t.Errorf("Reject got %#v", err)
		}
		if !errors.Is(err, middleware.ErrHost) && !errors.Is(err, middleware.ErrOrigin) {
			t.Errorf("Reject got %v, want one of the sentinels", err)
		}
		header = e.Header
	}
	middleware.Guard(o)(reached(&called)).ServeHTTP(httptest.NewRecorder(), r)
	if called == (header != "") {
		t.Errorf("handler called: %t, refused for %q", called, header)
	}
	return header
}

func request(method, host string, h http.Header) *http.Request {
	return &http.Request{Method: method, URL: &url.URL{Path: "/v1/messages"}, Host: host, Header: h}
}

func TestGuardHost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		hosts []string
		pass  []string
		fail  []string
	}{
		{
			"default", nil,
			[]string{
				"localhost", "localhost:8000", "LOCALHOST", "Localhost:1", "localhost.", "localhost.:8000", "127.0.0.1", "127.0.0.1:8000",
				"[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]:8000",
			},
			[]string{
				"", "evil.com", "evil.com:8000", "localhost.evil.com", "localhost.evil.com:8000", "evil-localhost", "xlocalhost", "a.localhost",
				"127.0.0.1.nip.io", "127.0.0.1.evil.com", "127.0.0.2", "0.0.0.0", "127.1", "0x7f000001", "2130706433", "[::]", "[::2]", "::1",
				"[::ffff:127.0.0.1]", "[::1%25lo]", "localhost@evil.com", "evil.com@localhost", "localhost:80@evil.com", "user:pw@localhost",
				"localhost,evil.com", "localhost evil.com", " localhost", "localhost ", "localhost..", "localhost/", "evil.com#localhost",
				"evil.com/localhost", "localhost:", "localhost:0", "localhost:99999", "localhost:8000:8000", "lоcalhost", "null", "*",
			},
		},
		{"none", []string{}, nil, []string{"localhost", "127.0.0.1", ""}},
		{
			"names",
			[]string{"Proxy.Example.com", "api.example.com:8443", "192.0.2.7", "[2001:db8::7]:9000", "tls.example.com:443", "dot.example.com."},
			[]string{
				"proxy.example.com", "proxy.example.com:1234", "PROXY.example.com.", "api.example.com:8443", "192.0.2.7:80", "[2001:DB8:0::7]:9000",
				"tls.example.com", "tls.example.com:443", "dot.example.com", "dot.example.com.",
			},
			[]string{
				"localhost", "127.0.0.1", "api.example.com", "api.example.com:443", "[2001:db8::7]", "[2001:db8::7]:9001", "a.proxy.example.com",
				"tls.example.com:8443", "example.com", "proxy.example.com.evil.com",
			},
		},
		{"wrong entries", []string{"*", "*.com", "http://evil.com", "evil.com/", ""}, nil, []string{"evil.com", "a.com", "", "*"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := middleware.GuardOptions{Hosts: tt.hosts}
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				for _, host := range tt.pass {
					if got := guarded(t, o, request(method, host, nil)); got != "" {
						t.Errorf("%s to %q refused for %q", method, host, got)
					}
				}
				for _, host := range tt.fail {
					if got := guarded(t, o, request(method, host, nil)); got != "Host" {
						t.Errorf("%s to %q refused for %q, want Host", method, host, got)
					}
				}
			}
			o.AnyHost = true
			for _, host := range append(tt.pass, tt.fail...) {
				if got := guarded(t, o, request("POST", host, nil)); got != "" {
					t.Errorf("with AnyHost, %q refused for %q", host, got)
				}
			}
		})
	}
}

func TestGuardHostDisagreements(t *testing.T) {
	t.Parallel()
	absolute := request("GET", "localhost", nil)
	absolute.URL.Host = "evil.com"
	tests := []struct {
		name string
		r    *http.Request
		want string
	}{
		{"second header", request("GET", "localhost", http.Header{"Host": {"evil.com"}}), "Host"},
		{"one of several headers", request("GET", "localhost", http.Header{"Host": {"localhost", "evil.com"}}), "Host"},
		{"same header", request("GET", "localhost", http.Header{"Host": {"localhost"}}), ""},
		{"absolute target", absolute, "Host"},
		{"forwarded", request("GET", "evil.com", http.Header{
			"X-Forwarded-Host": {"localhost"}, "Forwarded": {"host=localhost"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Host": {"localhost"},
		}), "Host"},
		{"forwarded from elsewhere", request("GET", "localhost", http.Header{"X-Forwarded-Host": {"evil.com"}}), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := guarded(t, middleware.GuardOptions{}, tt.r); got != tt.want {
				t.Errorf("refused for %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGuardOrigin(t *testing.T) {
	t.Parallel()
	type headers = http.Header
	const own, evil, page = "http://localhost:8000", "https://evil.com", "http://localhost:3000"
	tests := []struct {
		name   string
		header http.Header
		safe   string // refused for, with a safe method
		unsafe string
	}{
		{"program", headers{}, "", ""},
		{"program with keys", headers{"Authorization": {"Bearer x"}, "User-Agent": {"Bun/1"}, "Referer": {evil}}, "", ""},
		{"own page", headers{"Origin": {own}, "Sec-Fetch-Site": {"same-origin"}}, "", ""},
		{"own page behind another name", headers{"Origin": {"https://public.example"}, "Sec-Fetch-Site": {"same-origin"}}, "", ""},
		{"own page without referrer", headers{"Origin": {"null"}, "Sec-Fetch-Site": {"same-origin"}}, "", ""},
		{"own page of an old browser", headers{"Origin": {own}}, "", ""},
		{"own page, upper case", headers{"Origin": {"HTTP://LOCALHOST:8000"}}, "", ""},
		{"address bar", headers{"Sec-Fetch-Site": {"none"}}, "", ""},
		{"link or image elsewhere", headers{"Sec-Fetch-Site": {"cross-site"}}, "", "Sec-Fetch-Site"},
		{"link on another port", headers{"Sec-Fetch-Site": {"same-site"}}, "", "Sec-Fetch-Site"},
		{"unknown site", headers{"Sec-Fetch-Site": {"x"}}, "", "Sec-Fetch-Site"},
		{"empty site", headers{"Sec-Fetch-Site": {""}}, "", "Sec-Fetch-Site"},
		{"two sites", headers{"Sec-Fetch-Site": {"same-origin", "cross-site"}}, "Sec-Fetch-Site", "Sec-Fetch-Site"},
		{"foreign page", headers{"Origin": {evil}, "Sec-Fetch-Site": {"cross-site"}}, "Origin", "Origin"},
		{"foreign page of an old browser", headers{"Origin": {evil}}, "Origin", "Origin"},
		{"foreign WebSocket", headers{"Origin": {evil}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, "Origin", "Origin"},
		{"foreign preflight", headers{"Origin": {evil}, "Access-Control-Request-Method": {"POST"}}, "Origin", "Origin"},
		{"own origin, but cross-site", headers{"Origin": {own}, "Sec-Fetch-Site": {"cross-site"}}, "Origin", "Origin"},
		{"sandboxed page", headers{"Origin": {"null"}}, "Origin", "Origin"},
		{"sandboxed page, cross-site", headers{"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}}, "Origin", "Origin"},
		{"empty", headers{"Origin": {""}}, "Origin", "Origin"},
		{"two origins", headers{"Origin": {own, evil}}, "Origin", "Origin"},
		{"twice the own", headers{"Origin": {own, own}}, "Origin", "Origin"},
		{"another port", headers{"Origin": {page}}, "Origin", "Origin"},
		{"another port, same site", headers{"Origin": {page}, "Sec-Fetch-Site": {"same-site"}}, "Origin", "Origin"},
		{"no port", headers{"Origin": {"http://localhost"}}, "Origin", "Origin"},
		{"prefix", headers{"Origin": {"http://localhost:8000.evil.com"}}, "Origin", "Origin"},
		{"prefix of the name", headers{"Origin": {"http://localhost.evil.com:8000"}}, "Origin", "Origin"},
		{"suffix", headers{"Origin": {"http://evil.localhost:8000"}}, "Origin", "Origin"},
		{"user", headers{"Origin": {"http://localhost:8000@evil.com"}}, "Origin", "Origin"},
		{"user before", headers{"Origin": {"http://evil.com@localhost:8000"}}, "Origin", "Origin"},
		{"path", headers{"Origin": {own + "/"}}, "Origin", "Origin"},
		{"final dot", headers{"Origin": {"http://localhost.:8000"}}, "Origin", "Origin"},
		{"other scheme", headers{"Origin": {"ftp://localhost:8000"}}, "Origin", "Origin"},
		{"extension", headers{"Origin": {"chrome-extension://localhost:8000"}}, "Origin", "Origin"},
		{"no scheme", headers{"Origin": {"localhost:8000"}}, "Origin", "Origin"},
		{"list", headers{"Origin": {own + " " + evil}}, "Origin", "Origin"},
		{"forwarded", headers{"Origin": {evil}, "X-Forwarded-Host": {"evil.com"}}, "Origin", "Origin"},
		{"chosen page", headers{"Origin": {"https://app.example.com"}, "Sec-Fetch-Site": {"cross-site"}}, "", ""},
		{"chosen page of an old browser", headers{"Origin": {"https://app.example.com"}}, "", ""},
		{"chosen subdomain", headers{"Origin": {"https://a.b.example.org"}, "Sec-Fetch-Site": {"cross-site"}}, "", ""},
		{"beside the chosen", headers{"Origin": {"https://example.org"}}, "Origin", "Origin"},
		{"chosen page, two sites", headers{
			"Origin": {"https://app.example.com"}, "Sec-Fetch-Site": {"cross-site", "cross-site"},
		}, "Sec-Fetch-Site", "Sec-Fetch-Site"},
	}
	o := middleware.GuardOptions{Origins: []string{"https://app.example.com", "https://*.example.org"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				if got := guarded(t, o, request(method, "localhost:8000", tt.header)); got != tt.safe {
					t.Errorf("%s refused for %q, want %q", method, got, tt.safe)
				}
			}
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "FOO"} {
				if got := guarded(t, o, request(method, "localhost:8000", tt.header)); got != tt.unsafe {
					t.Errorf("%s refused for %q, want %q", method, got, tt.unsafe)
				}
			}
		})
	}
}

// TestGuardIsAsStrictAsTheStandardLibrary holds that nothing passes which http.CrossOriginProtection refuses.
func TestGuardIsAsStrictAsTheStandardLibrary(t *testing.T) {
	t.Parallel()
	std := http.NewCrossOriginProtection()
	origins := []string{"", "null", "http://localhost:8000", "http://localhost:3000", "https://evil.com", "http://localhost:8000/", "x"}
	sites := []string{"", "none", "same-origin", "same-site", "cross-site", "x"}
	for _, origin := range origins {
		for _, site := range sites {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "TRACE", "OPTIONS"} {
				h := http.Header{}
				if origin != "" {
					h.Set("Origin", origin)
				}
				if site != "" {
					h.Set("Sec-Fetch-Site", site)
				}
				r := request(method, "localhost:8000", h)
				if guarded(t, middleware.GuardOptions{}, r) == "" && std.Check(r) != nil {
					t.Errorf("%s with %v passes, and the standard library refuses it", method, h)
				}
			}
		}
	}
}

func TestGuardOwnOriginPorts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, origin, host string
		tls                bool
		want               string
	}{
		{"https with its port in Host", "https://localhost", "localhost:443", true, ""},
		{"http with its port in Host", "http://localhost", "localhost:80", false, ""},
		{"both without", "https://localhost", "localhost", true, ""},
		{"TLS taken away in front", "https://localhost", "localhost", false, ""},
		{"http page to a TLS server", "http://localhost", "localhost", true, "Origin"},
		{"IPv6", "http://[::1]:8000", "[::1]:8000", false, ""},
		{"another loopback name", "http://127.0.0.1:8000", "localhost:8000", false, "Origin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := request("POST", tt.host, http.Header{"Origin": {tt.origin}})
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := guarded(t, middleware.GuardOptions{}, r); got != tt.want {
				t.Errorf("refused for %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGuardAnyOrigin(t *testing.T) {
	t.Parallel()
	o := middleware.GuardOptions{Origins: []string{"*"}}
	for _, h := range []http.Header{
		{"Origin": {"https://evil.com"}}, {"Origin": {"null"}}, {"Sec-Fetch-Site": {"cross-site"}},
	} {
		if got := guarded(t, o, request("POST", "localhost", h)); got != "" {
			t.Errorf("%v refused for %q", h, got)
		}
		if got := guarded(t, o, request("POST", "evil.com", h)); got != "Host" {
			t.Errorf("%v to another host refused for %q, want Host", h, got)
		}
	}
}

func TestGuardValidate(t *testing.T) {
	t.Parallel()
	good := middleware.GuardOptions{
		Hosts: []string{"proxy.example.com:8443", "[::1]"}, Origins: []string{"http://localhost:*", "vscode-file://vscode-app"},
	}
	if err := errors.Join(good.Validate(), middleware.GuardOptions{}.Validate()); err != nil {
		t.Errorf("Validate = %v", err)
	}
	bad := middleware.GuardOptions{Hosts: []string{"http://a.example", "::1"}, Origins: []string{"null", "b.example"}}
	err := bad.Validate()
	for _, want := range []string{`"http://a.example"`, `"::1"`, `"null"`, `"b.example"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want %s named", err, want)
		}
	}
}

func TestGuardAnswers(t *testing.T) {
	t.Parallel()
	called := false
	w := httptest.NewRecorder()
	middleware.Guard(middleware.GuardOptions{})(reached(&called)).ServeHTTP(w, request("GET", "evil.com", nil))
	want := `{"error":{"type":"permission_error","message":"the Host header names no host of this server"}}`
	if w.Code != http.StatusForbidden || w.Body.String() != want || called || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("answer = %d %v %s", w.Code, w.Header(), w.Body)
	}
}

// TestGuardOverTheWire sends what only a raw connection can.
func TestGuardOverTheWire(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(middleware.Guard(middleware.GuardOptions{})(http.HandlerFunc(quiet)))
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	tests := []struct {
		name, head string
		want       int
	}{
		{"right", "GET / HTTP/1.1\r\nHost: " + host + "\r\n", 200},
		{"rebinding", "GET / HTTP/1.1\r\nHost: evil.com\r\n", 403},
		{"absolute target", "GET http://evil.com/ HTTP/1.1\r\nHost: localhost\r\n", 403},
		{"absolute target of this server", "GET http://localhost/ HTTP/1.1\r\nHost: evil.com\r\n", 200},
		{"two hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n", 400},
		{"no host", "GET / HTTP/1.1\r\n", 400},
		{"no host, HTTP/1.0", "GET / HTTP/1.0\r\n", 403},
		{"empty host", "GET / HTTP/1.1\r\nHost:\r\n", 403},
		{"folded origin", "POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n .evil.com\r\n", 403},
		{"two origins", "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: https://evil.com\r\n", 403},
		{"origin in odd case", "GET / HTTP/1.1\r\nHost: localhost\r\noRIGIN: https://evil.com\r\n", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "%sConnection: close\r\n\r\n", tt.head)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != tt.want {
				t.Errorf("status = %d, want %d", resp.StatusCode, tt.want)
			}
		})
	}
}

func BenchmarkGuard(b *testing.B) {
	handler := middleware.Guard(middleware.GuardOptions{Origins: []string{"https://*.example.com"}})(http.HandlerFunc(quiet))
	for name, h := range map[string]http.Header{
		"program": {}, "page": {"Origin": {"https://app.example.com"}, "Sec-Fetch-Site": {"cross-site"}},
	} {
		b.Run(name, func(b *testing.B) {
			r := request("POST", "127.0.0.1:8000", h)
			var w http.ResponseWriter = bareWriter{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(w, r)
			}
		})
	}
}
