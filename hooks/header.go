package hooks

import (
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

const redacted = "[REDACTED]"

// Header is a snapshot of a message's header in which credentials are redacted. It cannot be changed, so any
// number of hooks share one. The zero value is empty.
type Header struct{ h http.Header }

// SnapshotHeader copies h. A field that carries credentials, by its name, keeps its place but its values
// become "[REDACTED]"; fields that hold a URL go through [SafeURL].
func SnapshotHeader(h http.Header) Header {
	if len(h) == 0 {
		return Header{}
	}
	c := h.Clone()
	for name, values := range c {
		switch {
		case isCredential(name):
			replaceEach(values, func(string) string { return redacted })
		case holdsURL(name):
			replaceEach(values, safeText)
		}
	}
	return Header{c}
}

// Value returns the first value of the field, empty if there is none. Case does not matter.
func (h Header) Value(name string) string {
	values := h.values(name)
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// Values returns a copy of all values of the field.
func (h Header) Values(name string) []string { return slices.Clone(h.values(name)) }

// All yields each value with its name; names come in alphabetical order.
func (h Header) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(h.h)) {
			for _, v := range h.h[name] {
				if !yield(name, v) {
					return
				}
			}
		}
	}
}

// Len is the number of fields.
func (h Header) Len() int { return len(h.h) }

// MarshalJSON writes the snapshot as an object of arrays, redacted as it is.
func (h Header) MarshalJSON() ([]byte, error) {
	if h.h == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(h.h)
}

func (h Header) values(name string) []string {
	if v, ok := h.h[textproto.CanonicalMIMEHeaderKey(name)]; ok {
		return v
	}
	return h.h[name] // a field that was set under a name of unusual case
}

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
// of the rest stay.
func SafeQuery(raw string) string {
	if raw == "" {
		return ""
	}
	var b strings.Builder
	for {
		end := strings.IndexAny(raw, "&;") // some servers split at semicolons too
		if end < 0 {
			writeSafePair(&b, raw)
			return b.String()
		}
		writeSafePair(&b, raw[:end])
		b.WriteByte(raw[end])
		raw = raw[end+1:]
	}
}

func writeSafePair(b *strings.Builder, pair string) {
	key, _, found := strings.Cut(pair, "=")
	if found && isCredentialKey(key) {
		b.WriteString(key + "=" + redacted)
		return
	}
	b.WriteString(pair)
}

// safeText is SafeURL for a URL that is still text.
func safeText(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return redacted
	}
	return SafeURL(u)
}

// isCredential judges a header field by its name. When in doubt it redacts: a snapshot that lacks a harmless
// value is a nuisance, one that holds a key is a leak.
func isCredential(name string) bool {
	name = strings.ToLower(name)
	if strings.Contains(name, "ratelimit") { // …-ratelimit-remaining-tokens counts tokens
		return false
	}
	return name == "chatgpt-account-id" || name == "x-forwarded-client-cert" || soundsSecret(name)
}

// isCredentialKey judges a query key, which is redacted too if it cannot be decoded.
func isCredentialKey(key string) bool {
	key, err := url.QueryUnescape(key)
	if err != nil {
		return true
	}
	key = strings.ReplaceAll(strings.ToLower(key), "_", "-")
	switch key {
	case "key", "code", "state", "sig", "auth", "code-verifier", "assertion", "session":
		return true
	}
	return strings.HasSuffix(key, "signature") || soundsSecret(key)
}

func soundsSecret(name string) bool {
	for _, word := range [...]string{
		"authorization", "cookie", "token", "secret", "api-key", "apikey", "auth-key", "access-key", "private-key",
		"password", "passwd", "credential", "jwt",
	} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func holdsURL(name string) bool {
	switch strings.ToLower(name) {
	case "location", "content-location", "referer":
		return true
	}
	return false
}

func replaceEach(values []string, with func(string) string) {
	for i, v := range values {
		values[i] = with(v)
	}
}
