package ccproxy_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// accountant is a provider that has an account, and refuses.
type accountant struct{ spare }

func (a *accountant) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	call.Attempt("team")
	return nil, &ccproxy.Error{Status: http.StatusTooManyRequests, Message: "no", RetryAfter: 9 * time.Second}
}

// A client that leaves before another attempt is made has been refused by the last one, and by nobody else.
func TestDepartureBetweenAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refuses := new(accountant)
		refuses.name = "office"
		factory := plain(ccproxy.Manifest{Name: "office", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.AnthropicMessages},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return refuses, nil },
		}}})
		r := newRig(t, rigSetup{settings: retriesOf(3), plugins: []ccproxy.Factory{factory}})
		ctx, leave := context.WithTimeout(t.Context(), 4*time.Second)
		defer leave()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "/office/v1/messages", strings.NewReader(wholeBody))
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(3*time.Second, leave)
		send(r, req)
		end := r.failed(t)
		if end.Account != "team" || end.Provider != "office" || end.Attempts != 1 {
			t.Errorf("failed: account %q of %q, %d attempts", end.Account, end.Provider, end.Attempts)
		}
	})
}
