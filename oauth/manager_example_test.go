package oauth_test

import (
	"context"
	"fmt"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

func ExampleTokenManager() {
	ctx := context.Background()
	server := new(oauthtest.Server) // in place of a real one
	provider, err := oauth.NewConfigProvider(server.ProviderConfig("example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	manager := oauth.TokenManager{
		Store:   new(store.Memory),
		OnEvent: func(e oauth.Event) { fmt.Println("event:", e.Kind, e.AccountID) },
	}
	defer func() { _ = manager.Shutdown(ctx) }()
	source, err := manager.Add(oauth.Account{Provider: provider})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := manager.Login(ctx, "example", server.Login()); err != nil {
		fmt.Println(err)
		return
	}
	cred, err := source.Token(ctx)
	fmt.Println(cred.Type, cred.Token, cred.AccountID, err)
	// The upstream says 401:
	if source.Invalidate(cred) {
		cred, err = source.Token(ctx)
		fmt.Println("generation", cred.Generation, err)
	}
	// Output:
	// event: login account-1
	// Bearer [REDACTED] account-1 <nil>
	// event: refreshing account-1
	// event: refreshed account-1
	// generation 2 <nil>
}
