package ccproxy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// Security says who may call the proxy. The zero value asks for no key, as befits a guest whose host authenticates
// by itself, and refuses web pages of foreign origins.
type Security struct {
	// Keys are the keys of those who may call, as "Authorization: Bearer KEY" or "x-api-key: KEY". Without any,
	// everybody may call what is not AuthRequired. A request whose context has a [Caller] needs no key.
	Keys []APIKey
	// Hosts are the names under which the proxy may be addressed, with or without a port. It keeps web pages from
	// reaching a local proxy through a name of their own. Nil means any: the host knows its names.
	Hosts []string
	// Origins are the web pages that may call from another origin, such as "https://app.example.com" or
	// "http://localhost:*"; they are answered with CORS headers. Nil means none.
	Origins []string
	// CORSMaxAge is how long browsers may remember an answer to a preflight. Zero means 10 minutes.
	CORSMaxAge time.Duration
	// Limits are what each caller may take that has no limits of its own. They hold for calls of models, and for each
	// caller by itself; all who call without a key or a [Caller] are one. Where they count is said by [WithLimiter].
	Limits limit.Policy
	// LimitsFailClosed refuses calls with 503 while the limiter does not answer. Otherwise they go on without limits.
	// Either is logged once.
	LimitsFailClosed bool
}

// APIKey is a key of somebody who may call.
type APIKey struct {
	// Name says whose key it is, in logs and hooks. Required.
	Name string
	// Value is the key. Required; what is found in documentation is refused.
	Value Secret
	// Models are those that it may be used for, by the names that clients send, see [Caller.Models]. Nil means all.
	Models []string
	// Limits are what may be taken with it. A field that is zero is that of Security.Limits; less than zero means any
	// amount.
	Limits limit.Policy
}

func (s Security) clone() Security {
	s.Keys = slices.Clone(s.Keys)
	for i := range s.Keys {
		s.Keys[i].Models = slices.Clone(s.Keys[i].Models)
	}
	s.Hosts, s.Origins = slices.Clone(s.Hosts), slices.Clone(s.Origins)
	return s
}

// guard is the security of a proxy, checked.
type guard struct {
	keys  *middleware.Keys
	guard middleware.GuardOptions
	cors  middleware.Func
}

func (s Security) guard() (guard, error) {
	var g guard
	var errs []error
	fail := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("security.%s: %w: %w", key, ErrConfig, err))
		}
	}
	if len(s.Keys) > 0 {
		keys := make([]middleware.Key, 0, len(s.Keys))
		for _, k := range s.Keys {
			keys = append(keys, middleware.Key{Name: k.Name, Value: k.Value, Models: k.Models})
		}
		var err error
		g.keys, err = middleware.NewKeys(keys...)
		fail("keys", err)
	}
	g.guard = middleware.GuardOptions{Hosts: s.Hosts, AnyHost: s.Hosts == nil, Origins: s.Origins, Reject: reject}
	fail("hosts", middleware.GuardOptions{Hosts: s.Hosts}.Validate())
	maxAge := s.CORSMaxAge
	if maxAge == 0 {
		maxAge = 10 * time.Minute
	}
	var err error
	g.cors, err = middleware.CORS(middleware.CORSOptions{Origins: s.Origins, MaxAge: maxAge})
	fail("origins", err)
	return g, errors.Join(errs...)
}

// security returns the middleware that keeps strangers out.
func (s *serving) security() []middleware.Entry {
	g := s.proxy.guard
	return []middleware.Entry{
		{Name: "limits", Layer: layerLimits, Func: middleware.Limits(middleware.LimitOptions{Reject: reject})},
		{Name: "cors", Layer: layerCORS, Func: g.cors},
		{Name: "origin_guard", Layer: layerGuard, Func: middleware.Guard(g.guard)},
		{Name: "api_key", Layer: middleware.LayerSecurity, Func: s.apiKey},
	}
}

// apiKey asks for a key, as the endpoint's policy says. What does not exist is as protected as what does.
func (s *serving) apiKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeFrom(r.Context())
		if err := s.authorize(ex, r); err != nil {
			ex.fail(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *serving) authorize(ex *exchange, r *http.Request) error {
	policy := AuthDefault
	if e := ex.match.endpoint; e != nil {
		policy = e.auth
	}
	keys := s.proxy.guard.keys
	if policy == AuthPublic || policy == AuthDefault && keys == nil {
		return nil
	}
	if _, known := CallerFrom(r.Context()); known || r.Context().Value(inProcessKey{}) != nil {
		return nil
	}
	key, err := keys.Authenticate(r.Header)
	if err != nil {
		return &Error{
			Status: http.StatusUnauthorized, Message: err.Error(), Code: "invalid_api_key", Err: err,
			Header: http.Header{"Www-Authenticate": {"Bearer"}},
		}
	}
	ex.caller = &Caller{ID: key.Name, Models: key.Models}
	return nil
}

// reject renders a refusal of the built-in middleware in the client's dialect.
func reject(w http.ResponseWriter, r *http.Request, err error) {
	e := &Error{Status: http.StatusForbidden, Message: err.Error(), Err: err}
	if re, ok := errors.AsType[*middleware.RejectError](err); ok {
		e.Status, e.Type, e.Param = re.Status, re.Type, re.Header
	}
	exchangeFrom(r.Context()).fail(w, e)
}
