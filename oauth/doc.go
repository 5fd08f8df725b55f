// Package oauth holds the contracts between those who log in with OAuth and those who keep credentials.
//
// A [Provider] knows one authorization server: it makes the URL to send a user to, exchanges the code that
// comes back, and refreshes. A [Store] keeps the resulting [Credentials] under an id. A [Registry] finds
// providers by name.
//
//	var reg oauth.Registry
//	unregister, err := reg.Register(provider)
//	…
//	p, ok := reg.Lookup("claude-api")
//	url, err := p.AuthorizationURL(ctx, oauth.AuthorizationRequest{State: state, Verifier: verifier})
//	// the user logs in and comes back with a code
//	creds, err := p.HandleCallback(ctx, oauth.Callback{Code: code, State: state, Verifier: verifier})
//	err = store.Save(ctx, "claude-api", creds)
//
// Tokens are of type [Secret], which prints and marshals as a placeholder.
package oauth
