package ccproxy

import (
	"net/http"
	"slices"
	"strings"
)

// withheld are request headers that concern the client's connection, its credentials or its browser, and are
// nobody's business beyond the proxy. Names are canonical.
func withheld(name string) bool {
	switch name {
	case "Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Proxy-Authorization", "Proxy-Authenticate",
		"Cookie", "Cookie2", "Set-Cookie", "Www-Authenticate",
		"Host", "Connection", "Proxy-Connection", "Keep-Alive", "Transfer-Encoding", "Te", "Trailer", "Upgrade",
		"Http2-Settings", "Expect", "Content-Length", "Content-Encoding", "Accept-Encoding",
		"Idempotency-Key", "X-Idempotency-Key", // they would let net/http send a POST a second time
		"Forwarded", "Via", "X-Real-Ip", "Origin", "Referer", "Cdn-Loop", "X-Request-Id":
		return true
	}
	for _, prefix := range [...]string{"X-Forwarded-", "Access-Control-", "Sec-", "Cf-", "Proxy-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	// Servers that map headers to variables take "X_Api_Key" and "X.Api.Key" for "X-Api-Key".
	return strings.ContainsAny(name, "_.")
}

// clientHeader returns the client's headers without those that are withheld. The values are shared.
func clientHeader(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		if !withheld(name) {
			out[name] = values
		}
	}
	if named := h["Connection"]; named != nil {
		dropNamed(out, named)
	}
	return out
}

// dropNamed removes the headers that a Connection header names (RFC 9110, section 7.6.1).
func dropNamed(h http.Header, connection []string) {
	for _, line := range connection {
		for name := range strings.SplitSeq(line, ",") {
			delete(h, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
}

// copyAnswerHeader copies what a provider answers with to the client, without what belongs to the connection.
func copyAnswerHeader(dst, src http.Header) {
	if named := src["Connection"]; named != nil {
		src = src.Clone()
		dropNamed(src, named)
	}
	for name, values := range src {
		if answerHeaderDropped(name) {
			continue
		}
		if name == "Vary" { // what the proxy itself varies by stays
			values = append(slices.Clone(dst[name]), values...)
		}
		dst[name] = values
	}
}

func answerHeaderDropped(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Transfer-Encoding", "Te", "Trailer", "Upgrade",
		"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info", "Www-Authenticate",
		"Set-Cookie", "Set-Cookie2", "Content-Length", "Content-Encoding", "Location", "X-Request-Id",
		"Authorization", "X-Api-Key", "Alt-Svc", "Strict-Transport-Security":
		return true
	}
	// Which pages may read an answer is for the proxy to say.
	return strings.HasPrefix(name, "Access-Control-")
}
