package providers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
)

// What a client puts into its query goes upstream as it stands, but for what is named like a credential: that is not
// the upstream's to know.
func TestQueryWithoutCredentials(t *testing.T) {
	t.Parallel()
	var sent string
	up := roundTrip(func(r *http.Request) (*http.Response, error) {
		sent = r.URL.RawQuery
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.WriteString(`{"type":"message"}`)
		return w.Result(), nil
	})
	var reg ccproxy.Registry
	if err := reg.Register(providers.New(ccproxy.Manifest{Name: "acme"}, providers.Upstream{
		BaseURL: "https://acme.test", Formats: []adapters.Format{adapters.AnthropicMessages},
	})); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithTransport(up))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = proxy.Shutdown(context.WithoutCancel(t.Context())) }()
	for _, tt := range []struct{ query, want string }{
		{"", ""},
		{"beta=true", "beta=true"},
		{"b=%20x&a=1&&flag", "b=%20x&a=1&&flag"},
		{"api_key=canary", ""},
		{"beta=true&api_key=canary&a=%7e", "beta=true&a=%7e"},
		{"access_token=canary&x=1&KEY=canary&x=2", "x=1&x=2"},
		{"%61pi_key=canary&x=1", "x=1"},
		{"x=1;token=canary&y=2", "y=2"},
	} {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/acme/v1/messages?"+tt.query,
			strings.NewReader(`{"model":"m"}`)))
		if w.Code != http.StatusOK || sent != tt.want {
			t.Errorf("%s: %d, the upstream got %q, want %q", tt.query, w.Code, sent, tt.want)
		}
	}
}
