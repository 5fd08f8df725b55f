// Package scrub takes credentials out of text that is to be stored: the bodies of requests and answers, whole or cut
// off, JSON or streams of it.
package scrub

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// Redacted stands where a credential was.
const Redacted = "[REDACTED]"

const (
	// shortest is the length of a value that is looked for: a shorter one is found by chance.
	shortest = 8
	// shortestToken is that of a value whose name is only token: models' tokens have that name, too.
	shortestToken = 16
	// maxDepth bounds JSON in strings of JSON, as the arguments of tools are.
	maxDepth = 4
)

// Scrubber redacts. It may be used by several goroutines.
type Scrubber struct{ shapes *regexp.Regexp }

// New returns a Scrubber that knows how the credentials of well-known services look.
func New() *Scrubber {
	return &Scrubber{regexp.MustCompile(strings.Join([]string{
		`\b[srp]k-[A-Za-z0-9_-]{12,}`,
		`\bgh[pousr]_[A-Za-z0-9]{20,}`,
		`\bgithub_pat_[A-Za-z0-9_]{20,}`,
		`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*`,
		`\bA(?:KI|SI)A[0-9A-Z]{16}`,
		`\bAIza[0-9A-Za-z_-]{30,}`,
		`\bxox[abeprs]-[0-9A-Za-z-]{10,}`,
		`(?i:\bbearer[ +]+)[A-Za-z0-9._~+/=-]{12,}`,
	}, "|"))}
}

// Body returns text without credentials: the values of JSON members and form fields that are named like one, what
// looks like one, and the secrets themselves. The argument is not changed, and returned if there is nothing in it.
func (s *Scrubber) Body(text []byte, secrets ...string) []byte {
	out := members(text, 0)
	out = s.shapes.ReplaceAll(out, []byte(Redacted))
	for _, secret := range secrets {
		if len(secret) >= shortest {
			out = bytes.ReplaceAll(out, []byte(secret), []byte(Redacted))
		}
	}
	return out
}

// members redacts values of JSON members. The text need not be JSON: whatever looks like a member is one.
func members(text []byte, depth int) []byte {
	var out []byte
	done := 0
	replace := func(from, to int, by []byte) {
		out = append(append(out, text[done:from]...), by...)
		done = to
	}
	for i := 0; i < len(text); {
		open := bytes.IndexByte(text[i:], '"')
		if open < 0 {
			break
		}
		from := i + open
		end := stringEnd(text, from)
		literal := text[from:end]
		value, ok := valueAt(text, end)
		if !ok {
			if nested, changed := inner(literal, depth); changed {
				replace(from, end, nested)
			}
			i = end
			continue
		}
		i = value
		last := stringEnd(text, value)
		if text[value] == '"' && secretMember(literal, last-value-2) {
			replace(value, last, []byte(`"`+Redacted+`"`))
			i = last
		}
	}
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
}

// stringEnd returns where the literal that begins at from ends, which may be the end of the text.
func stringEnd(text []byte, from int) int {
	for i := from + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// valueAt returns where the value begins if what comes next makes the literal before it a name.
func valueAt(text []byte, i int) (int, bool) {
	i = skipSpace(text, i)
	if i >= len(text) || text[i] != ':' {
		return 0, false
	}
	i = skipSpace(text, i+1)
	return i, i < len(text)
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// inner redacts JSON that is the value of a string.
func inner(literal []byte, depth int) ([]byte, bool) {
	if depth >= maxDepth || !bytes.Contains(literal, []byte(`\"`)) {
		return nil, false
	}
	if literal[len(literal)-1] != '"' {
		literal = append(bytes.TrimRight(bytes.Clone(literal), `\`), '"') // cut off
	}
	var text string
	if json.Unmarshal(literal, &text) != nil {
		return nil, false
	}
	clean := members([]byte(text), depth+1)
	if string(clean) == text {
		return nil, false
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(clean)); err != nil {
		return nil, false
	}
	return bytes.TrimSpace(b.Bytes()), true
}

// secretMember judges a member by the literal of its name and the length of its value.
func secretMember(literal []byte, length int) bool {
	if length <= 0 {
		return false
	}
	name := string(bytes.Trim(literal, `"`))
	if strings.Contains(name, `\`) && json.Unmarshal(literal, &name) != nil {
		return true // nobody can say what it is
	}
	return Name(name, length)
}

// Name tells whether a member or field of this name, whose value has this length, holds a credential.
func Name(name string, length int) bool {
	name = plain(name)
	for _, ending := range [...]string{
		"apikey", "secret", "password", "passwd", "passphrase", "privatekey", "accesskey", "secretkey", "sessionkey",
		"authorization", "cookie", "credential", "credentials", "codeverifier", "accesstoken", "refreshtoken",
		"idtoken", "authtoken", "authorizationtoken", "bearertoken", "clientsecret", "jwt",
	} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return strings.HasSuffix(name, "token") && length >= shortestToken
}

// plain is a name in lower case and without what parts its words.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '_', '-', '.', ' ':
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}
