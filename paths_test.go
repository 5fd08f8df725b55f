package ccproxy_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Every route answers the methods that it does not have with 405 and those that it has.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestWrongMethods(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	routes := []struct {
		path, allow string
		in          dialect
	}{
		{messagesPath, "POST", anthropicDialect},
		{countPath, "POST", anthropicDialect},
		{"/claude/v1/models", "GET, HEAD", openAIDialect},
		{"/claude/v1/models/claude-fake-1", "GET, HEAD", openAIDialect},
		{"/claude", "GET, HEAD", neutralDialect},
		{"/claude/", "GET, HEAD", neutralDialect},
		{"/", "GET, HEAD", neutralDialect},
		{"/health", "GET, HEAD", neutralDialect},
		{"/health/live", "GET, HEAD", neutralDialect},
		{"/health/ready", "GET, HEAD", neutralDialect},
		{"/plugins", "GET, HEAD", neutralDialect},
		{"/plugins/status", "DELETE, GET, HEAD", neutralDialect}, // a plugin might have the name
		{"/plugins/claude_api", "DELETE", neutralDialect},
		{"/plugins/claude_api/health", "GET, HEAD", neutralDialect},
	}
	for _, route := range routes {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"} {
			if strings.Contains(route.allow, method) {
				continue
			}
			t.Run(method+" "+route.path, func(t *testing.T) {
				rec := r.do(t, method, route.path, nil, strings.NewReader(wholeBody))
				if rec.Header().Get("Location") != "" {
					t.Errorf("redirected to %s", rec.Header().Get("Location"))
				}
				wantError(t, rec, route.in, http.StatusMethodNotAllowed, "invalid_request_error", "method: ")
				if got := rec.Header().Get("Allow"); got != route.allow {
					t.Errorf("Allow = %q, want %q", got, route.allow)
				}
				if e, _ := shapeOf(t, rec.Body.Bytes()); !strings.Contains(e.Error.Message, route.allow) {
					t.Errorf("message %q does not say what is allowed", e.Error.Message)
				}
			})
		}
	}
	if n := len(r.upstream.Requests()); n != 0 {
		t.Errorf("the upstream saw %d requests", n)
	}
}

// What only looks like a route is not one, and is never cleaned up into one.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	tests := []struct {
		path string
		in   dialect
		typ  string
	}{
		{"/nothing", neutralDialect, "not_found_error"},
		{"/v2/messages", anthropicDialect, "not_found_error"},
		{"/claude/v1", neutralDialect, "not_found_error"},
		{"/claude/v2/messages", anthropicDialect, "not_found_error"},
		{"/claude/v1/messages/", anthropicDialect, "not_found_error"},
		{"/claude/v1/messages/count_tokens/", anthropicDialect, "not_found_error"},
		{"/claude/v1/messages/batches", openAIDialect, "invalid_request_error"},
		{"/claude/v1/embeddings", openAIDialect, "invalid_request_error"},
		{"/claude/v1/models/", openAIDialect, "invalid_request_error"},
		{"/claudex/v1/messages", anthropicDialect, "not_found_error"},
		{"/CLAUDE/v1/messages", anthropicDialect, "not_found_error"},
		{"/claude/V1/messages", anthropicDialect, "not_found_error"},
		{"/claude//v1/messages", anthropicDialect, "not_found_error"},
		{"//claude/v1/messages", anthropicDialect, "not_found_error"},
		{"/claude/v1//messages", anthropicDialect, "not_found_error"},
		{"/claude/./v1/messages", anthropicDialect, "not_found_error"},
		{"/claude/x/../v1/messages", anthropicDialect, "not_found_error"},
		{"/x/../claude/v1/messages", anthropicDialect, "not_found_error"},
		{"/claude/%2e%2e/claude/v1/messages", anthropicDialect, "not_found_error"},
		{"/claude%2fv1%2fmessages", anthropicDialect, "not_found_error"},
		{"/claude/v1%2Fmessages", anthropicDialect, "not_found_error"},
		{"/claude/v1/%6dessages", anthropicDialect, "not_found_error"},
		{"/%63laude/v1/messages", anthropicDialect, "not_found_error"},
		{"/claude/v1/messages%00", openAIDialect, "invalid_request_error"},
		{"/claude/v1/messages%0d%0a", openAIDialect, "invalid_request_error"},
		{"/claude/v1/messages%20", openAIDialect, "invalid_request_error"},
		{"/claude\\v1\\messages", neutralDialect, "not_found_error"},
		{"/claude/v1%5cmessages", neutralDialect, "not_found_error"},
		{"/claude/v1/messages;x=1", openAIDialect, "invalid_request_error"},
		{"/health/", neutralDialect, "not_found_error"},
		{"/plugins/", neutralDialect, "not_found_error"},
		{"/plugins/a/b/health", neutralDialect, "not_found_error"},
		{"/plugins%2fstatus", neutralDialect, "not_found_error"},
		{"/" + strings.Repeat("a/", 4000), neutralDialect, "not_found_error"},
	}
	for _, tt := range tests {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			t.Run(method+" "+tt.path[:min(len(tt.path), 60)], func(t *testing.T) {
				rec := r.do(t, method, tt.path, nil, strings.NewReader(wholeBody))
				wantError(t, rec, tt.in, http.StatusNotFound, tt.typ, "")
				if rec.Header().Get("Location") != "" || rec.Header().Get("Allow") != "" {
					t.Errorf("headers of another answer: %v", rec.Header())
				}
			})
		}
	}
	if n := len(r.upstream.Requests()); n != 0 {
		t.Errorf("the upstream saw %d requests", n)
	}
}

