package ccproxy_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// exampleLogin is an auth plugin of a server: it brings an OAuth provider "example", and a command.
func exampleLogin(server *oauthtest.Server, commands ...ccproxy.AuthCommandSpec) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "oauth_example", Kind: ccproxy.KindAuth, CLISafe: true, AuthCommands: commands,
		OAuthProviders: []ccproxy.OAuthProviderSpec{{
			Name: "example",
			New: func(*ccproxy.PluginContext) (oauth.Provider, error) {
				return oauth.NewConfigProvider(server.ProviderConfig("example"))
			},
		}},
	}, nil)
}

// newWhoami makes a command that tells whose account it is.
func newWhoami(pc *ccproxy.PluginContext) (func(context.Context, ccproxy.Invocation) error, error) {
	return func(ctx context.Context, inv ccproxy.Invocation) error {
		cred, err := pc.OAuth.Source(inv.Flags["account"]).Token(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(inv.Stdout, cred.AccountID)
		return err
	}, nil
}

// What only one server has is a command below "auth". Where it needs a login that is not there, the error tells what
// to do.
func ExampleAuthCommandSpec() {
	server := new(oauthtest.Server) // in place of a real one
	var reg ccproxy.Registry
	_ = reg.Register(exampleLogin(server, ccproxy.AuthCommandSpec{
		Name: "whoami", Description: "Tell whose account it is", New: newWhoami,
		Options: []ccproxy.CommandOption{{Name: "account", Description: "Name of the account", Default: "example"}},
	}))
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := proxy.StartOnly(ctx, "oauth_example"); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(ctx)

	err = proxy.RunCommand(ctx, "oauth_example", "whoami", ccproxy.Invocation{Stdout: os.Stdout})
	if login, ok := errors.AsType[*ccproxy.LoginError](err); ok {
		fmt.Println("account", login.Account+":", login.Hint())
	}
	fmt.Println("login:", proxy.OAuth().Login(ctx, "example", server.Login()))
	fmt.Println(proxy.RunCommand(ctx, "oauth_example", "whoami", ccproxy.Invocation{Stdout: os.Stdout}))
	// Output:
	// account example: log in with "auth login example" or at /oauth/example/login
	// login: <nil>
	// account-1
	// <nil>
}
