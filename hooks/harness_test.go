package hooks_test

import (
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/hooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// samples returns one payload of every event, each with something in it.
func samples() []hooks.Payload {
	h := hooks.SnapshotHeader(http.Header{"X-Test": {"1"}})
	req := hooks.Request{ID: "r1", Method: "POST", Path: "/v1/messages", Header: h}
	end := time.Unix(1_700_000_000, 0)
	return []hooks.Payload{
		&hooks.AppStartup{Version: "1", Plugins: []string{"a"}},
		&hooks.AppReady{Version: "1", Plugins: []string{"a"}},
		&hooks.AppShutdown{Version: "1", Plugins: []string{"a"}, Reason: "stop"},
		&hooks.RequestStarted{Request: req},
		&hooks.RequestCompleted{Request: req, Status: 200, Usage: &hooks.Usage{InputTokens: 1}, Losses: []string{"n"}},
		&hooks.RequestFailed{Request: req, Status: 502, Usage: &hooks.Usage{InputTokens: 1}, Losses: []string{"n"}},
		&hooks.ProviderRequestPrepared{Method: "POST", Header: h, Body: "{}", Losses: []string{"n"}},
		&hooks.ProviderRequestSent{Method: "POST"},
		&hooks.ProviderResponseReceived{Status: 200, Header: h},
		&hooks.ProviderError{Status: 500, Err: "boom"},
		&hooks.ProviderStreamStart{Model: "m", Header: h},
		&hooks.ProviderStreamChunk{Number: 1, Chunk: "data: 1\n\n"},
		&hooks.ProviderStreamEnd{Chunks: 1, Usage: &hooks.Usage{InputTokens: 1}},
		&hooks.PluginLoaded{Name: "p"},
		&hooks.PluginUnloaded{Name: "p"},
		&hooks.PluginError{Name: "p", Err: "boom"},
		&hooks.HTTPRequest{ID: "r1", Header: h, Body: "{}"},
		&hooks.HTTPResponse{ID: "r1", Header: h},
		&hooks.HTTPError{ID: "r1", Err: "boom"},
		&hooks.OAuthTokenRequest{Provider: "o"},
		&hooks.OAuthTokenResponse{Provider: "o", ExpiresAt: end},
		&hooks.OAuthRefreshRequest{Provider: "o", ExpiresAt: end},
		&hooks.OAuthRefreshResponse{Provider: "o", ExpiresAt: end},
		&hooks.OAuthError{Provider: "o", Err: "boom"},
		&hooks.Custom{Name: "p.x", Data: 1},
	}
}

// register adds a hook that must be acceptable.
func register(t testing.TB, reg *hooks.Registry, h hooks.Hook, o hooks.Options) (unregister func()) {
	t.Helper()
	unregister, err := reg.Register(h, o)
	if err != nil {
		t.Fatalf("Register: %v", err)
	}
	return unregister
}

// stat returns the state of the hook of that name.
func stat(t testing.TB, reg *hooks.Registry, name string) hooks.Stats {
	t.Helper()
	for _, s := range reg.Stats() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no hook %q in Stats", name)
	return hooks.Stats{}
}

// started emits a request.started of that id.
func started(reg *hooks.Registry, id string) {
	reg.Emit(hooks.Context{RequestID: id, Payload: &hooks.RequestStarted{Request: hooks.Request{ID: id}}})
}
