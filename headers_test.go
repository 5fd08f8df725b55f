package ccproxy_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// headerOf sends one request with headers as they are written, and returns what the upstream got of them.
func (r *rig) headerOf(t *testing.T, header http.Header) http.Header {
	t.Helper()
	rec := r.do(t, http.MethodPost, messagesPath, header, strings.NewReader(wholeBody))
	if rec.Code != http.StatusOK {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	return r.last(t).Header
}

// The upstream sees these and nothing else of a client that sends everything.
func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true, config: func(c *claudeapi.Config) { c.ForwardHeaders = []string{"x-extra", "X-Team-*"} }})
	got := r.headerOf(t, http.Header{
		"accept": {"application/json"}, "content-type": {"application/json"}, "user-agent": {"claude-cli/2"},
		"anthropic-version": {"2024-01-01"}, "anthropic-beta": {"a-1,b-2", "c-3"},
		"anthropic-dangerous-direct-browser-access": {"true"},
		"x-app": {"cli"}, "x-claude-code-session-id": {"s"}, "x-stainless-lang": {"js"}, "x-stainless-timeout": {"600"},
		"x-client-request-id": {"c"}, "x-extra": {"1"}, "x-team-name": {"t"}, "x-other": {"no"}, "accept-language": {"de"},
		"accept-encoding": {"gzip, br, zstd"}, "x-request-id": {"mine"}, "range": {"bytes=0-1"}, "if-none-match": {"x"},
	})
	want := http.Header{
		"Accept": {"application/json"}, "Content-Type": {"application/json"}, "User-Agent": {"claude-cli/2"},
		"Anthropic-Version": {"2024-01-01"}, "Anthropic-Beta": {"a-1,b-2", "c-3"},
		"Anthropic-Dangerous-Direct-Browser-Access": {"true"},
		"X-App": {"cli"}, "X-Claude-Code-Session-Id": {"s"}, "X-Stainless-Lang": {"js"}, "X-Stainless-Timeout": {"600"},
		"X-Client-Request-Id": {"c"}, "X-Extra": {"1"}, "X-Team-Name": {"t"},
		"Accept-Encoding": {"identity"}, "X-Api-Key": {rigKey}, "Content-Length": {fmt.Sprint(len(wholeBody))},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("upstream headers (-want +got):\n%s", diff)
	}
}

func TestDefaultRequestHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	want := http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"ccproxy/" + ccproxy.Version}, "Accept-Encoding": {"identity"},
		"Anthropic-Version": {"2023-06-01"}, "X-Api-Key": {rigKey}, "Content-Length": {fmt.Sprint(len(wholeBody))},
	}
	if diff := cmp.Diff(want, r.headerOf(t, nil)); diff != "" {
		t.Errorf("upstream headers (-want +got):\n%s", diff)
	}
}

// credentialHeaders carry what belongs to the client, its browser or its network.
func credentialHeaders() []string {
	return []string{
		"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Proxy-Authorization", "Cookie", "Cookie2", "Set-Cookie",
		"X-Auth-Token", "X-Access-Token", "X-Amz-Security-Token", "X-Csrf-Token", "X-Github-Token", "Www-Authenticate",
		"X-Real-Ip", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Client-Cert", "Forwarded", "Via",
		"X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Remote-User", "Remote-User", "X-Ms-Client-Principal",
		"Cf-Connecting-Ip", "Cf-Access-Jwt-Assertion", "Cf-Ray", "Cdn-Loop", "True-Client-Ip", "Fly-Client-Ip", "X-Client-Ip",
		"Referer", "Sec-Fetch-Mode", "Sec-Websocket-Key", "Access-Control-Request-Method", "Idempotency-Key",
		"X-Idempotency-Key", "Te", "Trailer", "Upgrade", "Keep-Alive", "Proxy-Connection", "Http2-Settings", "Expect",
		"X_Api_Key", "X.Api.Key", "X_Forwarded_For", "Anthropic_Version", "Anthropic.Beta", "X-Stainless_Lang", "X_app", "User_Agent",
	}
}

