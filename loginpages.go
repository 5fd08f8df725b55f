package ccproxy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/flow"
)

// begin sends a browser to the authorization server, or shows where to go and a form for what comes of it. A page that
// asks for JSON gets the address instead.
func (l loginRoutes) begin(w http.ResponseWriter, r *http.Request, acc *account) {
	ex := exchangeFrom(r.Context())
	if r.URL.RawQuery != "" {
		ex.fail(w, badRequest("query", "query: a login takes no parameters"))
		return
	}
	redirectURI, manual, err := l.redirectURI(acc)
	if err != nil {
		ex.fail(w, err)
		return
	}
	name := acc.provider.Info().Name
	s, err := l.proxy.accounts.logins.Begin(r.Context(), name, redirectURI)
	if err != nil {
		ex.fail(w, &Error{Status: http.StatusServiceUnavailable, Message: "the login cannot be kept", Err: err})
		return
	}
	address, err := authorizationURL(r, acc.provider, s)
	if err != nil {
		ex.fail(w, &Error{Status: http.StatusBadGateway, Message: "the provider cannot begin a login", Err: err})
		return
	}
	http.SetCookie(w, l.cookie(r, name, mark(s), int(oauth.DefaultSessionTTL.Seconds())))
	switch {
	case strings.Contains(r.Header.Get("Accept"), "application/json"):
		writeJSON(w, http.StatusOK, begun{URL: address, Manual: manual, State: s.State.Reveal()})
	case manual:
		page(w, http.StatusOK, manualForm(address, s.State.Reveal()))
	default:
		w.Header().Set("Location", address)
		page(w, http.StatusFound, "<p>The login goes on at the authorization server.</p>")
	}
}

type begun struct {
	URL    string `json:"authorization_url"`
	Manual bool   `json:"manual"` // the user copies a code
	State  string `json:"state"`
}

// redirectURI is where users come back to: an address of the proxy's, which is never taken from a request, or one that
// the client is registered with, from where users copy what they got.
func (l loginRoutes) redirectURI(acc *account) (address string, manual bool, err error) {
	var methods oauth.LoginMethods
	if d, ok := acc.provider.(oauth.LoginDescriber); ok {
		methods = d.LoginMethods()
	}
	if l.proxy.options.publicURL != "" && !methods.OwnRedirects {
		return l.callbackURL(acc), false, nil
	}
	for _, address := range []string{methods.ManualURI, strings.Replace(methods.LoopbackURI, ":0/", "/", 1)} {
		if address != "" {
			return address, true, nil
		}
	}
	return "", false, &Error{
		Status: http.StatusNotImplemented, Code: "no_public_url",
		Message: "a login at this provider needs the proxy's public address: set server.public_url",
	}
}

func (l loginRoutes) callbackURL(acc *account) string {
	return l.proxy.options.publicURL + "/oauth/" + url.PathEscape(acc.provider.Info().Name) + "/callback"
}

func authorizationURL(r *http.Request, p oauth.Provider, s oauth.Session) (address string, err error) {
	req := oauth.AuthorizationRequest{State: s.State.Reveal(), RedirectURI: s.RedirectURI}
	if p.Info().SupportsPKCE {
		req.Verifier = s.Verifier.Reveal()
	}
	address, err = p.AuthorizationURL(r.Context(), req)
	if err == nil && !isWebAddress(address) {
		err = errors.New("the address of the authorization server is not one for browsers")
	}
	return address, err
}

// callback takes a browser that comes back from the authorization server.
func (l loginRoutes) callback(w http.ResponseWriter, r *http.Request, acc *account) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		l.failed(w, r, acc, http.StatusBadRequest, err)
		return
	}
	back, err := flow.FromQuery(q)
	if err != nil || l.proxy.options.publicURL == "" {
		l.failed(w, r, acc, http.StatusBadRequest, errors.Join(err, errNotBegun))
		return
	}
	l.finish(w, r, acc, l.callbackURL(acc), back)
}

// callbackPath is the endpoint of callbacks.
const callbackPath = "/oauth/{provider}/callback"

// safeQuery is what hooks and logs are told of a query. What an authorization server sends by way of a browser is
// between those two and the login: codes, states, and whatever it says of an error.
func (ex *exchange) safeQuery() string {
	if ex.endpoint == callbackPath && ex.r.URL.RawQuery != "" {
		return redacted
	}
	return hooks.SafeQuery(ex.r.URL.RawQuery)
}

var errNotBegun = errors.New("no login of this browser is waited for")

const maxPaste = 16 << 10

// paste takes what a user copied: a form, or a JSON object, with the members code and state.
func (l loginRoutes) paste(w http.ResponseWriter, r *http.Request, acc *account) {
	redirectURI, manual, err := l.redirectURI(acc)
	if err != nil || !manual || r.URL.RawQuery != "" {
		l.failed(w, r, acc, http.StatusBadRequest, errors.Join(err, errNotBegun))
		return
	}
	code, state, err := pasted(r)
	if err != nil {
		l.failed(w, r, acc, http.StatusBadRequest, err)
		return
	}
	back, err := flow.FromPaste(code, redirectURI)
	switch {
	case err != nil:
	case back.State == "" && acc.provider.Info().SupportsPKCE:
		back.State = state // PKCE ties a code to its login
	case state == "" || !oauth.NewSecret(state).Equal(oauth.NewSecret(back.State)):
		err = oauth.ErrSession
	}
	if err != nil {
		l.failed(w, r, acc, http.StatusBadRequest, err)
		return
	}
	l.finish(w, r, acc, redirectURI, back)
}

