package ccproxy

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// loginRoutes are the proxy's endpoints below /oauth.
type loginRoutes struct{ proxy *Proxy }

// oauthEndpoints are those of the logins. The callback is public: it is worth nothing without the session that a login
// began in the same browser.
func (p *Proxy) oauthEndpoints() []mountedEndpoint {
	if p.settings.DisablePlugins {
		return nil
	}
	routes := loginRoutes{p}
	var out []mountedEndpoint
	add := func(method, path, summary string, auth AuthPolicy, h http.HandlerFunc) {
		out = append(out, mountedEndpoint{
			Endpoint: Endpoint{Method: method, Summary: summary, Auth: auth}, prefix: "/oauth", path: "/oauth" + path,
			auth: auth, tags: []string{"oauth"}, handler: plainPaths(private(h)),
		})
	}
	add("GET", "/providers", "List the OAuth providers", AuthDefault, routes.providers)
	add("GET", "/{provider}/login", "Begin a login", AuthDefault, routes.of(routes.begin))
	add("POST", "/{provider}/login", "End a login with a copied code", AuthDefault, routes.of(routes.paste))
	add("GET", "/{provider}/callback", "End of a login", AuthPublic, routes.of(routes.callback))
	add("GET", "/{provider}/status", "Tell how an account is", AuthDefault, routes.of(routes.status))
	add("POST", "/{provider}/refresh", "Refresh an account's tokens", AuthDefault, routes.of(routes.refresh))
	add("POST", "/{provider}/revoke", "Log out of an account", AuthDefault, routes.of(routes.revoke))
	return out
}

// private keeps answers out of caches, frames and the referrers of what they lead to. HEAD does nothing: it would be
// half a login.
func private(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Content-Security-Policy", pagePolicy)
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusOK)
			return
		}
		next(w, r)
	})
}

// pagePolicy lets a page show text and send its form, and nothing else.
const pagePolicy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// of finds the account of a path.
func (l loginRoutes) of(next func(http.ResponseWriter, *http.Request, *account)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		acc, ok := l.proxy.accounts.find(r.PathValue("provider"))
		if !ok {
			exchangeFrom(r.Context()).fail(w, &Error{
				Status: http.StatusNotFound, Param: "provider",
				Message: "OAuth provider '" + printable(r.PathValue("provider")) + "' not found",
			})
			return
		}
		next(w, r, acc)
	}
}

type providerListed struct {
	oauth.Info
	Available bool `json:"is_available"`
}

func (l loginRoutes) providers(w http.ResponseWriter, _ *http.Request) {
	list := make(map[string]providerListed)
	for _, info := range l.proxy.OAuth().Providers() {
		info.Scopes = notNil(info.Scopes)
		list[info.Name] = providerListed{Info: info, Available: true}
	}
	writeJSON(w, http.StatusOK, map[string]any{"providers": list})
}

func (l loginRoutes) status(w http.ResponseWriter, r *http.Request, acc *account) {
	s, err := l.proxy.OAuth().Status(r.Context(), acc.provider.Info().Name)
	if err != nil {
		exchangeFrom(r.Context()).fail(w, accountError(err))
		return
	}
	writeJSON(w, http.StatusOK, s)
}

func (l loginRoutes) refresh(w http.ResponseWriter, r *http.Request, acc *account) {
	if err := command(r); err != nil {
		exchangeFrom(r.Context()).fail(w, err)
		return
	}
	if err := l.proxy.OAuth().Refresh(r.Context(), acc.provider.Info().Name); err != nil {
		exchangeFrom(r.Context()).fail(w, accountError(err))
		return
	}
	l.status(w, r, acc)
}

func (l loginRoutes) revoke(w http.ResponseWriter, r *http.Request, acc *account) {
	if err := command(r); err != nil {
		exchangeFrom(r.Context()).fail(w, err)
		return
	}
	err := l.proxy.OAuth().Logout(r.Context(), acc.provider.Info().Name)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case onlyNotRevoked(err):
		writeJSON(w, http.StatusOK, map[string]any{"deleted": true, "revoked": false})
	default:
		exchangeFrom(r.Context()).fail(w, accountError(err))
	}
}

// onlyNotRevoked tells whether a logout did all but tell the server. It may have failed at both.
func onlyNotRevoked(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !errors.Is(e, oauth.ErrNotRevoked) {
				return false
			}
		}
	}
	return errors.Is(err, oauth.ErrNotRevoked)
}

// accountError is what a client gets when something about an account failed.
func accountError(err error) *Error {
	e := &Error{Status: http.StatusBadGateway, Message: "the authorization server, or the store, failed", Err: err}
	switch {
	case errors.Is(err, oauth.ErrUnknownProvider):
		e.Status, e.Message = http.StatusNotFound, "no such OAuth provider"
	case errors.Is(err, oauth.ErrNeedsLogin) || errors.Is(err, oauth.ErrNoCredentials):
		e.Status, e.Code, e.Message = http.StatusConflict, "login_required", "the account needs a login"
	case errors.Is(err, oauth.ErrClosed):
		e.Status, e.Message = http.StatusServiceUnavailable, "the account is being closed"
	}
	if t, ok := errors.AsType[*oauth.TokenError](err); ok && !t.NextAttempt.IsZero() {
		e.RetryAfter = max(time.Until(t.NextAttempt), 0)
	}
	return e
}

const maxCommand = 1 << 10

// command checks a request that changes an account. It takes no parameters, so that nobody sends a token where it is
// logged; and a page of somebody else's, which can make a browser send forms, cannot send it.
func command(r *http.Request) error {
	if r.URL.RawQuery != "" {
		return badRequest("query", "query: this endpoint takes no parameters; tokens do not belong into addresses")
	}
	if fromBrowser(r.Header) && !isJSON(r.Header) {
		return &Error{
			Status: http.StatusForbidden, Param: "Content-Type",
			Message: "Content-Type: pages have to send application/json",
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCommand+1))
	if err != nil {
		return badRequest("body", "body: could not be read")
	}
	var members map[string]json.RawMessage
	if len(body) > maxCommand || len(body) > 0 && (json.Unmarshal(body, &members) != nil || len(members) > 0) {
		return badRequest("body", "body: this endpoint takes none, or an empty object")
	}
	return nil
}

// fromBrowser tells whether a browser sent the request, for a page.
func fromBrowser(h http.Header) bool {
	for _, name := range []string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Referer", "Cookie"} {
		if h[name] != nil {
			return true
		}
	}
	return false
}

func isJSON(h http.Header) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return len(h["Content-Type"]) == 1 && strings.EqualFold(strings.TrimSpace(media), "application/json")
}

// isWebAddress tells whether a browser may be sent to an address.
func isWebAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && absoluteHTTP(u) && u.User == nil && !strings.ContainsAny(address, "\r\n\x00")
}