// No header of a client that is not meant for the API reaches it, not even if an operator forwards everything.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestCredentialsStay(t *testing.T) {
	t.Parallel()
	const canary = "client-canary"
	kept := []string{ // what an operator who forwards everything has asked for
		"X-Auth-Token", "X-Access-Token", "X-Amz-Security-Token", "X-Csrf-Token", "X-Github-Token", "X-Original-Url",
		"X-Rewrite-Url", "X-Http-Method-Override", "X-Remote-User", "Remote-User", "X-Ms-Client-Principal", "True-Client-Ip",
		"Fly-Client-Ip", "X-Client-Ip",
	}
	for _, everything := range []bool{false, true} {
		r := newRig(t, rigSetup{quiet: true, config: func(c *claudeapi.Config) {
			if everything {
				c.ForwardHeaders = []string{"*", "Authorization", "Idempotency-Key"}
			}
		}})
		for _, name := range credentialHeaders() {
			for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				t.Run(fmt.Sprint(everything, " ", spelled), func(t *testing.T) {
					got := r.headerOf(t, http.Header{spelled: {canary, canary + "2"}})
					for other, values := range got {
						if strings.Contains(strings.Join(values, " "), canary) && !(everything && slices.Contains(kept, name)) {
							t.Errorf("the upstream got %s: %q", other, values)
						}
					}
					if key := got["X-Api-Key"]; len(key) != 1 || key[0] != rigKey {
						t.Errorf("X-Api-Key = %q", key)
					}
				})
			}
		}
	}
}

// Headers that the Connection header names end here, but none that the proxy adds.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestConnectionNamedHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true, config: func(c *claudeapi.Config) { c.ForwardHeaders = []string{"X-Extra"} }})
	for _, named := range [][]string{
		{"x-extra"},
		{"X-Extra"},
		{"X-EXTRA"},
		{"close, x-extra"},
		{"x-extra,close"},
		{" x-extra "},
		{"\tx-extra\t,"},
		{"close", "x-extra"},
		{",,x-extra,,"},
		{"keep-alive,x-extra,te"},
		{"x-extra, x-extra"},
		{"x-extra, x-api-key"},
		{"x-extra, X-Api-Key, anthropic-version"},
		{"x-extra, content-type, user-agent"},
		{"x-extra, content-length, host"},
		{"x-extra, accept-encoding"},
		{"x-extra, anthropic-beta"},
	} {
		t.Run(strings.Join(named, "|"), func(t *testing.T) {
			got := r.headerOf(t, http.Header{
				"Connection": named, "X-Extra": {"canary"}, "Anthropic-Version": {"2024-01-01"}, "Anthropic-Beta": {"b"},
			})
			all := strings.ToLower(strings.Join(named, ","))
			if got.Get("X-Extra") != "" || got.Get("Connection") != "" {
				t.Errorf("the upstream got %v", got)
			}
			want := http.Header{
				"X-Api-Key": {rigKey}, "Content-Type": {"application/json"}, "Accept-Encoding": {"identity"},
				"Content-Length": {fmt.Sprint(len(wholeBody))}, "User-Agent": {"ccproxy/" + ccproxy.Version},
				"Anthropic-Version": {"2024-01-01"},
			}
			if strings.Contains(all, "anthropic-version") {
				want.Set("Anthropic-Version", "2023-06-01")
			}
			if !strings.Contains(all, "anthropic-beta") {
				want.Set("Anthropic-Beta", "b")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("upstream headers (-want +got):\n%s", diff)
			}
		})
	}
}

