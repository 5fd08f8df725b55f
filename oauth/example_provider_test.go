package oauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// acme is a provider with more than the standards have: credentials in a file of the vendor's, and the plan that
// the user pays for. The rest is the ConfigProvider's.
type acme struct {
	*oauth.ConfigProvider
	file oauth.Store
}

var (
	_ oauth.StoreProvider = acme{}
	_ oauth.Summarizer    = acme{}
)

// Store implements [oauth.StoreProvider].
func (p acme) Store() oauth.Store { return p.file }

// Summary implements [oauth.Summarizer]. What the id token says is for display: nobody has checked its signature.
func (p acme) Summary(c *oauth.Credentials) map[string]any {
	var claims struct {
		Email string `json:"email"`
		Plan  string `json:"plan"`
	}
	if err := oauth.Claims(c.IDToken, &claims); err != nil {
		return nil // there is no id token, or it is none
	}
	return map[string]any{"email": claims.Email, "plan": claims.Plan}
}

// methods is how a page offers a login.
func methods(p oauth.Provider) []string {
	var list []string
	describer, ok := p.(oauth.LoginDescriber)
	if !ok {
		return append(list, "paste the code")
	}
	m := describer.LoginMethods()
	if m.LoopbackURI != "" {
		list = append(list, "browser on this machine")
	}
	if _, able := p.(oauth.DeviceAuthorizer); able && m.Device {
		list = append(list, "code on another device")
	}
	return append(list, "paste the address")
}

// goodbye makes tokens invalid at the server, where server and provider can.
func goodbye(ctx context.Context, p oauth.Provider, c *oauth.Credentials) string {
	revoker, ok := p.(oauth.Revoker)
	if !ok {
		return "the tokens end by themselves"
	}
	switch err := revoker.Revoke(ctx, c); {
	case errors.Is(err, errors.ErrUnsupported):
		return "the tokens end by themselves"
	case err != nil:
		return "the tokens may still be valid: " + err.Error()
	}
	return "the tokens are revoked"
}

// A provider is a type with four methods and the upgrades that it can offer; everything else asks for them.
func ExampleStoreProvider() {
	server := new(oauthtest.Server) // in place of a real one
	var provider oauth.Provider = acme{ConfigProvider: exampleProvider(server), file: new(store.Memory)}
	manager := new(oauth.TokenManager) // without a store: the provider brings one
	ctx := context.Background()
	defer func() { _ = manager.Shutdown(ctx) }()
	if _, err := manager.Add(oauth.Account{Provider: provider}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(methods(provider))

	creds := server.Login()
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"email":"ada@example.com","plan":"max"}`))
	creds.IDToken = oauth.NewSecret("header." + payload + ".signature")
	if err := manager.Login(ctx, "acme", creds); err != nil {
		fmt.Println(err)
		return
	}
	if s, ok := provider.(oauth.Summarizer); ok {
		fmt.Println(s.Summary(creds))
	}
	fmt.Println(goodbye(ctx, provider, creds), server.Revoked(creds))
	// Output:
	// [browser on this machine code on another device paste the address]
	// map[email:ada@example.com plan:max]
	// the tokens are revoked true
}

// Claims are read for bookkeeping, never to decide what somebody may do.
func ExampleClaims() {
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"user-7","plan":"max"}`))
	var claims struct {
		Subject string `json:"sub"`
		Plan    string `json:"plan"`
	}
	if err := oauth.Claims(oauth.NewSecret("header."+payload+".signature"), &claims); err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject, claims.Plan)
	fmt.Println(oauth.Claims(oauth.NewSecret("an opaque token"), &claims))
	// Output:
	// user-7 max
	// invalid credentials or provider: not a JSON Web Token
}
