package hooks_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// A log of tokens, which tells when the next refresh is due. Payloads have no token in them.
func ExampleObserve_tokens() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	log := hooks.Observe("token_log", func(_ context.Context, hc *hooks.Context) error {
		switch p := hc.Payload.(type) {
		case *hooks.OAuthTokenRequest:
			fmt.Println(p.Provider, "asks for its first token")
		case *hooks.OAuthTokenResponse:
			if !p.Success {
				fmt.Println(p.Provider, "has none:", p.Err)
				return nil
			}
			fmt.Println(p.Provider, p.Account, "has a token for", p.ExpiresAt.Sub(now))
		case *hooks.OAuthRefreshRequest:
			fmt.Println(p.Provider, p.Account, "refreshes", p.ExpiresAt.Sub(now), "before the end")
		}
		return nil
	}, hooks.EventOAuthTokenRequest, hooks.EventOAuthTokenResponse, hooks.EventOAuthRefreshRequest)
	var reg hooks.Registry
	if _, err := reg.Register(log, hooks.Options{Plugin: "token_log"}); err != nil {
		fmt.Println(err)
		return
	}

	for _, p := range []hooks.Payload{ // the proxy emits these
		&hooks.OAuthTokenRequest{Provider: "codex"},
		&hooks.OAuthTokenResponse{Provider: "codex", Err: "invalid_grant"},
		&hooks.OAuthTokenRequest{Provider: "codex"},
		&hooks.OAuthTokenResponse{Provider: "codex", Account: "team", Success: true, ExpiresAt: now.Add(time.Hour)},
		&hooks.OAuthRefreshRequest{Provider: "codex", Account: "team", ExpiresAt: now.Add(5 * time.Minute)},
	} {
		reg.Emit(hooks.Context{Payload: p})
	}
	_ = reg.Close(context.Background())
	// Output:
	// codex asks for its first token
	// codex has none: invalid_grant
	// codex asks for its first token
	// codex team has a token for 1h0m0s
	// codex team refreshes 5m0s before the end
}
