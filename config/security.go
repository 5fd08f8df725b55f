package config

import (
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// security is the table [security], which becomes a [ccproxy.Security].
type security struct {
	// AuthToken is a key that every client may use. Defaults to none: everybody may call.
	AuthToken ccproxy.Secret `toml:"auth_token"`
	// APIKeys are keys of single callers. Defaults to none.
	APIKeys []apiKey `toml:"api_keys" validate:"dive"`
	// Hosts are the names by which clients reach the proxy; without a port, all ports. Defaults to any name.
	Hosts []string `toml:"hosts"`
	// Origins are the web pages that may call, such as https://*.example.com; * means all. Defaults to none.
	Origins []string `toml:"origins"`
	// CORSMaxAge is how long a browser may remember which pages may call. Defaults to 10 minutes.
	CORSMaxAge time.Duration `toml:"cors_max_age" validate:"gte=0"`

	// LimitsFailClosed refuses calls with 503 while the store that replicas share their counts in is away; otherwise
	// they go on without limits. Defaults to false.
	LimitsFailClosed bool `toml:"limits_fail_closed"`
	// Limits are those of each caller who has none of its own. It is the last field: a table of its own in files.
	Limits limit.Policy `toml:"limits"`
}

// apiKey is one of [[security.api_keys]].
type apiKey struct {
	// Name is what the caller is called in logs, hooks and limits. Required, a name of its own.
	Name string `toml:"name" validate:"required"`
	// Key is what the caller sends: 8 characters or more, none of them a space. Required.
	Key ccproxy.Secret `toml:"key" validate:"required"`
	// Models are those that the caller may use, by the names that clients send. Defaults to all.
	Models []string `toml:"models" validate:"dive,required"`
	// Limits are the caller's own; what they leave out is as in security.limits.
	Limits limit.Policy `toml:"limits"`
}

// authTokenName is whose key security.auth_token is, in logs and hooks.
const authTokenName = "auth_token"

func (s security) settings() ccproxy.Security {
	out := ccproxy.Security{
		Hosts: slices.Clone(s.Hosts), Origins: slices.Clone(s.Origins), CORSMaxAge: s.CORSMaxAge,
		Limits: s.Limits, LimitsFailClosed: s.LimitsFailClosed,
	}
	if !s.AuthToken.IsZero() {
		out.Keys = append(out.Keys, ccproxy.APIKey{Name: authTokenName, Value: s.AuthToken})
	}
	for _, k := range s.APIKeys {
		out.Keys = append(out.Keys, ccproxy.APIKey{
			Name: k.Name, Value: k.Key, Models: slices.Clone(k.Models), Limits: k.Limits,
		})
	}
	return out
}

// checkSecurity finds by the rules of package middleware what Build would refuse, with its place.
func (l *loader) checkSecurity() {
	s := l.document.Security
	if n := l.tree.lookup("security", "auth_token"); n != nil && n.value == "" {
		l.failf(n.at, "security.auth_token", "must not be empty: leave it out to serve everybody")
	}
	if n := l.tree.lookup("security", "hosts"); n != nil && n.list != nil && len(n.list) == 0 {
		l.failf(n.at, "security.hosts", "must not be empty: leave it out to go by any name")
	}
	l.checkKeys()
	for i, host := range s.Hosts {
		err := middleware.GuardOptions{Hosts: []string{host}}.Validate()
		l.refuse(element("security.hosts", i), reason(err, "host ", host))
	}
	for i, origin := range s.Origins {
		err := middleware.GuardOptions{Origins: []string{origin}}.Validate()
		l.refuse(element("security.origins", i), reason(err, "origin ", origin))
	}
}

// refuse reports a value that has nothing wrong so far; an empty problem is none.
func (l *loader) refuse(key, problem string) {
	if problem == "" || l.mistakes.about(key) {
		return
	}
	_, at := locate(l.tree, "", key, l.file)
	l.failf(at, key, "%s", problem)
}

// reason is the text of an error without the value that it begins with.
func reason(err error, kind, value string) string {
	if err == nil {
		return ""
	}
	text, found := strings.CutPrefix(err.Error(), kind+strconv.Quote(value))
	if !found {
		return "is not valid"
	}
	return strings.TrimLeft(text, ": ")
}

// checkKeys holds each key against the rules for keys, and against the others.
func (l *loader) checkKeys() {
	s := l.document.Security
	c := keyCheck{loader: l, names: make(map[string]bool), values: make(map[string]bool)}
	if !s.AuthToken.IsZero() {
		c.names[authTokenName] = true
		c.value("security.auth_token", authTokenName, s.AuthToken)
	}
	for i, k := range s.APIKeys {
		key := element("security.api_keys", i)
		name := k.Name
		if !c.name(key+".name", name) {
			name = authTokenName // so that nothing but the value is found wrong
		}
		c.value(key+".key", name, k.Key)
	}
}

// keyCheck remembers the names and values of keys.
type keyCheck struct {
	*loader
	names, values map[string]bool
}

// name reports what is wrong with the name alone.
func (c *keyCheck) name(key, name string) (ok bool) {
	problem := keyProblem(name, ccproxy.NewSecret(rand.Text()))
	if c.names[name] {
		problem = "is the name of another key"
	}
	c.names[name] = true
	c.refuse(key, problem)
	return problem == ""
}

func (c *keyCheck) value(key, name string, value ccproxy.Secret) {
	problem, text := keyProblem(name, value), value.Reveal()
	if c.values[text] {
		problem = "is the same as another key"
	}
	c.values[text] = true
	c.refuse(key, problem)
}

// keyProblem says why a key cannot be used, without showing any of it.
func keyProblem(name string, value ccproxy.Secret) string {
	_, err := middleware.NewKeys(middleware.Key{Name: name, Value: value})
	for _, one := range split(err) {
		if one = errors.Unwrap(one); one != nil { // without the key's number
			return one.Error()
		}
	}
	return ""
}
