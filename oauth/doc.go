// Package oauth logs in with OAuth, keeps the credentials and refreshes them.
//
// A [Provider] knows one authorization server: it makes the URL to send a user to, exchanges the code that
// comes back, and refreshes; [NewConfigProvider] makes one of a configuration. A [Store] keeps the resulting
// [Credentials] under an id. A [TokenManager] hands out their tokens and sees to it that each is refreshed
// once. A [Registry] finds providers by name.
//
//	var reg oauth.Registry
//	unregister, err := reg.Register(provider)
//	…
//	p, ok := reg.Lookup("claude-api")
//	manager := oauth.TokenManager{Store: store}
//	source, err := manager.Add(oauth.Account{Provider: p})
//	…
//	login := flow.Login{UI: terminal} // of package oauth/flow
//	creds, err := login.Run(ctx, p)
//	err = manager.Login(ctx, "claude-api", creds)
//	…
//	cred, err := source.Token(ctx)
//	req.Header.Set("Authorization", cred.Authorization().Reveal())
//
// A service that takes the redirect on a route of its own uses [Sessions] for state and PKCE verifier.
//
// Tokens are of type [Secret], which prints and marshals as a placeholder.
package oauth
