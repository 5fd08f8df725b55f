package ccproxy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// replica starts a proxy that serves below https://example.com/llm/.
func replica(server *oauthtest.Server, s oauth.SessionStore, kept oauth.Store) (*ccproxy.Proxy, error) {
	var reg ccproxy.Registry
	if err := reg.Register(exampleLogin(server)); err != nil {
		return nil, err
	}
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithPublicURL("https://example.com/llm"),
		ccproxy.WithSessionStore(s), ccproxy.WithCredentialStore(kept))
	if err != nil {
		return nil, err
	}
	err = proxy.Start(context.Background())
	return proxy, err
}

// Two replicas behind one address: a login begins at one of them and ends at the other.
func ExampleWithSessionStore() {
	server := new(oauthtest.Server)
	var sessions oauth.MemorySessions // in a program one that replicas share,
	var kept store.Memory             // as the credentials are
	first, err1 := replica(server, &sessions, &kept)
	second, err2 := replica(server, &sessions, &kept)
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}
	defer first.Shutdown(context.Background())
	defer second.Shutdown(context.Background())
	browser, _ := cookiejar.New(nil)
	visit := func(proxy *ccproxy.Proxy, address string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, address, nil)
		for _, c := range browser.Cookies(r.URL) {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		proxy.Mount("/llm").ServeHTTP(w, r)
		browser.SetCookies(r.URL, w.Result().Cookies())
		return w.Result()
	}
	begun := visit(first, "https://example.com/llm/oauth/example/login")
	back, err := server.Consent(begun.Header.Get("Location"))
	fmt.Println(begun.Status, err)
	fmt.Println(visit(second, back).Status)
	for _, proxy := range []*ccproxy.Proxy{first, second} {
		cred, err := proxy.OAuth().Source("example").Token(context.Background())
		fmt.Println(cred.AccountID, err)
	}
	// Output:
	// 302 Found <nil>
	// 200 OK
	// account-1 <nil>
	// account-1 <nil>
}
