package openaicompat_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/system/balancer"
)

type answers func(*http.Request) *http.Response

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// Each instance has accounts of its own: a request that the first is refused goes on with the next, byte for byte.
func TestAccounts(t *testing.T) {
	t.Parallel()
	const body = `{"model":"m" , "messages":[{"role":"user","content":"Hi"}]}`
	var sent []string
	up := answers(func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		got, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_ = r.Body.Close()
		sent = append(sent, r.URL.Host+" "+r.Header.Get("Authorization")+" "+string(got))
		if strings.HasSuffix(r.Header.Get("Authorization"), "-one") {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.WriteString(`{"error":{"message":"slow down"}}`)
		} else {
			_, _ = w.WriteString(`{"id":"x","choices":[]}`)
		}
		return w.Result()
	})
	instance := func(name string) map[string]any {
		return map[string]any{"base_url": "https://" + name + ".test", "models": []any{"m"}, "accounts": []any{
			map[string]any{"name": "one", "api_key": "key-of-" + name + "-one"},
			map[string]any{"name": "two", "api_key": "key-of-" + name + "-two"},
		}}
	}
	var reg ccproxy.Registry
	if err := reg.Register(openaicompat.Factory(), balancer.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		openaicompat.Name: {"instances": map[string]any{"acme": instance("acme"), "other": instance("other")}},
	}}, ccproxy.WithTransport(up), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for _, provider := range []string{"acme", "acme", "other"} {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequestWithContext(
			t.Context(), http.MethodPost, "/"+provider+"/v1/chat/completions", strings.NewReader(body)))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", provider, w.Code, w.Body)
		}
	}
	want := []string{
		"acme.test Bearer key-of-acme-one " + body, "acme.test Bearer key-of-acme-two " + body,
		"acme.test Bearer key-of-acme-two " + body,
		"other.test Bearer key-of-other-one " + body, "other.test Bearer key-of-other-two " + body,
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("requests mismatch (-want +got):\n%s", diff)
	}
}
