package flow

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// redirected is what a browser brings back, or a user pastes.
type redirected struct {
	code, state, issuer string
	problem             error // what the server said instead of a code
}

// maxCode bounds what is taken for a code; addresses are not longer.
const maxCode = 8 << 10

// fromQuery reads the parameters of a redirect. Parameters that come twice are nobody's honest work.
func fromQuery(q url.Values) (redirected, error) {
	for _, name := range []string{"code", "state", "iss", "error"} {
		if len(q[name]) > 1 {
			return redirected{}, fmt.Errorf("%w: parameter %s comes twice", ErrPaste, name)
		}
	}
	r := redirected{code: q.Get("code"), state: q.Get("state"), issuer: q.Get("iss")}
	switch failure := q.Get("error"); {
	case failure == "access_denied":
		r.problem = oauth.ErrDenied
	case failure != "":
		r.problem = fmt.Errorf("the authorization server refused: %q", printable(failure))
	case r.code == "":
		return r, fmt.Errorf("%w: there is no code in it", ErrPaste)
	}
	return r, nil
}

// printable is an error code as servers send them, for people to read and logs to keep. What looks like anything else
// may be the code or the token that it should not be, and is not repeated.
func printable(code string) string {
	const longest = 48
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }
	if len(code) > longest || strings.ContainsFunc(code, odd) {
		return "unnamed_error"
	}
	return code
}

// fromPaste reads a code, CODE#STATE, or an address below redirectURI. Without a state there is none in r.
func fromPaste(pasted, redirectURI string) (redirected, error) {
	pasted = strings.Trim(strings.TrimSpace(pasted), `"'<>`)
	switch {
	case pasted == "":
		return redirected{}, fmt.Errorf("%w: it is empty", ErrPaste)
	case len(pasted) > maxCode:
		return redirected{}, fmt.Errorf("%w: it is too long", ErrPaste)
	case strings.Contains(pasted, "://"):
		return fromAddress(pasted, redirectURI)
	case strings.HasPrefix(pasted, "code=") || strings.Contains(pasted, "&code="):
		q, err := url.ParseQuery(pasted)
		if err != nil {
			return redirected{}, fmt.Errorf("%w: it cannot be read", ErrPaste)
		}
		return fromQuery(q)
	}
	code, state, _ := strings.Cut(pasted, "#")
	if code == "" || strings.ContainsFunc(pasted, isOdd) {
		return redirected{}, fmt.Errorf("%w: it cannot be read", ErrPaste)
	}
	return redirected{code: code, state: state}, nil
}

func isOdd(r rune) bool { return r <= ' ' || r >= 0x7f }

func fromAddress(pasted, redirectURI string) (redirected, error) {
	u, err := url.Parse(pasted)
	if err != nil {
		return redirected{}, fmt.Errorf("%w: the address cannot be read", ErrPaste)
	}
	if want, err := url.Parse(redirectURI); err == nil && redirectURI != "" &&
		(u.Scheme != want.Scheme || u.Host != want.Host || u.Path != want.Path) {
		return redirected{}, fmt.Errorf("%w: the address is another one", ErrPaste)
	}
	r, err := fromQuery(u.Query())
	if err == nil && r.state == "" {
		err = fmt.Errorf("%w: %w", ErrPaste, oauth.ErrSession)
	}
	return r, err
}
