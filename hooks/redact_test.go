package hooks

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// secretWords and the two functions below say in plain words what the fast code is to find.
func secretWords() []string {
	return []string{
		"authorization", "cookie", "token", "secret", "api-key", "apikey", "auth-key", "access-key", "private-key",
		"password", "passwd", "credential", "jwt", "subscription-key",
	}
}

func plainKindOf(name string) fieldKind {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	holds := func(word string) bool { return strings.Contains(name, word) }
	switch {
	case slices.Contains([]string{"location", "content-location", "referer"}, name):
		return addressField
	case holds("ratelimit"):
		return plainField
	case name == "chatgpt-account-id", name == "x-forwarded-client-cert", slices.ContainsFunc(secretWords(), holds),
		strings.HasSuffix(name, "auth"):
		return secretField
	}
	return plainField
}

func plainSafeQuery(raw string) string {
	rest := raw
	var out strings.Builder
	for rest != "" {
		n := strings.IndexAny(rest+"&", "&;")
		key, _, found := strings.Cut(rest[:n], "=")
		name, err := url.QueryUnescape(key)
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		words := []string{"key", "code", "state", "sig", "auth", "code-verifier", "assertion", "session"}
		holds := func(word string) bool { return strings.Contains(name, word) }
		switch {
		case found && (err != nil || slices.Contains(words, name) || strings.HasSuffix(name, "signature") ||
			strings.HasSuffix(name, "auth") ||
			slices.ContainsFunc(secretWords(), holds)):
			out.WriteString(key + "=" + redacted)
		default:
			out.WriteString(rest[:n])
		}
		if n < len(rest) {
			out.WriteByte(rest[n])
		}
		rest = rest[min(n+1, len(rest)):]
	}
	return out.String()
}

func FuzzKindOf(f *testing.F) {
	for _, name := range []string{
		"", "Accept", "Connection", "Content-Type", "User-Agent", "Anthropic-Version", "Openai-Processing-Ms",
		"X-App", "X-Stainless-Os", "Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "X_API_KEY", "Tokens",
		"x-to\u212aen", "Location", "CONTENT-LOCATION", "referer", "X-Ratelimit-Remaining-Tokens",
		"X-Token-Ratelimit", "Chatgpt-Account-Id", "X-Forwarded-Client-Cert", "X-Passwd", "X-Credential-Id",
		"X-Access-Key", "X-Auth-Key", "X-Private-Key", "X-Apikey", "X-Password", "Cf-Access-Jwt", "a", "Toke",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if got, want := kindOf(name), plainKindOf(name); got != want {
			t.Errorf("kindOf(%q) = %d, want %d", name, got, want)
		}
	})
}

// TestListedNamesAreJudgedAlike holds the list of common names to the rule it is a short cut for.
func TestListedNamesAreJudgedAlike(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Connection", "Content-Encoding",
		"Content-Length", "Content-Type", "Date", "Host", "Origin", "Server", "Strict-Transport-Security",
		"Transfer-Encoding", "User-Agent", "Vary", "Via", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Proto", "X-Request-Id", "Anthropic-Beta", "Anthropic-Version", "Openai-Beta",
		"Openai-Processing-Ms", "Openai-Version", "X-App", "X-Stainless-Arch", "X-Stainless-Lang",
		"X-Stainless-Os", "X-Stainless-Package-Version", "X-Stainless-Retry-Count", "X-Stainless-Runtime",
		"X-Stainless-Runtime-Version", "X-Stainless-Timeout", "Authorization", "Cookie", "Set-Cookie", "X-Api-Key",
	} {
		if got, want := kindOf(name), plainKindOf(name); got != want {
			t.Errorf("kindOf(%q) = %d, want %d", name, got, want)
		}
	}
}

func FuzzSafeQuery(f *testing.F) {
	for _, q := range []string{
		"", "a=1&b=2", "key=1", "key", "=1", "a=1;token=2&", "&&;key=;", "%6bey=1", "%zz=1", "X-Amz-Signature=1&x=2",
		"API_KEY=1&a=b&api-key=2", "to%E2%84%AAen=1", "session=1&sessions=2", "k+ey=1", "sig=a=b",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		if got, want := SafeQuery(q), plainSafeQuery(q); got != want {
			t.Errorf("SafeQuery(%q) = %q, want %q", q, got, want)
		}
	})
}
