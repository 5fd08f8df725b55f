package providers_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers"
)

// When the client has left no other account is asked, and none again with new credentials.
func TestDeparture(t *testing.T) {
	t.Parallel()
	key := func(value string) providers.Credentials { return providers.BearerKey(ccproxy.NewSecret(value)) }
	tests := []struct {
		name  string
		first providers.Credentials
		reply int
		told  []string
	}{
		{"refused", key("first-0123456789"), http.StatusTooManyRequests, []string{"a 429 false", "a ended"}},
		{"refreshed", &tokens{}, http.StatusUnauthorized, []string{"a 401 false", "a ended"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			sent := 0
			up := roundTrip(func(r *http.Request) (*http.Response, error) {
				sent++
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
				leave()
				w := httptest.NewRecorder()
				w.WriteHeader(tt.reply)
				return w.Result(), nil
			})
			pool := &queue{accounts: []providers.Account{
				{Name: "a", Credentials: tt.first}, {Name: "b", Credentials: key("second-0123456789")},
			}}
			proxy := pooled(t, pool, up)
			proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(
				ctx, http.MethodPost, "/acme/v1/messages", strings.NewReader(`{"model":"m"}`)))
			if sent != 1 {
				t.Errorf("%d requests, want 1", sent)
			}
			if diff := cmp.Diff(tt.told, pool.told); diff != "" {
				t.Errorf("reports mismatch (-want +got):\n%s", diff)
			}
		})
	}
}
