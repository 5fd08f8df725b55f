package providertest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
)

// Canary makes a secret to be looked for: as long as real ones, different in each encoding, and different for each
// name. Put it where a secret goes, run what is under test, and give all that left it to [FindSecret].
func Canary(name string) string {
	return "cnry" + name + `"<&+/` + "8f2e" + name + "c41d"
}

// Encodings returns what secret looks like in a text that leaks it, by the name of the encoding: raw, hex, URL, JSON,
// base64, and split, for a text with only half of it. Where base64 depends on what stands beside the secret, its ends
// are left out.
func Encodings(secret string) map[string][]string {
	escaped := quoted(secret)
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	_ = e.Encode(secret) // a string, into memory
	half := len(secret) / 2
	forms := map[string][]string{
		"raw": {secret, html.EscapeString(secret), fmt.Sprint([]byte(secret))},
		"hex": {hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))},
		"URL": {url.QueryEscape(secret), url.PathEscape(secret)},
		"JSON": {
			escaped[1 : len(escaped)-1], strings.Trim(strings.TrimSpace(plain.String()), `"`),
			strings.ReplaceAll(fmt.Sprintf("%+q", secret), `"`, ""),
		},
		"split": {secret[:half], secret[half:]},
	}
	for pad := range 3 {
		text := append(bytes.Repeat([]byte{'x'}, pad), secret...)
		from, to := (pad*8+5)/6, len(text)*8/6
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms["base64"] = append(forms["base64"], enc.EncodeToString(text)[from:to])
		}
	}
	return forms
}

// FindSecret tells in which encoding text holds secret, and where: the neighbourhood, quoted. It is "" if text does not
// hold it. Secrets of fewer than 16 bytes are found by chance.
func FindSecret(text, secret string) string {
	for encoding, forms := range Encodings(secret) {
		for _, form := range forms {
			if i := strings.Index(text, form); i >= 0 {
				return fmt.Sprintf("%s: %q", encoding, text[max(0, i-200):min(len(text), i+len(form)+60)])
			}
		}
	}
	return ""
}
