package hooks

import (
	"net/url"
	"strings"
)

// redacted stands where a credential was.
const redacted = "[REDACTED]"

// SafeURL returns u as text that may be shown and stored: without user information and fragment, and with the
// values of credential-like query keys redacted. A nil u is the empty string.
func SafeURL(u *url.URL) string {
	if u == nil {
		return ""
	}
	if u.Opaque != "" { // not split into its parts, so nothing says what is secret in it
		return u.Scheme + ":" + redacted
	}
	c := *u
	c.User, c.Fragment, c.RawFragment = nil, "", ""
	c.RawQuery = SafeQuery(u.RawQuery)
	return c.String()
}

// SafeQuery returns an encoded query with the values of credential-like keys redacted; order and spelling
// of the rest stay. A query without such keys is returned as it is.
func SafeQuery(raw string) string {
	var safe strings.Builder
	done := 0 // raw up to here is in safe; zero while there was nothing to redact
	for start := 0; start < len(raw); {
		end := len(raw)
		if i := strings.IndexAny(raw[start:], "&;"); i >= 0 { // some servers split at semicolons too
			end = start + i
		}
		key, _, found := strings.Cut(raw[start:end], "=")
		if found && isCredentialKey(key) {
			if done == 0 {
				safe.Grow(len(raw) + len(redacted))
			}
			safe.WriteString(raw[done : start+len(key)+1])
			safe.WriteString(redacted)
			done = end
		}
		start = end + 1
	}
	if done == 0 {
		return raw
	}
	safe.WriteString(raw[done:])
	return safe.String()
}

// isCredentialKey judges a query key, which is redacted too if it cannot be decoded.
func isCredentialKey(key string) bool {
	if strings.Contains(key, "%") {
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return true
		}
		key = decoded
	}
	key = lowerUnlessASCII(key)
	for _, word := range [...]string{
		"key", "code", "state", "sig", "auth", "code-verifier", "assertion", "session",
	} {
		if isName(key, word) {
			return true
		}
	}
	const suffix = "signature"
	if n := len(key) - len(suffix); n >= 0 && startsWith(key[n:], suffix) {
		return true
	}
	return soundsSecret(key)
}

// soundsSecret reports whether a word that names credentials is anywhere in the name.
func soundsSecret(name string) bool {
	for i := range len(name) {
		if secretAt(name[i:]) {
			return true
		}
	}
	return false
}

// secretAt reports whether s starts with a word that names credentials. It looks at the first letter before
// it compares words, because it is asked at every letter of every name.
func secretAt(s string) bool {
	switch fold(s[0]) {
	case 'a':
		return authAt(s)
	case 'c':
		return startsWith(s, "cookie") || startsWith(s, "credential")
	case 'j':
		return startsWith(s, "jwt")
	case 'p':
		return startsWith(s, "private-key") || startsWith(s, "password") || startsWith(s, "passwd")
	case 's':
		return startsWith(s, "secret") || startsWith(s, "subscription-key")
	case 't':
		return startsWith(s, "token")
	}
	return false
}

// authAt is secretAt for what starts with an a.
func authAt(s string) bool {
	return startsWith(s, "authorization") || startsWith(s, "api-key") || startsWith(s, "apikey") ||
		startsWith(s, "auth-key") || startsWith(s, "access-key") || len(s) == len("auth") && startsWith(s, "auth")
}

// startsWith compares with a word that is in lower case and has hyphens, whatever s has in their place.
func startsWith(s, word string) bool {
	if len(s) < len(word) {
		return false
	}
	for i := range len(word) {
		if fold(s[i]) != word[i] {
			return false
		}
	}
	return true
}

// fold makes an ASCII capital a small letter, and an underscore a hyphen.
func fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + ('a' - 'A')
	case c == '_':
		return '-'
	}
	return c
}

// lowerUnlessASCII folds what fold cannot: some letters beyond ASCII have a small one within it.
func lowerUnlessASCII(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.ToLower(s)
		}
	}
	return s
}
