// Package scrub takes credentials out of text that is to be stored: the bodies of requests and answers, whole or cut
// off, JSON or streams of it.
package scrub

import (
	"bytes"
	"encoding/json"
	"net/url"
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
	// shortestNumber is that of a number: shorter ones count something.
	shortestNumber = 6
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
// looks like one, and the secrets themselves, as they are or as JSON and URLs spell them. The argument is not changed,
// and returned if there is nothing in it.
func (s *Scrubber) Body(text []byte, secrets Secrets) []byte {
	w := walk{secrets: secrets}
	out := w.members(text, 0)
	if looksLikeForm(out) {
		out = form(out)
	}
	if mayHaveShapes(out) {
		out = s.shapes.ReplaceAll(out, []byte(Redacted))
	}
	return w.replaced(out)
}

// mayHaveShapes is a quick look for what the shapes begin with: the expression takes a quarter of a second for a
// megabyte.
func mayHaveShapes(text []byte) bool {
	for _, begin := range [...]string{
		"sk-", "rk-", "pk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "eyJ", "AKIA", "ASIA", "AIza",
		"xox",
	} {
		if bytes.Contains(text, []byte(begin)) {
			return true
		}
	}
	bearer := []byte("bearer")
	for i := range max(len(text)-len(bearer)+1, 0) {
		if text[i]|0x20 == 'b' && bytes.EqualFold(text[i:i+len(bearer)], bearer) {
			return true
		}
	}
	return false
}

// Text is [Scrubber.Body] for a line, such as the value of a header field or a URL.
func (s *Scrubber) Text(line string, secrets Secrets) string {
	return string(s.Body([]byte(line), secrets))
}

// walk is one look at a text.
type walk struct{ secrets Secrets }

// replaced is text without the secrets.
func (w *walk) replaced(text []byte) []byte {
	for _, secret := range w.secrets {
		if bytes.Contains(text, []byte(secret)) {
			text = bytes.ReplaceAll(text, []byte(secret), []byte(Redacted))
		}
	}
	return text
}

// members redacts values of JSON members. The text need not be JSON: whatever looks like a member is one.
func (w *walk) members(text []byte, depth int) []byte {
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
			if nested, changed := w.inner(literal, depth); changed {
				replace(from, end, nested)
			}
			i = end
			continue
		}
		i = values(text, value, literal, func(from, to int) { replace(from, to, []byte(`"`+Redacted+`"`)) })
	}
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
}

// values finds the values of a member that are credentials: one, or those of a list. It returns where to go on.
func values(text []byte, i int, name []byte, redact func(from, to int)) int {
	list := text[i] == '['
	if list {
		i = skipSpace(text, i+1)
		name = bytes.TrimSuffix(bytes.TrimSuffix(name, []byte(`"`)), []byte("s")) // "api_keys"
	}
	for i < len(text) {
		end, length := scalar(text, i)
		if end == i {
			return i
		}
		if !secretMember(name, length) {
			return i // a string may have JSON in it
		}
		redact(i, end)
		i = skipSpace(text, end)
		if !list || i >= len(text) || text[i] != ',' {
			return i
		}
		i = skipSpace(text, i+1)
	}
	return i
}

// scalar returns where the string or the number at i ends, i itself where there is neither, and how long its value is.
func scalar(text []byte, i int) (end, length int) {
	if text[i] == '"' {
		end = stringEnd(text, i)
		return end, end - i - 2
	}
	for end = i; end < len(text) && strings.IndexByte("0123456789.eE+-", text[end]) >= 0; {
		end++
	}
	if end-i < shortestNumber {
		return i, 0
	}
	return end, end - i
}

// IsForm tells the media type of forms, whose secrets are those of a query.
func IsForm(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded")
}

// looksLikeForm tells whether a text is what forms are sent as: a line of fields without anything that fields would
// have escaped.
func looksLikeForm(text []byte) bool {
	return bytes.IndexByte(text, '=') > 0 && !bytes.ContainsAny(text, " \t\r\n\"{}<>:/")
}

// form redacts the fields of a form.
func form(text []byte) []byte {
	fields := bytes.SplitAfter(text, []byte("&"))
	changed := false
	for i, field := range fields {
		pair, more := bytes.CutSuffix(field, []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		name, err := url.QueryUnescape(string(key))
		if len(value) == 0 || err == nil && !Name(name, len(value)) {
			continue
		}
		changed = true
		fields[i] = append(append(bytes.Clone(key), '='), Redacted...)
		if more {
			fields[i] = append(fields[i], '&')
		}
	}
	if !changed {
		return text
	}
	return bytes.Join(fields, nil)
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

// inner redacts JSON that is the value of a string, and secrets of which JSON has escaped something.
func (w *walk) inner(literal []byte, depth int) ([]byte, bool) {
	if depth >= maxDepth || !escapes(literal) {
		return nil, false
	}
	if literal[len(literal)-1] != '"' {
		literal = append(bytes.TrimRight(bytes.Clone(literal), `\`), '"') // cut off
	}
	var text string
	if json.Unmarshal(literal, &text) != nil {
		return nil, false
	}
	clean := w.replaced(w.members([]byte(text), depth+1))
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

// escapes tells whether a literal has something escaped that members or secrets may have: line ends are not.
func escapes(literal []byte) bool {
	for {
		i := bytes.IndexByte(literal, '\\')
		if i < 0 || i+1 >= len(literal) {
			return false
		}
		switch literal[i+1] {
		case '"', 'u', '/':
			return true
		}
		literal = literal[i+2:]
	}
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
