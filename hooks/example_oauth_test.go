package hooks_test

import (
	"context"
	"fmt"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// A notifier tells an operator of accounts that need a hand: of renewals only those that fail count.
func ExampleObserve_oauth() {
	var reg hooks.Registry
	notify := hooks.Observe("notify", func(_ context.Context, hc *hooks.Context) error {
		switch p := hc.Payload.(type) {
		case *hooks.OAuthRefreshResponse:
			if !p.Success {
				fmt.Println(p.Account, "was not renewed:", p.Err)
			}
		case *hooks.OAuthError:
			fmt.Println(p.Account, "needs a login:", p.Op, p.Err)
		}
		return nil
	}, hooks.EventOAuthRefreshResponse, hooks.EventOAuthError)
	if _, err := reg.Register(notify, hooks.Options{Plugin: "notifier"}); err != nil {
		fmt.Println(err)
		return
	}

	reg.Emit(hooks.Context{Payload: &hooks.OAuthRefreshResponse{Account: "work", Success: true}})
	reg.Emit(hooks.Context{Payload: &hooks.OAuthRefreshResponse{Account: "home", Err: "server is away"}})
	reg.Emit(hooks.Context{Payload: &hooks.OAuthError{Account: "home", Op: "refresh", Err: "grant is revoked"}})
	_ = reg.Close(context.Background())
	// Output:
	// home was not renewed: server is away
	// home needs a login: refresh grant is revoked
}