// Clients get what they need for their next attempt, and nothing that belongs to the upstream's connection.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestResponseHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	pass := http.Header{
		"Content-Type": {"application/json; charset=utf-8"}, "Request-Id": {"req_1"}, "Retry-After": {"7"}, "Retry-After-Ms": {"7000"},
		"X-Should-Retry": {"false"}, "Anthropic-Ratelimit-Tokens-Remaining": {"5"}, "Anthropic-Organization-Id": {"o"},
		"X-Ratelimit-Limit-Requests": {"9"}, "Cache-Control": {"no-store"}, "Openai-Processing-Ms": {"3"},
	}
	stop := http.Header{
		"Set-Cookie": {"a=b", "c=d"}, "Location": {"http://evil.example/"}, "Www-Authenticate": {"Basic"}, "Server": {"nginx"},
		"Connection": {"X-Ratelimit-Named, Anthropic-Named"}, "X-Ratelimit-Named": {"1"}, "Anthropic-Named": {"1"},
		"Alt-Svc": {"h3"}, "Strict-Transport-Security": {"max-age=1"}, "Access-Control-Allow-Origin": {"*"}, "X-Request-Id": {"theirs"},
		"X-Api-Key": {rigKey}, "Authorization": {"Bearer x"}, "Keep-Alive": {"timeout=5"}, "Proxy-Authenticate": {"Basic"},
		"Content-Security-Policy": {"x"}, "Anthropic-Echo": {"key " + rigKey}, "X-Ratelimit-Echo": {"1", rigKey},
		"Refresh": {"0; url=http://evil.example/"}, "Content-Disposition": {"attachment"}, "X_Ratelimit": {"1"},
	}
	all := stop.Clone()
	maps.Copy(all, pass)
	for _, status := range []int{http.StatusOK, http.StatusTooManyRequests, 529} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			body := `{"error":{"type":"x","message":"m"}}`
			r.upstream.Enqueue(providertest.Raw(status, all, body))
			rec := r.do(t, http.MethodPost, messagesPath, http.Header{"X-Request-Id": {"mine"}}, strings.NewReader(wholeBody))
			want := pass.Clone()
			want["X-Request-Id"], want["Content-Length"] = []string{"mine"}, []string{fmt.Sprint(len(body))}
			got := rec.Header().Clone()
			if status != http.StatusOK {
				want["Content-Type"] = []string{"application/json"}
			}
			if diff := cmp.Diff(want, got); diff != "" || rec.Code != status {
				t.Errorf("status %d, client headers (-want +got):\n%s", rec.Code, diff)
			}
			r.upstream.Reset()
		})
	}
}

// A stream has the same headers, and those that keep anything between from holding it back.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestStreamHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	events := "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	for sent, want := range map[string]string{
		"text/event-stream": "text/event-stream", "text/event-stream; charset=utf-8": "text/event-stream; charset=utf-8",
		"text/html": "text/event-stream; charset=utf-8", "": "text/event-stream; charset=utf-8",
		"application/json": "text/event-stream; charset=utf-8", "application/octet-stream": "text/event-stream; charset=utf-8",
	} {
		t.Run(sent, func(t *testing.T) {
			r.upstream.Enqueue(providertest.Raw(http.StatusOK, http.Header{
				"Content-Type": {sent}, "Set-Cookie": {"a=b"}, "Request-Id": {"req_1"}, "Anthropic-Echo": {rigKey},
				"Cache-Control": {"max-age=60"}, "Anthropic-Ratelimit-Tokens-Limit": {"5"}, "Content-Length": {fmt.Sprint(len(events))},
			}, events))
			rec := r.post(t, streamBody)
			got := rec.Header().Clone()
			got.Del("X-Request-Id")
			wanted := http.Header{
				"Content-Type": {want}, "Cache-Control": {"no-cache"}, "X-Accel-Buffering": {"no"}, "Request-Id": {"req_1"},
				"Anthropic-Ratelimit-Tokens-Limit": {"5"},
			}
			if diff := cmp.Diff(wanted, got); diff != "" || rec.Body.String() != events {
				t.Errorf("body %q, headers (-want +got):\n%s", rec.Body, diff)
			}
		})
	}
}

