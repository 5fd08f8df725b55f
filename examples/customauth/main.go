// Command customauth shows an auth plugin of one's own, plugin.go, and another plugin, below, that logs in with it:
// open http://127.0.0.1:8080/login in a browser.
package main

import (
	"context"
	"crypto/rand"
	"log"
	"net/http"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
)

func main() {
	proxy, err := newProxy("http://127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	if err := proxy.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", proxy)) //nolint:gosec // an example of the fewest lines
}

func newProxy(publicURL string, opts ...ccproxy.Option) (*ccproxy.Proxy, error) {
	var reg ccproxy.Registry
	if err := reg.Register(factory(), loginFactory()); err != nil {
		return nil, err
	}
	return reg.Build(ccproxy.Settings{}, append(opts, ccproxy.WithPublicURL(publicURL))...)
}

// login sends browsers to an authorization server and takes them back.
type login struct {
	pc       *ccproxy.PluginContext
	provider oauth.Provider

	mu     sync.Mutex
	states map[string]bool // handed out and not come back
}

func loginFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "login", Dependencies: []string{"oauth_example"},
		Routes: []ccproxy.RouteSpec{{
			Prefix:    "/login",
			Endpoints: []ccproxy.Endpoint{{Summary: "Log in"}, {Pattern: "/callback", Summary: "End of a login"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				provider, _ := pc.OAuth.Lookup("example") // there, since the plugin depends on the one that has it
				l := &login{pc: pc, provider: provider, states: make(map[string]bool)}
				mux := http.NewServeMux()
				mux.HandleFunc("/login", l.begin)
				mux.HandleFunc("/login/callback", l.end)
				return mux, nil
			},
		}},
	}, nil)
}

func (l *login) begin(w http.ResponseWriter, r *http.Request) {
	state := rand.Text()
	l.mu.Lock()
	l.states[state] = true
	l.mu.Unlock()
	address, err := l.provider.AuthorizationURL(r.Context(), oauth.AuthorizationRequest{
		State: state, RedirectURI: l.pc.PublicURL() + "/login/callback",
	})
	if err != nil {
		http.Error(w, "no login at the moment", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, address, http.StatusFound)
}

func (l *login) end(w http.ResponseWriter, r *http.Request) {
	state := r.FormValue("state")
	l.mu.Lock()
	known := l.states[state]
	delete(l.states, state)
	l.mu.Unlock()
	if !known {
		http.Error(w, "nobody asked for this login", http.StatusBadRequest)
		return
	}
	creds, err := l.provider.HandleCallback(r.Context(), oauth.Callback{Code: r.FormValue("code"), State: state})
	if err != nil {
		l.pc.Logger.Error("login failed", "error", err)
		http.Error(w, "login failed", http.StatusBadGateway)
		return
	}
	_, _ = w.Write([]byte("logged in as " + creds.AccountID + "\n")) // creds would go to a store
}
