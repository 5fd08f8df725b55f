package middleware

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseHost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want hostPort
	}{
		{"localhost", hostPort{name: "localhost"}},
		{"LocalHost:8000", hostPort{name: "localhost", port: 8000}},
		{"localhost.", hostPort{name: "localhost."}},
		{"a_b.x-y.example", hostPort{name: "a_b.x-y.example"}},
		{"xn--bcher-kva.example:65535", hostPort{name: "xn--bcher-kva.example", port: 65535}},
		{"1password.example", hostPort{name: "1password.example"}},
		{"127.0.0.1:1", hostPort{addr: netip.MustParseAddr("127.0.0.1"), port: 1}},
		{"[::1]", hostPort{addr: netip.MustParseAddr("::1")}},
		{"[0:0::0001]:80", hostPort{addr: netip.MustParseAddr("::1"), port: 80}},
		{"[2001:DB8::1]:443", hostPort{addr: netip.MustParseAddr("2001:db8::1"), port: 443}},
		{strings.Repeat("a", 63) + ".b", hostPort{name: strings.Repeat("a", 63) + ".b"}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, ok := parseHost(tt.in)
			if !ok || got != tt.want {
				t.Errorf("parseHost = %+v, %t, want %+v", got, ok, tt.want)
			}
		})
	}
}

func TestParseHostRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", " ", ".", "..", ":", ":80", "localhost:", "localhost:0", "localhost:080", "localhost:65536", "localhost:-1",
		"localhost:+80", "localhost:8o", "localhost:80:80", "localhost: 80", "localhost :80", " localhost", "localhost ",
		"localhost\t", "localhost\x00", "localhost\n", "localhost..", ".localhost", "a..b", "user@localhost", "localhost@evil.com",
		"user:pw@localhost", "localhost/", "localhost/x", "localhost\\x", "localhost?x", "localhost#x", "localhost%00", "%6cocalhost",
		"lоcalhost", "bücher.example", "localhost,evil.com", "localhost;", "*", "*.example.com", "http://localhost", "'localhost'",
		"::1", "::1:80", "[::1", "::1]", "[::1]]", "[[::1]]", "[::1]x", "[::1]x:80", "[::1]:", "[]", "[]:80", "[localhost]", "[127.0.0.1]",
		"[::1%lo]", "[::1%25lo]", "[:::1]", "[::g]", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "127.0.0.01",
		"0177.0.0.1", "127.0.0.1.", "127.0.0.256", "127.0.0.1.5", "1.2.3.0x4", "a.0x", "x.1", strings.Repeat("a", 64) + ".b",
		strings.Repeat("abcdefg.", 32) + "example",
	} {
		if h, ok := parseHost(s); ok {
			t.Errorf("parseHost(%q) = %+v, want it refused", s, h)
		}
	}
}

func TestOriginPatterns(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern  string
		match    []string
		mismatch []string
	}{
		{
			"https://app.example.com",
			[]string{"https://app.example.com", "HTTPS://App.Example.Com", "https://app.example.com:443"},
			[]string{
				"", "null", "http://app.example.com", "https://app.example.com:8443", "https://example.com", "https://app.example.com.",
				"https://app.example.com.evil.com", "https://app.example.comevil.com", "https://evilapp.example.com",
				"https://x.app.example.com", "https://app.example.com@evil.com", "https://evil.com@app.example.com",
				"https://app.example.com/", "https://app.example.com/x", "https://app.example.com?x", "https://app.example.com#x",
				"https://app.example.com\\x", " https://app.example.com", "https://app.example.com ", "https:/app.example.com",
				"https:app.example.com", "//app.example.com", "app.example.com", "https://app.example.com,https://app.example.com",
				"https://app.example.com https://evil.com", "https://app_example.com", "https://appXexample.com", "https://app.example.com:",
				"https://app.example.com:0443", "https://app.example.com%00", "https://app.example.com\x00", "httpss://app.example.com",
				"https://app.example.com:443:443", "blob:https://app.example.com", "://app.example.com", "1https://app.example.com",
			},
		},
		{
			"https://*.example.com",
			[]string{"https://a.example.com", "https://a.b.example.com", "https://A.EXAMPLE.com", "https://a.example.com:443"},
			[]string{
				"https://example.com", "http://a.example.com:443", "https://.example.com", "https://evilexample.com", "https://evil-example.com", "http://a.example.com",
				"https://a.example.com:8443", "https://a.example.com.evil.com", "https://a.example.com.", "https://a..example.com",
				"https://evil.com/.example.com", "https://evil.com#.example.com", "https://evil.com?.example.com", "https://evil.com\\.example.com",
				"https://evil.com:80.example.com", "https://x@a.example.com", "https://*.example.com", "https://a.example.org", "https://a.example",
				"https://evil.com%2f.example.com", "https://a b.example.com",
			},
		},
		{"http://*.localhost", []string{"http://app.localhost"}, []string{"http://localhost", "http://localhost.evil.com", "http://xlocalhost"}},
		{"https://*.example.com:8443", []string{"https://a.example.com:8443"}, []string{"https://a.example.com", "https://a.example.com:443"}},
		{
			"http://localhost:*",
			[]string{"http://localhost", "http://localhost:80", "http://localhost:3000", "http://localhost:65535"},
			[]string{
				"https://localhost:3000", "http://localhost:", "http://localhost:x", "http://localhost:*", "http://localhost:99999",
				"http://localhost.evil.com:3000", "http://localhost:3000.evil.com", "http://localhost:3000@evil.com", "http://127.0.0.1:3000",
				"http://evil.com:3000", "http://localhost:3000/", "http://a.localhost:3000", "http://localhost.:3000",
			},
		},
		{"http://[::1]:*", []string{"http://[::1]:3000", "http://[0::1]"}, []string{"http://[::2]:3000", "http://::1", "http://localhost:3000"}},
		{"http://127.0.0.1:3000", []string{"http://127.0.0.1:3000"}, []string{"http://127.0.0.1", "http://127.0.0.1.evil.com:3000", "http://127.1:3000"}},
		{"https://example.com:443", []string{"https://example.com"}, []string{"http://example.com:443"}},
		{"vscode-file://vscode-app", []string{"vscode-file://vscode-app"}, []string{"vscode-file://other", "vscode-file:///vscode-app", "http://vscode-app"}},
		{"chrome-extension://abcdefghijklmnop", []string{"chrome-extension://abcdefghijklmnop"}, []string{"chrome-extension://abcdefghijklmnoq"}},
		{"*", []string{"null", "", "https://evil.com", "anything"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			t.Parallel()
			ps, err := parseOriginPatterns([]string{tt.pattern})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range tt.match {
				if !ps.match(s) {
					t.Errorf("%q does not match", s)
				}
			}
			for _, s := range tt.mismatch {
				if ps.match(s) {
					t.Errorf("%q matches", s)
				}
			}
		})
	}
}

