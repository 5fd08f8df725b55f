package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// tenantsPlugin brings an OAuth provider for each tenant, of which only its own database knows.
type tenantsPlugin struct {
	server  *oauthtest.Server
	tenants []string
}

func (p *tenantsPlugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	for _, tenant := range p.tenants {
		provider, err := oauth.NewConfigProvider(p.server.ProviderConfig(tenant))
		if err != nil {
			return err
		}
		if _, err := pc.OAuth.Register(provider); err != nil { // until the plugin stops
			return err
		}
	}
	return nil
}

func (p *tenantsPlugin) Shutdown(context.Context) error { return nil }

// accountPage shows the accounts of all plugins, and uses one.
type accountPage struct{ accounts ccproxy.OAuthRegistry }

func (a accountPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, info := range a.accounts.Infos() {
		cred, err := a.accounts.Source(info.Name).Token(r.Context())
		if err != nil {
			fmt.Fprintln(w, info.Name, "needs a login")
			continue
		}
		// cred.Authorization() is the header of a request to the tenant's API.
		fmt.Fprintln(w, info.Name, "is", cred.AccountID)
	}
}

// A plugin that learns only at its start of where to log in registers providers then. Any plugin can use them.
func ExampleOAuthRegistry() {
	server := new(oauthtest.Server)
	var reg ccproxy.Registry
	_ = reg.Register(
		ccproxy.NewFactory(ccproxy.Manifest{Name: "tenants"}, func() ccproxy.Plugin {
			return &tenantsPlugin{server, []string{"acme", "globex"}}
		}),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "page", Routes: []ccproxy.RouteSpec{{
			Prefix: "/accounts", Endpoints: []ccproxy.Endpoint{{}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) { return accountPage{pc.OAuth}, nil },
		}}}, nil),
	)
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := proxy.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(ctx)
	fmt.Println(proxy.OAuth().Login(ctx, "globex", server.Login()))
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/accounts", nil))
	fmt.Print(w.Body)
	// Output:
	// <nil>
	// acme needs a login
	// globex is account-1
}
