package providers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers"
)

// everything is a hook that hears all events, and tries to change what is configured.
type everything struct {
	mu   sync.Mutex
	told strings.Builder
}

func (*everything) Name() string          { return "everything" }
func (*everything) Events() []hooks.Event { return hooks.Events() }

func (e *everything) Handle(_ context.Context, hc *hooks.Context) error {
	e.tell(hc.Payload)
	return nil
}

func (e *everything) Prepare(_ context.Context, req *hooks.PreparedRequest) error {
	e.tell(req.Header)
	req.Header.Set("X-Custom", "from the hook")
	req.Header.Set("X-Added", "from the hook")
	return nil
}

func (e *everything) tell(v any) {
	text, _ := json.Marshal(v)
	e.mu.Lock()
	defer e.mu.Unlock()
	fmt.Fprintf(&e.told, "%+v\n%s\n", v, text)
}

// A configured header may be the key of a gateway, whatever its name: it reaches the upstream as it stands, and no hook
// or client. Headers that every client of a dialect sends are shown.
func TestConfiguredHeaders(t *testing.T) {
	t.Parallel()
	const key = "the-key-of-the-gateway"
	var sent http.Header
	up := roundTrip(func(r *http.Request) (*http.Response, error) {
		sent = r.Header.Clone()
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.WriteString(`{"type":"error","error":{"type":"x","message":"no ` + r.Header.Get("X-Custom") + `"}}`)
		return w.Result(), nil
	})
	hook := new(everything)
	watch := ccproxy.NewFactory(ccproxy.Manifest{Name: "watch", Hooks: []ccproxy.HookSpec{{
		New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return hook, nil },
	}}}, nil)
	var reg ccproxy.Registry
	if err := reg.Register(watch, providers.New(ccproxy.Manifest{Name: "acme"}, providers.Upstream{
		BaseURL: "https://acme.test", Formats: []adapters.Format{adapters.AnthropicMessages},
		Header:      http.Header{"X-Custom": {key}, "User-Agent": {"house/1"}},
		Credentials: providers.HeaderKey("X-Api-Key", ccproxy.NewSecret("the-upstream-key-0123456789")),
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
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/acme/v1/messages",
		strings.NewReader(`{"model":"m"}`)))
	if err := proxy.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if got := sent.Values("X-Custom"); len(got) != 1 || got[0] != key || sent.Get("X-Added") != "from the hook" {
		t.Errorf("the upstream got %q and %q", got, sent.Get("X-Added"))
	}
	if got := w.Body.String(); !strings.Contains(got, "no [REDACTED]") || strings.Contains(got, key) {
		t.Errorf("the client got %s", got)
	}
	if told := hook.told.String(); strings.Contains(told, key) || !strings.Contains(told, "house/1") {
		t.Errorf("hooks heard:\n%s", told)
	}
}