// A dot segment is a name like any other, and there is no plugin of that name.
func TestDotSegmentIsAName(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, path := range []string{"/plugins/../health", "/plugins/%2e%2e/health", "/plugins/%2E./health"} {
		rec := r.do(t, http.MethodGet, path, nil, nil)
		wantError(t, rec, neutralDialect, http.StatusNotFound, "not_found_error", "not found")
	}
}

// The client's anthropic-version tells its dialect where the path does not.
func TestUnknownPathInTheClientsDialect(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	header := http.Header{"Anthropic-Version": {"2023-06-01"}}
	rec := r.do(t, http.MethodGet, "/claude/v1/files", header, nil)
	wantError(t, rec, anthropicDialect, http.StatusNotFound, "not_found_error", "path: ")
}

// A WebSocket handshake gets 426 wherever it is tried, since any other answer makes clients try again for long.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestWebSocketUpgrades(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	tests := []struct {
		path string
		in   dialect
	}{
		{"/claude/v1/responses", openAIDialect},
		{"/v1/responses", openAIDialect},
		{messagesPath, anthropicDialect},
		{countPath, anthropicDialect},
		{"/claude/v1/models", openAIDialect},
		{"/claude", neutralDialect},
		{"/nothing", neutralDialect},
		{"/", neutralDialect},
	}
	for _, tt := range tests {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			for _, upgrade := range []string{"websocket", "WebSocket"} {
				t.Run(method+" "+tt.path+" "+upgrade, func(t *testing.T) {
					header := http.Header{"Connection": {"Upgrade"}, "Upgrade": {upgrade}, "Sec-Websocket-Version": {"13"}}
					rec := r.do(t, method, tt.path, header, strings.NewReader(wholeBody))
					wantError(t, rec, tt.in, http.StatusUpgradeRequired, "invalid_request_error", "Upgrade: ")
					if got := rec.Header().Get("Upgrade"); got != "HTTP/1.1" {
						t.Errorf("Upgrade = %q", got)
					}
				})
			}
		}
	}
	// Other upgrades are offers that a server may pass over.
	header := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"h2c"}}
	if rec := r.do(t, http.MethodPost, messagesPath, header, strings.NewReader(wholeBody)); rec.Code != http.StatusOK {
		t.Errorf("h2c offer: %d %s", rec.Code, rec.Body)
	}
}

