package providers

import (
	"net/http"
	"strings"
)

// allowList is a set of header names, some of them prefixes.
type allowList struct {
	names    map[string]bool
	prefixes []string
}

func newAllowList(lists ...[]string) allowList {
	a := allowList{names: make(map[string]bool)}
	for _, list := range lists {
		for _, name := range list {
			prefix, open := strings.CutSuffix(name, "*")
			if open {
				a.prefixes = append(a.prefixes, http.CanonicalHeaderKey(prefix))
			} else {
				a.names[http.CanonicalHeaderKey(name)] = true
			}
		}
	}
	return a
}

func (a allowList) has(name string) bool {
	if a.names[name] {
		return true
	}
	for _, p := range a.prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// copyTo copies the allowed headers. The values are shared.
func (a allowList) copyTo(dst, src http.Header) {
	for name, values := range src {
		if a.has(name) {
			dst[name] = values
		}
	}
}

// requestHeaders are what clients of the three dialects send that concerns the API and nobody else.
func requestHeaders() []string {
	return []string{
		"Accept", "Content-Type", "User-Agent", "X-App", "X-Stainless-*", "X-Claude-Code-*",
		"Anthropic-Version", "Anthropic-Beta", "Anthropic-Dangerous-Direct-Browser-Access",
		"OpenAI-Beta", "OpenAI-Organization", "OpenAI-Project", "X-Client-Request-Id",
	}
}

// responseHeaders are what SDKs and people read: limits, retry hints and ids.
func responseHeaders() []string {
	return []string{
		"Content-Type", "Content-Length", "Cache-Control", "Request-Id",
		"X-Should-Retry", "Retry-After", "Retry-After-Ms",
		"Anthropic-*", "OpenAI-*", "X-Ratelimit-*", "X-Codex-*", "X-Quota-Snapshot-*",
	}
}
