package providers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// leased are tokens that a service of the company's gives out for a while. For what OAuth servers give there is
// FromSource.
type leased struct {
	mu     sync.Mutex
	number int // of the token
}

var (
	_ providers.Credentials     = (*leased)(nil)
	_ providers.Refresher       = (*leased)(nil)
	_ providers.AccountReporter = (*leased)(nil)
)

// Authorize implements [providers.Credentials].
func (l *leased) Authorize(_ context.Context, h http.Header) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.Set("X-Api-Key", l.token())
	return nil
}

// Refresh implements [providers.Refresher]. Of several requests that were refused with one token the first gets
// another; for the others it is there already.
func (l *leased) Refresh(_ context.Context, refused http.Header) (again bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if refused.Get("X-Api-Key") == l.token() {
		l.number++ // here the service would be asked
	}
	return true, nil
}

// Account implements [providers.AccountReporter]: health checks show it.
func (l *leased) Account(context.Context) (status oauth.Status, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return oauth.Status{ID: "lease", State: oauth.StateOK, Generation: uint64(l.number)}, true
}

// token is called with the lock held.
func (l *leased) token() string { return fmt.Sprintf("lease-0123456789-%d", l.number) }

// Credentials that end are replaced when the upstream refuses them. The client notices nothing.
func ExampleRefresher() {
	up := new(providertest.Upstream)
	up.Enqueue(providertest.Error(http.StatusUnauthorized, "authentication_error", "the lease has ended", nil))
	acme := providers.New(ccproxy.Manifest{Name: "acme"}, providers.Upstream{
		BaseURL: "https://acme.example", Formats: []adapters.Format{adapters.AnthropicMessages},
		Credentials: &leased{number: 1}, DefaultHeader: http.Header{"Anthropic-Version": {"2023-06-01"}},
	})
	proxy, stop := running(up, ccproxy.Settings{}, nil, acme)
	defer stop()
	fmt.Println(hello(proxy, "/acme/v1/messages").Code)
	for _, r := range up.Requests() {
		fmt.Println(r.Path, r.Header.Get("X-Api-Key"))
	}
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/plugins/acme/health", nil))
	var health struct {
		Details struct {
			Account string      `json:"account"`
			State   oauth.State `json:"account_state"`
		} `json:"details"`
	}
	fmt.Println(json.Unmarshal(w.Body.Bytes(), &health), health.Details.Account, health.Details.State)
	// Output:
	// 200
	// /v1/messages lease-0123456789-1
	// /v1/messages lease-0123456789-2
	// <nil> lease ok
}
