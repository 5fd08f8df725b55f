package scrub

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Credentials are what a request brings and the text around it may repeat: the values of fields for which shown gives
// the mark in their place, those of cookies each by itself, and those of query keys that safe takes out.
func Credentials(
	h http.Header, shown func(name string) string, query string, safe func(query string) string,
) (found []string) {
	for name, values := range h {
		if shown(name) != Redacted {
			continue
		}
		for _, v := range values {
			found = append(found, fieldSecrets(name, v)...)
		}
	}
	for part := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		if _, value, _ := strings.Cut(part, "="); safe(part) != part {
			found = append(found, value)
			if plain, err := url.QueryUnescape(value); err == nil && plain != value {
				found = append(found, plain)
			}
		}
	}
	return found
}

// fieldSecrets are those of one value: "Bearer x" is repeated as x, too.
func fieldSecrets(name, value string) (found []string) {
	if strings.EqualFold(name, "Cookie") {
		for pair := range strings.SplitSeq(value, ";") {
			_, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
			found = append(found, strings.Trim(v, `"`))
		}
		return found
	}
	scheme, word := "", value
	if i := strings.LastIndexByte(value, ' '); i >= 0 {
		scheme, word = value[:i], value[i+1:]
	}
	if strings.EqualFold(scheme, "Basic") {
		if plain, err := base64.StdEncoding.DecodeString(word); err == nil {
			_, password, _ := strings.Cut(string(plain), ":")
			found = append(found, password)
		}
	}
	return append(found, word)
}

// Secrets are known credentials in all the spellings that they are looked for in: as they are, and as URLs have them.
type Secrets []string

// Known returns the secrets that are long enough to be looked for.
func Known(secrets ...string) (all Secrets) {
	for _, secret := range secrets {
		if len(secret) < shortest {
			continue
		}
		for _, s := range [...]string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// Without is text in which they do not come up.
func (s Secrets) Without(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, Redacted)
	}
	return text
}

// Header is a header whose values do not have them within. It is h itself if there is nothing in it.
func (s Secrets) Header(h http.Header) http.Header {
	out, copied := h, false
	for name, values := range h {
		for i, v := range values {
			clean := s.Without(v)
			if clean == v {
				continue
			}
			if !copied {
				out, copied = h.Clone(), true
			}
			out[name][i] = clean
		}
	}
	return out
}

// Rest is text that was cut off, without the beginning of a secret that it ends with.
func (s Secrets) Rest(text string) string {
	const least = 4 // bytes of a beginning that says something
	cut := 0
	for _, secret := range s {
		for n := min(len(secret)-1, len(text)); n >= least && n > cut; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				cut = n
			}
		}
	}
	if cut == 0 {
		return text
	}
	return text[:len(text)-cut] + Redacted
}
