package commandreplay

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
	"github.com/ccproxy-go/ccproxy/internal/spool"
)

const redacted = "[REDACTED]"

// script makes the files of one request.
func (p *plugin) script(base string, req *hooks.HTTPRequest) []spool.File {
	body := p.body(req)
	text, ok := p.command(req, base+"_body", len(body) > 0)
	if !ok {
		return nil
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	if req.BodyTruncated {
		b.WriteString("# The body is not whole: there was more of it than is kept.\n")
	}
	if strings.Contains(string(body), redacted) {
		b.WriteString("# Credentials in the body are [REDACTED]: put them in before it is sent.\n")
	}
	b.WriteString(text)
	files := []spool.File{{Name: base + "_curl.sh", Data: []byte(b.String())}}
	if len(body) > 0 {
		files = append(files, spool.File{Name: base + "_body", Data: body})
	}
	return files
}

// body is what may be stored of a request's.
func (p *plugin) body(req *hooks.HTTPRequest) []byte {
	text := req.Body
	if scrub.IsForm(req.Header.Value("Content-Type")) {
		text = hooks.SafeQuery(text)
	}
	return p.scrubber.Body([]byte(text), nil)
}

// command is the call of curl with the variables that it needs. ok is false for a request that curl could not send:
// one of another scheme than HTTP, or without a method.
func (p *plugin) command(req *hooks.HTTPRequest, bodyFile string, hasBody bool) (text string, ok bool) {
	web := strings.HasPrefix(req.URL, "http://") || strings.HasPrefix(req.URL, "https://")
	if !web || !isToken(req.Method) {
		return "", false
	}
	var vars []string
	args := []string{"curl", "--globoff", "--path-as-is", "--no-buffer", "--include", "--request", quote(req.Method)}
	if req.Method == http.MethodHead { // with --request curl would wait for a body
		args = append(args[:len(args)-2], "--head")
	}
	words := len(args)
	args = append(args, "--url", address(p.scrubber.Text(req.URL, nil), &vars))
	for name, value := range req.Header.All() {
		if skipped(name) {
			continue
		}
		args = append(args, "--header", field(name, p.scrubber.Text(value, nil), &vars))
	}
	if hasBody {
		args = append(args, "--data-binary", `@"$here"/`+quote(bodyFile))
	}
	var b strings.Builder
	slices.Sort(vars)
	for _, v := range slices.Compact(vars) {
		fmt.Fprintf(&b, ": \"${%s:?a credential that is not in this file}\"\n", v)
	}
	if hasBody {
		b.WriteString("here=$(dirname -- \"$0\")\n")
	}
	for i := words; i < len(args); i += 2 { // an option and its value a line
		args[i] = "\\\n  " + args[i]
	}
	b.WriteString(strings.Join(args, " ") + "\n")
	return b.String(), true
}

// skipped are fields that curl sets for itself, or that nobody could have sent.
func skipped(name string) bool {
	switch strings.ToLower(name) {
	case "content-length", "host", "connection", "transfer-encoding", "expect":
		return true
	}
	return !isToken(name)
}

// isToken reports whether s is what methods and names of fields are made of.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) || c >= 0x80 {
			return false
		}
	}
	return s != ""
}

// field is a header field as an argument. One that had a credential has a variable in its place.
func field(name, value string, vars *[]string) string {
	switch value {
	case redacted:
		return quote(name+": ") + variable(name, vars)
	case "":
		return quote(name + ";") // a colon would take the field away
	}
	return quote(name + ": " + value)
}

// address is a URL as an argument.
func address(u string, vars *[]string) string {
	head, query, found := strings.Cut(u, "?")
	if !found {
		return quote(u)
	}
	var b strings.Builder
	b.WriteString(quote(head + "?"))
	for i, pair := range pairs(query) {
		key, value, _ := strings.Cut(pair, "=")
		rest, secret := strings.CutPrefix(value, redacted)
		if !secret {
			b.WriteString(quote(pair))
			continue
		}
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			key = fmt.Sprintf("query_%d", i)
		}
		name, _, _ := strings.Cut(pair, "=")
		b.WriteString(quote(name+"=") + variable(key, vars) + quote(rest))
	}
	return b.String()
}

// pairs are those of a query, each with what parts it from the next.
func pairs(query string) (all []string) {
	for query != "" {
		n := strings.IndexAny(query, "&;") + 1
		if n == 0 {
			n = len(query)
		}
		all, query = append(all, query[:n]), query[n:]
	}
	return all
}

// variable is the reference to the variable of a name, which it adds.
func variable(name string, vars *[]string) string {
	name = "REPLAY_" + strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		}
		return '_'
	}, name)
	*vars = append(*vars, name)
	return `"$` + name + `"`
}

// quote makes one word of the shell of any text. Line ends and NUL, which no argument of a request has, become spaces.
func quote(s string) string {
	if s == "" {
		return ""
	}
	s = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(s)
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
