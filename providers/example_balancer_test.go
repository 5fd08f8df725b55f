package providers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// leastBusy is a plugin in the place of the one that ships: each request goes to the account that answers the
// fewest.
type leastBusy struct{}

var _ providers.Balancer = leastBusy{}

// Initialize implements [ccproxy.Plugin].
func (b leastBusy) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide(providers.BalancerService, b)
}

// Shutdown implements [ccproxy.Plugin].
func (leastBusy) Shutdown(context.Context) error { return nil }

// Pool implements [providers.Balancer].
func (leastBusy) Pool(_ string, accounts []providers.Account) (providers.Pool, error) {
	return &busyPool{accounts: accounts, busy: make(map[string]int)}, nil
}

type busyPool struct {
	accounts []providers.Account
	mu       sync.Mutex
	busy     map[string]int // requests that an account answers, by name
}

// Authorize implements [providers.Credentials]. Providers ask a pool for its accounts instead.
func (*busyPool) Authorize(context.Context, http.Header) error { return errors.ErrUnsupported }

// Next implements [providers.Pool].
func (p *busyPool) Next(_ context.Context, c providers.Choice) (providers.Turn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *providers.Account
	for i, a := range p.accounts {
		if !slices.Contains(c.Tried, a.Name) && (best == nil || p.busy[a.Name] < p.busy[best.Name]) {
			best = &p.accounts[i]
		}
	}
	if best == nil {
		return nil, &ccproxy.Error{Status: http.StatusServiceUnavailable, Message: "all accounts are refused"}
	}
	p.busy[best.Name]++
	return &busyTurn{p, best}, nil
}

type busyTurn struct {
	pool    *busyPool
	account *providers.Account
}

func (t *busyTurn) Account() string                    { return t.account.Name }
func (t *busyTurn) Credentials() providers.Credentials { return t.account.Credentials }

// Report implements [providers.Turn].
func (t *busyTurn) Report(_ context.Context, o providers.Outcome) (next bool) {
	return o.NoCredentials || o.Status == http.StatusTooManyRequests
}

// End implements [providers.Turn].
func (t *busyTurn) End() {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	t.pool.busy[t.account.Name]--
}

// A provider with several accounts leaves it to the service balancer which of them a request goes out with.
func ExampleBalancer() {
	accounts := providers.AccountConfigs{ // of the plugin's configuration, as providers.AccountConfig says
		providers.AccountConfig{Name: "team", APIKey: ccproxy.NewSecret("team-key-0123456789")},
		providers.AccountConfig{Name: "spare", APIKey: ccproxy.NewSecret("spare-key-0123456789")},
	}
	if err := accounts.Check("plugins.acme.accounts"); err != nil {
		fmt.Println(err)
		return
	}
	formats := []adapters.Format{adapters.AnthropicMessages}
	acme := providers.NewFunc(ccproxy.Manifest{Name: "acme", OptionalRequires: providers.BalancerServices()}, formats,
		func(pc *ccproxy.PluginContext) (providers.Upstream, error) {
			creds, err := accounts.Credentials(pc, "acme", providers.BearerKey, func(s oauth.Source) providers.Credentials {
				return providers.FromSource(s, "")
			})
			return providers.Upstream{
				BaseURL: "https://acme.example", Formats: formats, Credentials: creds,
				DefaultHeader: http.Header{"Anthropic-Version": {"2023-06-01"}},
			}, err
		})
	balancer := ccproxy.NewFactory(ccproxy.Manifest{
		Name: "least_busy", Provides: []string{providers.BalancerService},
	}, func() ccproxy.Plugin { return leastBusy{} })

	up := new(providertest.Upstream)
	up.Enqueue(providertest.Error(http.StatusTooManyRequests, "rate_limit_error", "slow down", nil))
	proxy, stop := running(up, ccproxy.Settings{}, nil, acme, balancer)
	defer stop()
	fmt.Println(hello(proxy, "/acme/v1/messages").Code)
	for _, r := range up.Requests() {
		fmt.Println(r.Header.Get("Authorization"))
	}
	// Output:
	// 200
	// Bearer team-key-0123456789
	// Bearer spare-key-0123456789
}
