package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/middleware"
)

// manyHeaders is a header of n values of one byte.
func manyHeaders(n int) http.Header {
	h := http.Header{}
	for i := range n {
		h[fmt.Sprintf("X-%03d", i)] = []string{"v"}
	}
	return h
}

func TestLimits(t *testing.T) {
	t.Parallel()
	small := middleware.LimitOptions{MaxURLBytes: 20, MaxHeaderBytes: 40, MaxHeaders: 4}
	target := func(uri string) *http.Request { return &http.Request{RequestURI: uri, URL: &url.URL{Path: "/"}} }
	inProcess := func(u url.URL) *http.Request { return &http.Request{URL: &u} }
	header := func(host string, h http.Header) *http.Request {
		return &http.Request{RequestURI: "/", URL: &url.URL{Path: "/"}, Host: host, Header: h}
	}
	tests := []struct {
		name string
		o    middleware.LimitOptions
		r    *http.Request
		want int
	}{
		{"URL at the limit", small, target("/" + strings.Repeat("a", 19)), 200},
		{"URL beyond", small, target("/" + strings.Repeat("a", 20)), 414},
		{"query counts", small, target("/a?" + strings.Repeat("b", 18)), 414},
		{"prefix that was stripped counts", small, target("/" + strings.Repeat("p", 30) + "/v1"), 414},
		{"no connection, path", small, inProcess(url.URL{Path: strings.Repeat("a", 21)}), 414},
		{"no connection, escaped path", small, inProcess(url.URL{Path: "/", RawPath: strings.Repeat("%2f", 7)}), 414},
		{"no connection, query", small, inProcess(url.URL{Path: "/", RawQuery: strings.Repeat("a", 20)}), 414},
		{"no connection, at the limit", small, inProcess(url.URL{Path: "/abc", RawQuery: strings.Repeat("a", 16)}), 200},
		{"headers at the limit", small, header("0123456789", http.Header{"X-A": {strings.Repeat("v", 23)}}), 200},
		{"headers beyond", small, header("0123456789", http.Header{"X-A": {strings.Repeat("v", 24)}}), 431},
		{"name counts", small, header("", http.Header{strings.Repeat("N", 37): {""}}), 431},
		{"name counts for each value", small, header("", http.Header{"Twelve-Bytes": {"", "", ""}}), 200},
		{"name counts for each value, beyond", small, header("", http.Header{"Thirteen-Byte": {"", "", ""}}), 431},
		{"host counts", small, header(strings.Repeat("h", 37), nil), 431},
		{"number at the limit", small, header("h", http.Header{"A": {"1", "2", "3"}}), 200},
		{"number beyond", small, header("h", http.Header{"A": {"1", "2"}, "B": {"1", "2"}}), 431},
		{"default URL", middleware.LimitOptions{}, target("/" + strings.Repeat("a", 16<<10-1)), 200},
		{"default URL, beyond", middleware.LimitOptions{}, target("/" + strings.Repeat("a", 16<<10)), 414},
		{"default bytes", middleware.LimitOptions{}, header("", http.Header{"Abcd": {strings.Repeat("v", 64<<10-8)}}), 200},
		{"default bytes, beyond", middleware.LimitOptions{}, header("", http.Header{"Abcd": {strings.Repeat("v", 64<<10-7)}}), 431},
		{"default number", middleware.LimitOptions{}, header("h", manyHeaders(255)), 200},
		{"default number, beyond", middleware.LimitOptions{MaxHeaders: -1}, header("h", manyHeaders(256)), 431},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			called := false
			w := httptest.NewRecorder()
			middleware.Limits(tt.o)(reached(&called)).ServeHTTP(w, tt.r)
			if w.Code != tt.want || called != (tt.want == 200) {
				t.Errorf("answer = %d %s, handler called: %t, want %d", w.Code, w.Body, called, tt.want)
			}
		})
	}
}

func TestLimitsReject(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		r    *http.Request
		want error
	}{
		{"URL", httptest.NewRequest("GET", "/"+strings.Repeat("secret", 9), nil), middleware.ErrURLTooLong},
		{"headers", request("GET", strings.Repeat("secret", 9), nil), middleware.ErrHeadersTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			called := false
			var got error
			middleware.Limits(middleware.LimitOptions{
				MaxURLBytes: 30, MaxHeaderBytes: 30,
				Reject: func(_ http.ResponseWriter, _ *http.Request, err error) { got = err },
			})(reached(&called)).ServeHTTP(httptest.NewRecorder(), tt.r)
			if called || !errors.Is(got, tt.want) || strings.Contains(got.Error(), "secret") || !strings.Contains(got.Error(), "30") {
				t.Errorf("Reject got %v, handler called: %t; want %v with the limit", got, called, tt.want)
			}
		})
	}
}

func BenchmarkLimits(b *testing.B) {
	handler := middleware.Limits(middleware.LimitOptions{})(http.HandlerFunc(quiet))
	r := request("POST", "localhost:8000", manyHeaders(25))
	var w http.ResponseWriter = bareWriter{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}