// A page is not an answer: what a browser would run never comes from the host's own address.
func TestAnswersAreNoPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, contentType := range []string{"text/html", "", "application/javascript", "image/svg+xml"} {
		r.upstream.Enqueue(providertest.Raw(http.StatusOK, http.Header{"Content-Type": {contentType}}, `{"a":"<script>"}`))
		rec := r.post(t, wholeBody)
		if got := rec.Header().Get("Content-Type"); got != "application/json" || rec.Body.String() != `{"a":"<script>"}` {
			t.Errorf("%q: Content-Type %q, body %s", contentType, got, rec.Body)
		}
	}
}

// An upstream that repeats its credentials in an error does not get them to the client.
func TestErrorBodiesAreRedacted(t *testing.T) {
	t.Parallel()
	meddler := hooks.Mutate("meddler", func(_ context.Context, req *hooks.PreparedRequest) error {
		req.Header.Set("X-Api-Key", "overwritten by the credentials")
		return nil
	})
	for name, observers := range map[string][]hooks.Hook{"plain": nil, "hook": {meddler}} {
		r := newRig(t, rigSetup{hooks: observers})
		for _, body := range []string{
			`{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key: ` + rigKey + `"}}`,
			`{"error":{"message":"` + rigKey + rigKey + `"},"headers":{"x-api-key":"` + rigKey + `"}}`,
			`<html>` + rigKey + `</html>`,
			`{"message":"` + rigKey + `"}`,
		} {
			for _, status := range []int{400, 401, 500} {
				r.upstream.Enqueue(providertest.Raw(status, http.Header{"Request-Id": {rigKey}}, body))
				rec := r.post(t, wholeBody)
				if all := fmt.Sprint(rec.Body, rec.Header()); strings.Contains(all, rigKey) || rec.Code != status {
					t.Errorf("%s: got %d %s", name, rec.Code, all)
				}
				shapeOf(t, rec.Body.Bytes())
				if got := fmt.Sprintf("%+v", r.failed(t)); strings.Contains(got, rigKey) {
					t.Errorf("request.failed holds the key: %s", got)
				}
			}
		}
	}
}

// A redirect is followed by nobody: not by the proxy, with its credentials, nor by the client.
func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		for _, body := range []string{wholeBody, streamBody} {
			r.upstream.Enqueue(providertest.Raw(status, http.Header{"Location": {"https://evil.example/v1/messages"}}, ""))
			rec := r.post(t, body)
			wantError(t, rec, anthropicDialect, http.StatusBadGateway, "api_error", "redirect")
			if rec.Header().Get("Location") != "" {
				t.Errorf("%d: Location = %q", status, rec.Header().Get("Location"))
			}
			if got := r.last(t); got.Host != "api.anthropic.com" {
				t.Errorf("%d: followed to %s", status, got.Host)
			}
		}
	}
}

// The same over a connection, where net/http has a say.
func TestHeadersOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	s := newHost(t, r.proxy, false)
	answer := s.raw(t, "POST "+messagesPath+" HTTP/1.1\r\nHost: proxy\r\nConnection: close, X-App\r\nX-App: canary\r\n"+
		"X_Api_Key: canary\r\nAuthorization: Bearer canary\r\ncookie: canary\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n"+
		fmt.Sprintf("%x\r\n%s\r\n0\r\nX-Trailer: canary\r\n\r\n", len(wholeBody), wholeBody))
	if !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Fatalf("got %q", answer)
	}
	want := http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"ccproxy/" + ccproxy.Version}, "Accept-Encoding": {"identity"},
		"Anthropic-Version": {"2023-06-01"}, "X-Api-Key": {rigKey}, "Content-Length": {fmt.Sprint(len(wholeBody))},
	}
	if diff := cmp.Diff(want, r.last(t).Header); diff != "" {
		t.Errorf("upstream headers (-want +got):\n%s", diff)
	}
	if strings.Contains(answer, rigKey) {
		t.Errorf("the client got the upstream's key: %q", answer)
	}
}
