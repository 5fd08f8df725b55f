package ccproxy_test

import (
	"context"
	"fmt"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth/flow"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// user is who sits at the terminal: with a real one, Show prints the address and Paste reads a line.
type user struct {
	server *oauthtest.Server
	came   string // the address that the browser ended up at
}

func (u *user) Show(_ context.Context, v flow.Visit) (err error) {
	u.came, err = u.server.Consent(v.URL)
	return err
}

func (u *user) Paste(context.Context, error) (string, error) { return u.came, nil }

// logIn is the work of a command.
func logIn(ctx context.Context, logins *ccproxy.OAuth, u *user) error {
	provider, err := logins.Provider("example")
	if err != nil {
		return err
	}
	creds, err := (&flow.Login{UI: u, Method: flow.Manual}).Run(ctx, provider)
	if err != nil {
		return err
	}
	return logins.Login(ctx, "example", creds)
}

// line tells of an account as a command would.
func line(s ccproxy.AccountStatus) string {
	return fmt.Sprintf("%s is %s: %s", s.ID, s.State, ccproxy.AccountHealth(s.State))
}

// A command logs in, without serving anything.
func ExampleOAuth() {
	ctx := context.Background()
	server := new(oauthtest.Server) // in place of a real one
	var reg ccproxy.Registry
	_ = reg.Register(exampleLogin(server))
	var kept store.Memory // in a program a store.Dir, in which a proxy that serves finds the login
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithCredentialStore(&kept))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.StartOnly(ctx, "oauth_example"); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(ctx)

	before, err := proxy.OAuth().Status(ctx, "example")
	fmt.Println(line(before), err)
	fmt.Println("login:", logIn(ctx, proxy.OAuth(), &user{server: server}))
	after, err := proxy.OAuth().Status(ctx, "example")
	fmt.Println(line(after), err)
	creds, err := kept.Load(ctx, "example")
	fmt.Println("kept for", creds.AccountID, err)
	// Output:
	// example is no_credentials: warn <nil>
	// login: <nil>
	// example is ok: pass <nil>
	// kept for account-1 <nil>
}
