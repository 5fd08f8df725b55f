package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy/middleware"
)

func ExampleChain() {
	wrap := middleware.Chain(
		middleware.Entry{Name: "recover", Layer: middleware.LayerObservability, Func: middleware.Recover(nil, nil)},
		middleware.Entry{Name: "request_id", Layer: middleware.LayerSecurity, Func: middleware.RequestID()},
	)
	handler := wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Request-Id", "req-1")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("X-Request-Id"))
	// Output: 500 req-1
}

func ExampleAPIKey() {
	keys, err := middleware.NewKeys(
		middleware.Key{Name: "ci", Value: middleware.NewSecret("ccp-Zk3Qv81LmWx0TfRb7eHy")},
		middleware.Key{Name: "laptop", Value: middleware.NewSecret("ccp-9sDaU2pNcG5jOi6oXq4E"), Models: []string{"small"}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	type callerKey struct{}
	handler := middleware.APIKey(keys, middleware.APIKeyOptions{
		Exempt: func(r *http.Request) bool { return r.URL.Path == "/health/live" },
		OnOK: func(r *http.Request, key middleware.Key) *http.Request {
			return r.WithContext(context.WithValue(r.Context(), callerKey{}, key.Name))
		},
	})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello ", r.Context().Value(callerKey{}))
	}))

	for _, value := range []string{"ccp-9sDaU2pNcG5jOi6oXq4E", "ccp-guessed"} {
		r := httptest.NewRequest(http.MethodPost, "/v1/messages", nil)
		r.Header.Set("X-Api-Key", value)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 hello laptop
	// 401 {"error":{"type":"authentication_error","message":"invalid API key"}}
}

func ExampleGuard() {
	handler := middleware.Guard(middleware.GuardOptions{
		Origins: []string{"http://localhost:*"},
		Reject: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusForbidden)
		},
	})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }))

	send := func(host, origin string) {
		r := httptest.NewRequest(http.MethodPost, "/v1/messages", nil)
		r.Host = host
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	send("localhost:8000", "")
	send("localhost:8000", "http://localhost:5173")
	send("localhost:8000", "https://evil.example")
	send("evil.example:8000", "")
	// Output:
	// 200 hello
	// 200 hello
	// 403 requests of web pages of other origins are not allowed: see the Origin header
	// 403 the Host header names no host of this server
}

func ExampleCORS() {
	wrap, err := middleware.CORS(middleware.CORSOptions{Origins: []string{"https://*.example.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := wrap(http.NotFoundHandler())

	r := httptest.NewRequest(http.MethodOptions, "/v1/messages", nil)
	r.Header.Set("Origin", "https://chat.example.com")
	r.Header.Set("Access-Control-Request-Method", http.MethodPost)
	r.Header.Set("Access-Control-Request-Headers", "content-type,x-api-key,x-stainless-os")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
	fmt.Println(w.Header().Get("Access-Control-Allow-Origin"))
	fmt.Println(w.Header().Get("Access-Control-Allow-Headers"))
	// Output:
	// 204
	// https://chat.example.com
	// content-type, x-api-key, x-stainless-os
}

func ExampleLimits() {
	handler := middleware.Limits(middleware.LimitOptions{MaxURLBytes: 100})(http.NotFoundHandler())
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?q="+strings.Repeat("x", 100), nil))
	fmt.Println(w.Code, w.Body)
	// Output: 414 {"error":{"type":"invalid_request_error","message":"request URL too long: at most 100 bytes"}}
}