func pasted(r *http.Request) (code, state string, err error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPaste+1))
	if err != nil || len(body) > maxPaste {
		return "", "", errors.Join(err, flow.ErrPaste)
	}
	if isJSON(r.Header) {
		var form struct {
			Code  string `json:"code"`
			State string `json:"state"`
		}
		if json.Unmarshal(body, &form) != nil {
			return "", "", flow.ErrPaste
		}
		return form.Code, form.State, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["code"]) != 1 || len(form["state"]) != 1 {
		return "", "", flow.ErrPaste
	}
	return form.Get("code"), form.Get("state"), nil
}

// finish ends a login, if this browser has begun it.
func (l loginRoutes) finish(
	w http.ResponseWriter, r *http.Request, acc *account, redirectURI string, back flow.Returned,
) {
	name := acc.provider.Info().Name
	own := l.cookie(r, name, "", -1)
	marks := r.CookiesNamed(own.Name)
	if len(marks) != 1 { // without one it is another browser; two are nobody's honest work
		l.failed(w, r, acc, http.StatusBadRequest, errNotBegun)
		return
	}
	s, err := l.proxy.accounts.logins.Finish(r.Context(), name, redirectURI, back.State)
	switch {
	case errors.Is(err, oauth.ErrSession):
		l.failed(w, r, acc, http.StatusBadRequest, err)
		return
	case err != nil:
		l.failed(w, r, acc, http.StatusServiceUnavailable, err)
		return
	case !oauth.NewSecret(marks[0].Value).Equal(oauth.NewSecret(mark(s))):
		l.failed(w, r, acc, http.StatusBadRequest, errNotBegun)
		return
	}
	http.SetCookie(w, own)
	if back.Problem != nil {
		l.failed(w, r, acc, http.StatusForbidden, back.Problem)
		return
	}
	cb := oauth.Callback{Code: back.Code, State: back.State, RedirectURI: redirectURI, Issuer: back.Issuer}
	if acc.provider.Info().SupportsPKCE {
		cb.Verifier = s.Verifier.Reveal()
	}
	if err := l.proxy.OAuth().exchange(r.Context(), acc, cb); err != nil && !errors.Is(err, oauth.ErrUnsaved) {
		status := http.StatusBadGateway
		if errors.Is(err, oauth.ErrInvalid) {
			status = http.StatusBadRequest
		}
		l.failed(w, r, acc, status, err)
		return
	}
	page(w, http.StatusOK, "<p>You are logged in. You may close this window.</p>")
}

// failed ends a login that did not work. The reason goes to the log: what came with the request stays out of the page.
func (l loginRoutes) failed(w http.ResponseWriter, r *http.Request, acc *account, status int, err error) {
	l.proxy.logger.WarnContext(r.Context(), "OAuth login failed", "account", acc.provider.Info().Name, "error", err)
	text := "This login is not known, has ended, or was begun in another browser. Begin again."
	switch {
	case status == http.StatusForbidden:
		text = "The login was refused."
	case status >= http.StatusInternalServerError:
		text = "The login could not be completed. Begin again in a while."
	}
	page(w, status, "<p>"+text+"</p>")
}

// cookie ties a login to a browser. On https its name keeps other hosts of the domain from setting it.
func (l loginRoutes) cookie(r *http.Request, provider, value string, maxAge int) *http.Cookie {
	sum := sha256.Sum256([]byte(provider))
	secure := r.TLS != nil
	if public := l.proxy.options.publicURL; public != "" {
		secure = strings.HasPrefix(strings.ToLower(public), "https:")
	}
	name := "ccproxy-login-" + hex.EncodeToString(sum[:4])
	if secure {
		name = "__Host-" + name
	}
	return &http.Cookie{ //nolint:gosec // Secure where the proxy is reached over https
		Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // the browser comes back from another site
	}
}

// mark is what a browser is known by that began a session. It follows from what never leaves this side, so that any
// process that knows the session knows it.
func mark(s oauth.Session) string {
	sum := sha256.Sum256([]byte("browser\x00" + s.Verifier.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// page answers with text that is ours.
func page(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Login</title>"+body+"\n")
}

// manualForm shows where to log in, and takes what the user copies there.
func manualForm(address, state string) string {
	return `<p><a href="` + html.EscapeString(address) + `" target="_blank" rel="noopener noreferrer">Log in</a>` +
		` in another window. Then paste the code here, or the whole address that the browser ended up at, ` +
		`even if it shows no page.</p>` +
		`<form method="post" action="login" autocomplete="off">` +
		`<input type="hidden" name="state" value="` + html.EscapeString(state) + `">` +
		`<p><input name="code" size="60" required> <button>Continue</button></p></form>`
}
