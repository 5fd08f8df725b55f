package authoring_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// TestAcmeFaults lets the upstream break in every way, at every point of a stream.
func TestAcmeFaults(t *testing.T) {
	t.Parallel()
	for _, phase := range providertest.Phases() {
		for _, fault := range providertest.StreamFaults(adapters.AnthropicMessages, phase) {
			t.Run(phase.String()+"/"+fault.Name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { meetFault(t, fault) }) // so that silence takes no time
			})
		}
	}
}

func meetFault(t *testing.T, fault providertest.Fault) {
	t.Helper()
	up := new(providertest.Upstream)
	defer up.Close()
	fault.Inject(up)
	transport := up.Transport()
	if fault.HTTP2 {
		transport = up.HTTP2Transport()
	}
	key := providertest.Canary("acme")
	settings := ccproxy.Settings{Plugins: map[string]map[string]any{"acme": {"api_key": key}}}
	proxy, stop := startWith(settings, []ccproxy.Option{ccproxy.WithTransport(transport)}, acmeFactory())
	defer stop()

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour) // an upstream may never begin
	defer cancel()
	body := strings.NewReader(strings.Replace(hello, "{", `{"stream":true,`, 1))
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/acme/v1/messages", body))

	if err := fault.Check(adapters.AnthropicMessages, w.Code, w.Body.String(), nil); err != nil {
		t.Error(err)
	}
	if synctest.Wait(); up.Active() != 0 {
		t.Error("the upstream is still being asked")
	}
	if found := providertest.FindSecret(w.Body.String(), key); found != "" {
		t.Errorf("the answer holds the key: %s", found)
	}
}