func TestOriginPatternsRefused(t *testing.T) {
	t.Parallel()
	bad := []string{
		"", "null", "1x://example.com", "example.com", "*.example.com", "localhost:*", "https://", "https://*", "https://*.com", "https://*.", "https://*.com.",
		"https://**.example.com", "https://*.*.example.com", "https://*.example.com:*", "https://a.*.example.com", "https://ex*mple.com",
		"https://*example.com", "https://example.*", "http://localhost:80*", "http://localhost:3000:*", "http://localhost/*",
		"http://localhost:*/*", "http://localhost/", "https://a@example.com", "*://example.com", "https:*", "http*://example.com",
		"http://*.0.0.1", "http://*.[::1]", "https://bücher.example", "https://example.com ", "^https://.*$", "* ", "https://*.localhost.",
	}
	for _, s := range bad {
		if p, err := parseOriginPattern(s); err == nil {
			t.Errorf("parseOriginPattern(%q) = %+v, want an error", s, p)
		} else if s != "" && !strings.Contains(err.Error(), s) {
			t.Errorf("the error does not name %q: %v", s, err)
		}
	}
	if _, err := parseOriginPattern("null"); !strings.Contains(err.Error(), "sandboxed") {
		t.Errorf("the error does not say why null is refused: %v", err)
	}
	ps, err := parseOriginPatterns([]string{"https://a.example", "x", "https://b.example", "y"})
	if err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), `"y"`) {
		t.Errorf("error = %v, want both named", err)
	}
	if diff := cmp.Diff(2, len(ps)); diff != "" || !ps.match("https://b.example") {
		t.Errorf("the right patterns are lost: %+v", ps)
	}
}

// FuzzOrigin holds that whatever matches is an origin of the hosts that were meant, by net/url's reading.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{
		"https://a.example.com", "https://example.com", "https://evil.com/.example.com", "http://localhost:3000", "null", "https://a.example.com.",
		"http://localhost.evil.com", "http://localhost@evil.com:3000", "https://x@a.example.com", "http://[::1]:3000", "http://[::1%25lo]:1",
		"https://a.example.com:443", "http://localhost:3000\\@evil.com", "https://evil.com%2f.example.com",
	} {
		f.Add(s)
	}
	sub, err := parseOriginPatterns([]string{"https://*.example.com"})
	if err != nil {
		f.Fatal(err)
	}
	port, err := parseOriginPatterns([]string{"http://localhost:*", "http://[::1]:*"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		subMatches, portMatches := sub.match(s), port.match(s)
		if !subMatches && !portMatches {
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(s, "?#\\@ ") {
			t.Fatalf("%q matches, and is no origin: %+v, %v", s, u, err)
		}
		host := strings.ToLower(u.Hostname())
		if subMatches && (u.Scheme != "https" || !strings.HasSuffix(host, ".example.com") || u.Port() != "" && u.Port() != "443") {
			t.Errorf("%q matches as a subdomain", s)
		}
		if addr, err := netip.ParseAddr(host); err == nil {
			host = addr.String()
		}
		if portMatches && (u.Scheme != "http" || host != "localhost" && host != "::1") {
			t.Errorf("%q matches as local", s)
		}
	})
}

// FuzzHost holds that a Host header which passes by default names this machine, by net/url's reading.
func FuzzHost(f *testing.F) {
	for _, s := range []string{
		"localhost", "LOCALHOST.:8000", "127.0.0.1:80", "[::1]:80", "[0:0:0:0:0:0:0:1]", "localhost.evil.com", "localhost@evil.com",
		"evil.com#localhost", "127.0.0.1.nip.io", "0x7f.1", "[::ffff:127.0.0.1]", "localhost:80:90", "localhost\\evil.com",
	} {
		f.Add(s)
	}
	hosts, err := parseHosts(nil)
	if err != nil {
		f.Fatal(err)
	}
	g := &guard{hosts: hosts}
	f.Fuzz(func(t *testing.T, s string) {
		if !g.knows(s) {
			return
		}
		u, err := url.Parse("http://" + s)
		if err != nil || u.User != nil || u.Host != s {
			t.Fatalf("%q passes, and is no host: %+v, %v", s, u, err)
		}
		host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
		if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
			return
		}
		if host != "localhost" {
			t.Errorf("%q passes", s)
		}
	})
}
