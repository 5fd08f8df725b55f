package providers_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
)

// tokens are credentials of which the first is old.
type tokens struct {
	fresh   bool
	err     error
	refused []string
}

func (c *tokens) Authorize(_ context.Context, h http.Header) error {
	h.Set("Authorization", "Bearer old-token-0123456789")
	if c.fresh {
		h.Set("Authorization", "Bearer new-token-0123456789")
	}
	return nil
}

func (c *tokens) Refresh(_ context.Context, refused http.Header) (bool, error) {
	c.refused = append(c.refused, refused.Get("Authorization"))
	if len(refused) != 1 {
		c.err = errors.New("more than the credentials was refused")
	}
	c.fresh = c.err == nil
	return true, c.err
}

// A 401 leads to one refresh and one more attempt with the same request, for calls as for models.
func TestRefresh(t *testing.T) {
	t.Parallel()
	const body = `{"model":"m" , "x":1}`
	tests := []struct {
		name, method, path, takes string // the token that the upstream takes
		err                       error
		status, asked             int
	}{
		{"call", http.MethodPost, "/acme/v1/messages", "Bearer new-token-0123456789", nil, http.StatusOK, 2},
		{"models", http.MethodGet, "/acme/v1/models", "Bearer new-token-0123456789", nil, http.StatusOK, 2},
		{"refused twice", http.MethodPost, "/acme/v1/messages", "none", nil, http.StatusUnauthorized, 2},
		{"no refresh", http.MethodPost, "/acme/v1/messages", "none", errors.New("login"), http.StatusUnauthorized, 1},
		{"good", http.MethodPost, "/acme/v1/messages", "Bearer old-token-0123456789", nil, http.StatusOK, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var sent []string
			up := roundTrip(func(r *http.Request) (*http.Response, error) {
				w := httptest.NewRecorder()
				w.Header().Set("Content-Type", "application/json")
				if r.Body != nil {
					b, err := io.ReadAll(r.Body)
					if err != nil {
						return nil, err
					}
					sent = append(sent, string(b))
					_ = r.Body.Close()
				} else {
					sent = append(sent, "")
				}
				if r.Header.Get("Authorization") != tt.takes {
					w.WriteHeader(http.StatusUnauthorized)
				}
				_, _ = w.WriteString(`{"data":[],"error":{"type":"x","message":"` + r.Header.Get("Authorization") + `"}}`)
				return w.Result(), nil
			})
			creds := &tokens{err: tt.err}
			var reg ccproxy.Registry
			err := reg.Register(providers.New(ccproxy.Manifest{Name: "acme"}, providers.Upstream{
				BaseURL: "https://acme.test", Formats: []adapters.Format{adapters.AnthropicMessages}, Credentials: creds,
			}))
			if err != nil {
				t.Fatal(err)
			}
			proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithTransport(up))
			if err != nil {
				t.Fatal(err)
			}
			if err := proxy.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			want := ""
			if tt.method == http.MethodPost {
				want = body
			}
			proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, strings.NewReader(want)))
			if err := proxy.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			if w.Code != tt.status || strings.Contains(w.Body.String(), "old-token") && tt.status != http.StatusOK {
				t.Errorf("%d %s, want %d", w.Code, w.Body, tt.status)
			}
			bodies := make([]string, tt.asked)
			for i := range bodies {
				bodies[i] = want
			}
			if diff := cmp.Diff(bodies, sent); diff != "" {
				t.Errorf("requests mismatch (-want +got):\n%s", diff)
			}
			if tt.name != "good" && (len(creds.refused) != 1 || creds.refused[0] != "Bearer old-token-0123456789") {
				t.Errorf("refused %q", creds.refused)
			}
		})
	}
}
