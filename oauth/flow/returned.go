package flow

import "net/url"

// Returned is what a user comes back with from an authorization server, for programs with pages of their own. It holds
// a code, which is a secret until it is exchanged.
type Returned struct {
	// Code, State and Issuer are the parameters code, state and iss. Without a state, State is empty: a code alone is
	// as good where PKCE ties it to the login.
	Code, State, Issuer string
	// Problem is what the server said instead of a code, nil if there is a code. It wraps [oauth.ErrDenied] if the user
	// refused.
	Problem error
}

// FromQuery reads the parameters of a redirect. Parameters that come twice, and neither code nor error, give an error
// wrapping [ErrPaste].
func FromQuery(q url.Values) (Returned, error) { return returned(fromQuery(q)) }

// FromPaste reads what a user copied: a code, CODE#STATE, or the address that the browser ended up at, which must be
// that of redirectURI. Everything else gives an error wrapping [ErrPaste].
func FromPaste(pasted, redirectURI string) (Returned, error) {
	return returned(fromPaste(pasted, redirectURI))
}

func returned(r redirected, err error) (Returned, error) {
	return Returned{Code: r.code, State: r.state, Issuer: r.issuer, Problem: r.problem}, err
}
