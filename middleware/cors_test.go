package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/middleware"
)

const appOrigin = "https://app.example.com"

// crossOrigin sends a request through CORS to a handler that answers 418, and gives the answer.
func crossOrigin(t *testing.T, o middleware.CORSOptions, method string, h http.Header) *httptest.ResponseRecorder {
	t.Helper()
	wrap, err := middleware.CORS(o)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	})).ServeHTTP(w, request(method, "localhost", h))
	return w
}

func preflight(origin, names string) http.Header {
	h := http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"POST"}}
	if names != "" {
		h.Set("Access-Control-Request-Headers", names)
	}
	return h
}

const preflightVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

func TestCORSPreflight(t *testing.T) {
	t.Parallel()
	const methods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	tests := []struct {
		name string
		o    middleware.CORSOptions
		h    http.Header
		want http.Header
	}{
		{
			"Anthropic SDK",
			middleware.CORSOptions{Origins: []string{appOrigin}},
			preflight(appOrigin, "anthropic-beta,anthropic-dangerous-direct-browser-access,anthropic-version,content-type,"+
				"x-api-key,x-stainless-arch,x-stainless-helper-method,x-stainless-timeout,x-unheard-of"),
			http.Header{
				"Vary": {preflightVary}, "Access-Control-Allow-Origin": {appOrigin}, "Access-Control-Allow-Methods": {methods},
				"Access-Control-Allow-Headers": {"anthropic-beta, anthropic-dangerous-direct-browser-access, anthropic-version, " +
					"content-type, x-api-key, x-stainless-arch, x-stainless-helper-method, x-stainless-timeout"},
				"Access-Control-Max-Age": {"600"},
			},
		},
		{
			"OpenAI SDK with credentials",
			middleware.CORSOptions{Origins: []string{appOrigin}, Credentials: true, MaxAge: time.Hour, Methods: []string{"POST"}},
			preflight(appOrigin, "authorization,content-type,idempotency-key,openai-beta,openai-organization,openai-project,"+
				"user-agent,x-request-id,x-stainless-retry-count"),
			http.Header{
				"Vary": {preflightVary}, "Access-Control-Allow-Origin": {appOrigin}, "Access-Control-Allow-Credentials": {"true"},
				"Access-Control-Allow-Methods": {"POST"},
				"Access-Control-Allow-Headers": {"authorization, content-type, idempotency-key, openai-beta, openai-organization, " +
					"openai-project, user-agent, x-request-id, x-stainless-retry-count"},
				"Access-Control-Max-Age": {"3600"},
			},
		},
		{
			"everyone, no headers, not kept",
			middleware.CORSOptions{Origins: []string{"*"}, MaxAge: -time.Hour},
			preflight("null", ""),
			http.Header{
				"Vary": {preflightVary}, "Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Methods": {methods},
				"Access-Control-Max-Age": {"0"},
			},
		},
		{
			"own headers, odd spelling",
			middleware.CORSOptions{Origins: []string{"http://localhost:*"}, Headers: []string{"X-Mine", "X-Team-*"}},
			preflight("http://localhost:5173", " X-MINE ,\tX-Team-A,,x-team,x mine,x-mine\x00,"),
			http.Header{
				"Vary": {preflightVary}, "Access-Control-Allow-Origin": {"http://localhost:5173"}, "Access-Control-Allow-Methods": {methods},
				"Access-Control-Allow-Headers": {"x-mine, x-team-a"}, "Access-Control-Max-Age": {"600"},
			},
		},
		{
			"all headers",
			middleware.CORSOptions{Origins: []string{appOrigin}, Headers: []string{"*"}},
			preflight(appOrigin, "x-a,x y,,b,c\x00,d\r\ne"),
			http.Header{
				"Vary": {preflightVary}, "Access-Control-Allow-Origin": {appOrigin}, "Access-Control-Allow-Methods": {methods},
				"Access-Control-Allow-Headers": {"x-a, b"}, "Access-Control-Max-Age": {"600"},
			},
		},
		{
			"foreign",
			middleware.CORSOptions{Origins: []string{appOrigin}},
			preflight("https://evil.com", "x-api-key"),
			http.Header{"Vary": {preflightVary}},
		},
		{
			"two origins",
			middleware.CORSOptions{Origins: []string{appOrigin}},
			http.Header{"Origin": {appOrigin, "https://evil.com"}, "Access-Control-Request-Method": {"POST"}},
			http.Header{"Vary": {preflightVary}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := crossOrigin(t, tt.o, http.MethodOptions, tt.h)
			if w.Code != http.StatusNoContent || w.Body.Len() > 0 {
				t.Errorf("answer = %d %q, want an empty 204", w.Code, w.Body)
			}
			if diff := cmp.Diff(tt.want, w.Header()); diff != "" {
				t.Errorf("header mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCORSAnswers(t *testing.T) {
	t.Parallel()
	some := middleware.CORSOptions{Origins: []string{appOrigin, "https://*.example.org"}}
	tests := []struct {
		name   string
		o      middleware.CORSOptions
		method string
		h      http.Header
		want   http.Header // without Access-Control-Expose-Headers
	}{
		{"off", middleware.CORSOptions{}, "GET", http.Header{"Origin": {appOrigin}}, http.Header{}},
		{"off, preflight", middleware.CORSOptions{}, "OPTIONS", preflight(appOrigin, ""), http.Header{}},
		{
			"exact", some, "POST",
			http.Header{"Origin": {appOrigin}},
			http.Header{"Vary": {"Origin"}, "Access-Control-Allow-Origin": {appOrigin}},
		},
		{
			"wildcard", some, "GET",
			http.Header{"Origin": {"https://a.b.example.org"}},
			http.Header{"Vary": {"Origin"}, "Access-Control-Allow-Origin": {"https://a.b.example.org"}},
		},
		{"program", some, "POST", http.Header{}, http.Header{"Vary": {"Origin"}}},
		{"foreign", some, "POST", http.Header{"Origin": {"https://app.example.com.evil.com"}}, http.Header{"Vary": {"Origin"}}},
		{"apex of the wildcard", some, "GET", http.Header{"Origin": {"https://example.org"}}, http.Header{"Vary": {"Origin"}}},
		{"null", some, "GET", http.Header{"Origin": {"null"}}, http.Header{"Vary": {"Origin"}}},
		{"two origins", some, "GET", http.Header{"Origin": {appOrigin, appOrigin}}, http.Header{"Vary": {"Origin"}}},
		{
			"OPTIONS that is no preflight", some, "OPTIONS",
			http.Header{"Origin": {appOrigin}},
			http.Header{"Vary": {"Origin"}, "Access-Control-Allow-Origin": {appOrigin}},
		},
		{
			"OPTIONS of a program", some, "OPTIONS",
			http.Header{"Access-Control-Request-Method": {"POST"}},
			http.Header{"Vary": {"Origin"}},
		},
		{
			"everyone",
			middleware.CORSOptions{Origins: []string{"*"}},
			"GET",
			http.Header{"Origin": {"https://evil.com"}},
			http.Header{"Access-Control-Allow-Origin": {"*"}},
		},
		{
			"everyone, program",
			middleware.CORSOptions{Origins: []string{"*"}},
			"GET",
			http.Header{},
			http.Header{"Access-Control-Allow-Origin": {"*"}},
		},
		{
			"credentials",
			middleware.CORSOptions{Origins: []string{appOrigin}, Credentials: true},
			"GET",
			http.Header{"Origin": {appOrigin}},
			http.Header{
				"Vary": {"Origin"}, "Access-Control-Allow-Origin": {appOrigin}, "Access-Control-Allow-Credentials": {"true"},
			},
		},
		{
			"credentials, foreign",
			middleware.CORSOptions{Origins: []string{appOrigin}, Credentials: true},
			"GET",
			http.Header{"Origin": {"https://evil.com"}},
			http.Header{"Vary": {"Origin"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := crossOrigin(t, tt.o, tt.method, tt.h)
			if w.Code != http.StatusTeapot {
				t.Errorf("status = %d, want the handler's", w.Code)
			}
			_, allowed := tt.want["Access-Control-Allow-Origin"]
			exposed := w.Header().Get("Access-Control-Expose-Headers")
			if (exposed != "") != allowed {
				t.Errorf("exposed headers = %q, want some: %t", exposed, allowed)
			}
			w.Header().Del("Access-Control-Expose-Headers")
			if diff := cmp.Diff(tt.want, w.Header()); diff != "" {
				t.Errorf("header mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCORSExposes(t *testing.T) {
	t.Parallel()
	w := crossOrigin(t, middleware.CORSOptions{Origins: []string{"*"}, ExposeHeaders: []string{"X-Mine"}}, "GET", http.Header{})
	got := strings.Split(w.Header().Get("Access-Control-Expose-Headers"), ", ")
	for _, want := range []string{
		"request-id", "x-request-id", "retry-after", "x-should-retry", "x-ccproxy-loss", "x-ccproxy-estimated",
		"anthropic-ratelimit-requests-limit",
		"anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-unified-5h-utilization", "x-ratelimit-remaining-tokens", "X-Mine",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not exposed: %v", want, got)
		}
	}
}

// TestCORSKeepsVary holds that what stands outside has not written its Vary in vain.
func TestCORSKeepsVary(t *testing.T) {
	t.Parallel()
	wrap, err := middleware.CORS(middleware.CORSOptions{Origins: []string{appOrigin}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	w.Header().Set("Vary", "Accept-Encoding")
	wrap(http.HandlerFunc(quiet)).ServeHTTP(w, request("GET", "localhost", nil))
	if diff := cmp.Diff([]string{"Accept-Encoding", "Origin"}, w.Header()["Vary"]); diff != "" {
		t.Errorf("Vary mismatch (-want +got):\n%s", diff)
	}
}

func TestCORSBoundsPreflights(t *testing.T) {
	t.Parallel()
	o := middleware.CORSOptions{Origins: []string{appOrigin}}
	h := preflight(appOrigin, strings.Repeat("x-stainless-a,", 50_000))
	h.Add("Access-Control-Request-Headers", "x-stainless-"+strings.Repeat("a", 1000))
	if got := crossOrigin(t, o, "OPTIONS", h).Header().Get("Access-Control-Allow-Headers"); len(got) > 4096 {
		t.Errorf("a preflight is answered with %d bytes of names", len(got))
	}
	two := preflight(appOrigin, "x-api-key")
	two.Add("Access-Control-Request-Headers", "authorization, x-stainless-"+strings.Repeat("a", 1000))
	if got := crossOrigin(t, o, "OPTIONS", two).Header().Get("Access-Control-Allow-Headers"); got != "x-api-key, authorization" {
		t.Errorf("allowed = %q, want the names of both lines but for the long one", got)
	}
}

func TestCORSRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		o    middleware.CORSOptions
		want []string
	}{
		{"origins", middleware.CORSOptions{Origins: []string{"null", "http://localhost:*/*", "*.example.com", appOrigin}}, []string{
			`"null"`, `"http://localhost:*/*"`, `"*.example.com"`,
		}},
		{"credentials for everyone", middleware.CORSOptions{Origins: []string{"*"}, Credentials: true}, []string{`unlike "*"`}},
		{"credentials for a wildcard", middleware.CORSOptions{
			Origins: []string{appOrigin, "http://localhost:*"}, Credentials: true,
		}, []string{`unlike "http://localhost:*"`}},
		{"names", middleware.CORSOptions{
			Methods: []string{"GET", "PO ST"}, Headers: []string{"x-*-y", "", "x y"}, ExposeHeaders: []string{"a,b"},
		}, []string{`"PO ST"`, `"x-*-y"`, `""`, `"x y"`, `"a,b"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wrap, err := middleware.CORS(tt.o)
			if err == nil || wrap != nil {
				t.Fatalf("CORS = %v, want an error alone", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error = %v, want %s in it", err, want)
				}
			}
		})
	}
}

// TestCORSStandsOutsideOfTheGuards holds that a preflight, which carries no key, is answered, and that a page gets
// to read why its request was refused.
func TestCORSStandsOutsideOfTheGuards(t *testing.T) {
	t.Parallel()
	origins := []string{appOrigin}
	cors, err := middleware.CORS(middleware.CORSOptions{Origins: origins})
	if err != nil {
		t.Fatal(err)
	}
	handler := cors(middleware.Guard(middleware.GuardOptions{Origins: origins})(
		middleware.APIKey(twoKeys(t), middleware.APIKeyOptions{})(http.HandlerFunc(quiet))))
	tests := []struct {
		name   string
		method string
		h      http.Header
		want   int
		allow  string
	}{
		{"preflight", "OPTIONS", preflight(appOrigin, "x-api-key"), 204, appOrigin},
		{"request without a key", "POST", http.Header{"Origin": {appOrigin}}, 401, appOrigin},
		{"request", "POST", http.Header{"Origin": {appOrigin}, "X-Api-Key": {aliceKey}}, 200, appOrigin},
		{"foreign preflight", "OPTIONS", preflight("https://evil.com", "x-api-key"), 204, ""},
		{"foreign request", "POST", http.Header{"Origin": {"https://evil.com"}, "X-Api-Key": {aliceKey}}, 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, request(tt.method, "localhost", tt.h))
			if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != tt.want || got != tt.allow {
				t.Errorf("answer = %d, allowed origin %q, want %d, %q", w.Code, got, tt.want, tt.allow)
			}
		})
	}
}

func BenchmarkCORS(b *testing.B) {
	wrap, err := middleware.CORS(middleware.CORSOptions{Origins: []string{"http://localhost:*", "https://*.example.com"}})
	if err != nil {
		b.Fatal(err)
	}
	handler := wrap(http.HandlerFunc(quiet))
	sdk := preflight(appOrigin, "anthropic-beta,anthropic-version,content-type,x-api-key,x-stainless-arch,x-stainless-os,x-stainless-timeout")
	for _, bb := range []struct {
		name string
		r    *http.Request
	}{
		{"program", request("POST", "localhost", http.Header{})},
		{"page", request("POST", "localhost", http.Header{"Origin": {appOrigin}})},
		{"preflight", request("OPTIONS", "localhost", sdk)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			w := bareWriter{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				handler.ServeHTTP(w, bb.r)
			}
		})
	}
}
