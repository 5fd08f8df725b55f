package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// advice is what a person should do about an account.
func advice(s oauth.Status) string {
	switch s.State {
	case oauth.StateNoCredentials, oauth.StateNeedsLogin:
		return s.ID + ": log in"
	case oauth.StateCorrupt:
		return s.ID + ": log out, and in again"
	case oauth.StateUnsaved:
		return s.ID + ": look at the store"
	case oauth.StateFailing:
		return fmt.Sprintf("%s: wait, it failed %d times", s.ID, s.Failures)
	}
	return s.ID + ": nothing"
}

// tally counts what happens to accounts, as for metrics.
type tally struct {
	mu    sync.Mutex
	kinds map[oauth.EventKind]int
}

func (t *tally) add(e oauth.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kinds == nil {
		t.kinds = make(map[oauth.EventKind]int)
	}
	t.kinds[e.Kind]++
}

// explain tells what kept a token away, and whether to wait helps.
func explain(err error) {
	failed, _ := errors.AsType[*oauth.TokenError](err)
	server, _ := errors.AsType[*oauth.EndpointError](err)
	if failed == nil || server == nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %s: status %d %s, wait: %t, login: %t\n", failed.ID, server.Op, server.Status, server.Code,
		!failed.NextAttempt.IsZero(), errors.Is(err, oauth.ErrNeedsLogin))
}

// A server that is overloaded is asked again later; one that refuses needs a person.
func ExampleTokenError() {
	ctx := context.Background()
	server := new(oauthtest.Server) // in place of a real one
	kept, events := new(store.Memory), new(tally)
	ended := server.Login()
	ended.Expiry = time.Now().Add(-time.Minute)
	if err := kept.Save(ctx, "acme", ended); err != nil {
		log.Fatal(err)
	}
	manager := oauth.TokenManager{Store: kept, OnEvent: events.add}
	source, err := manager.Add(oauth.Account{Provider: exampleProvider(server)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(advice(manager.Statuses()[0])) // nobody has asked yet

	server.Fail(oauthtest.Token, oauthtest.Overloaded(30))
	_, err = source.Token(ctx)
	explain(err)
	fmt.Println(advice(manager.Statuses()[0]))

	server.Fail(oauthtest.Token, oauthtest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`})
	_, err = manager.Refresh(ctx, "acme") // a person does not want to wait
	explain(err)
	fmt.Println(advice(manager.Statuses()[0]))
	fmt.Println(manager.Shutdown(ctx), events.kinds)
	// Output:
	// acme: nothing
	// acme: refresh: status 429 rate_limit_error, wait: true, login: false
	// acme: wait, it failed 1 times
	// acme: refresh: status 400 invalid_grant, wait: false, login: true
	// acme: log in
	// <nil> map[needs_login:1 refresh_failed:1 refreshing:2]
}
