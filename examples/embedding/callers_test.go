package embedding_test

import (
	"context"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
)

// session is what a host knows of whoever is logged in.
type session struct {
	User   string
	Models []string
}

// sessionOf is the host's own authentication.
func sessionOf(r *http.Request) (session, bool) {
	if c, err := r.Cookie("session"); err == nil && c.Value == "of-alice" {
		return session{User: "alice", Models: []string{"echo-1"}}, true
	}
	return session{}, false
}

func Example_callers() {
	proxy := started(ccproxy.Settings{})
	defer proxy.Shutdown(context.Background())

	authenticated := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, ok := sessionOf(r)
			if !ok {
				http.Error(w, "log in first", http.StatusUnauthorized)
				return
			}
			caller := ccproxy.Caller{ID: s.User, Models: s.Models} // nil Models: all
			next.ServeHTTP(w, r.WithContext(ccproxy.ContextWithCaller(r.Context(), caller)))
		})
	}
	h := authenticated(proxy.Mount("/llm"))

	say(h, "/llm/echo/v1/messages")
	say(h, "/llm/echo/v1/messages", "Cookie", "session=of-alice")
	// Output:
	// 401 log in first
	// 200 hello
}

func Example_keys() {
	proxy := started(ccproxy.Settings{Security: ccproxy.Security{
		Keys: []ccproxy.APIKey{
			{Name: "ci", Value: ccproxy.NewSecret("kZ3-of-the-build-9fQ"), Models: []string{"echo-1"}},
		},
		Hosts:   []string{"llm.example.com"},
		Origins: []string{"https://app.example.com"},
	}})
	defer proxy.Shutdown(context.Background())

	const address = "http://llm.example.com/echo/v1/messages"
	say(proxy, address)
	say(proxy, address, "x-api-key", "kZ3-of-the-build-9fQ")
	say(proxy, address, "Authorization", "Bearer kZ3-of-the-build-9fQ")
	say(proxy, address, "x-api-key", "kZ3-of-the-build-9fQ", "Origin", "https://evil.example")
	say(proxy, "http://other.example/echo/v1/messages", "x-api-key", "kZ3-of-the-build-9fQ")
	// Output:
	// 401 no API key: send one as Authorization: Bearer or as x-api-key
	// 200 hello
	// 200 hello
	// 403 requests of web pages of other origins are not allowed: see the Origin header
	// 403 the Host header names no host of this server
}