// Whatever query a client sends goes upstream as it is.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestQueryStringsAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, query := range []string{
		"", "beta=true", "beta=true&beta=false", "a=%zz", "%", "a;b", "a=b;c=d", "&&&", "=", "a[]=1&a[]=2",
		"x=%2F%2f%00", "q=a+b%20c", "a=b?c=d", "%F0%9F%98%80", "a='\"<>",
		"long=" + strings.Repeat("x", 8<<10),
	} {
		for _, path := range []string{messagesPath, countPath} {
			t.Run(path+"?"+query[:min(len(query), 20)], func(t *testing.T) {
				req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(wholeBody))
				req.URL.RawQuery = query
				rec := httptest.NewRecorder()
				r.proxy.ServeHTTP(rec, req)
				if rec.Code != http.StatusOK {
					t.Fatalf("got %d %s", rec.Code, rec.Body)
				}
				if got := r.last(t); got.RawQuery != query || got.Path != strings.TrimPrefix(path, "/claude") {
					t.Errorf("the upstream got %q?%q", got.Path, got.RawQuery)
				}
			})
		}
	}
}

// What clients send before they ask anything.
func TestPreconnect(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	s := newHost(t, r.proxy, false)
	for _, path := range []string{"/", "/claude", "/claude/"} {
		resp, err := s.client.Head("http://proxy" + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Request-Id") == "" {
			t.Errorf("HEAD %s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
}

// An Expect header is the connection's own business: it neither hangs nor goes upstream.
func TestExpect(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	s := newHost(t, r.proxy, false)
	for _, path := range []string{messagesPath, "/nothing"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://proxy"+path, strings.NewReader(wholeBody))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Expect", "100-continue")
		resp, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := map[string]int{messagesPath: 200, "/nothing": 404}[path]; resp.StatusCode != want {
			t.Errorf("%s: got %d", path, resp.StatusCode)
		}
	}
	if got := r.last(t); got.Header.Get("Expect") != "" {
		t.Errorf("the upstream got Expect: %q", got.Header.Get("Expect"))
	}
	answer := s.raw(t, "POST "+messagesPath+" HTTP/1.1\r\nHost: proxy\r\nExpect: magic\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 417 ") {
		t.Errorf("unknown expectation: %.60q", answer)
	}
}

// Requests on which two servers might disagree about the length reach the upstream at most once.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestSmuggling(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	s := newHost(t, r.proxy, false)
	const head = "POST " + messagesPath + " HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n"
	tests := []struct{ name, request string }{
		{"length and chunks", head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n"},
		{"two lengths", head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"},
		{"list of lengths", head + "Content-Length: 2, 3\r\n\r\n{}x"},
		{"signed length", head + "Content-Length: +2\r\n\r\n{}"},
		{"negative length", head + "Content-Length: -2\r\n\r\n{}"},
		{"huge length", head + "Content-Length: 99999999999999999999\r\n\r\n{}"},
		{"unknown coding", head + "Transfer-Encoding: xchunked\r\n\r\n{}"},
		{"coding twice", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n"},
		{"bad chunk", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"},
		{"space before colon", head + "Content-Length : 2\r\n\r\n{}"},
		{"folded header", head + "X-A: 1\r\n Content-Length: 2\r\n\r\n{}"},
		{"NUL in a value", head + "X-A: 1\x00\r\nContent-Length: 2\r\n\r\n{}"},
		{"bare CR", head + "X-A: 1\rX-Api-Key: 2\r\nContent-Length: 2\r\n\r\n{}"},
		{"no host", "POST " + messagesPath + " HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"},
		{"two hosts", head + "Host: other\r\nContent-Length: 2\r\n\r\n{}"},
		{"space in the target", "POST " + messagesPath + " x HTTP/1.1\r\nHost: p\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := s.raw(t, tt.request)
			seen := len(r.upstream.Requests())
			r.upstream.Reset()
			if strings.Count(answer, "HTTP/1.1 ") != 1 || seen > 1 {
				t.Errorf("%d requests upstream; answer %.200q", seen, answer)
			}
			if tt.name != "length and chunks" && (seen != 0 || !strings.HasPrefix(answer, "HTTP/1.1 4") && !strings.HasPrefix(answer, "HTTP/1.1 501")) {
				t.Errorf("%d requests upstream; answer %.200q", seen, answer)
			}
		})
	}
}
